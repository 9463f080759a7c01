"""What all tests share: research data, and the summary by elements of the method."""

from collections import Counter
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"

ELEMENT = "element of the method"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with research data and reference results beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there: research data and reference results are needed")
    return SHARED


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let a test's report know which elements of the method the test holds."""
    item.user_properties += [(ELEMENT, mark.args[0]) for mark in item.iter_markers("fidelity")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how the checks of each element of the method came out."""
    elements: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, element in getattr(report, "user_properties", []):
                if name == ELEMENT:
                    elements.setdefault(element, Counter())[outcome] += 1
    if not elements:
        return
    terminalreporter.section("fidelity to the published method")
    width = max(map(len, elements))
    for element in sorted(elements, key=str.lower):
        found = elements[element]
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in found.items())
        terminalreporter.write_line(f"{element:{width}}  checks {found.total():3}: {outcomes}")
