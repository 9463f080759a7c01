"""Pairs of signatures: how they are listed, divided and audited, and how networks are judged on them."""
