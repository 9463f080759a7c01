"""Signature data sets."""

import re


def natural_order(name: str) -> tuple[list[str | int], str]:
    """Sort key by which numbers within names count as numbers: 2 before 10."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if at % 2 else part for at, part in enumerate(parts)], name
