"""Pairs of signatures, and what is learned and judged on them: lists, splits, audits and losses."""
