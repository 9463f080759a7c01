"""The examples in docstrings run as they stand, and show what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEAST = 12
"""How many public functions have an example, at least."""

MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "fkd").rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_show_what_they_say(name):
    """Each as a reader would copy it: nothing is imported but what the example imports."""
    result = doctest.testmod(importlib.import_module(name), globs={})
    assert result.attempted > 0 and result.failed == 0


def test_there_are_enough_examples():
    finder = doctest.DocTestFinder()
    found = [
        test
        for name in MODULES
        for test in finder.find(importlib.import_module(name))
        if test.examples
    ]
    assert len(found) >= LEAST
