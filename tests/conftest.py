"""What all tests share: research data, and the summaries at the end.

They say how the checks of each element of the method came out, and of cases that are to be
read one by one (edits of a study, bad inputs) what each led to.
"""

import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fkd import plugins
from fkd.layouts import LAYOUTS
from fkd.registry import Registry
from fkd.study.parts import ARCHITECTURES, MAP_LOSSES, RESPONSE_LOSSES
from fkd.study.siamese import PAIR_LOSSES

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from verified import Results

SHARED = Path(__file__).resolve().parents[2] / "shared"

ELEMENT = "element of the method"
LED_TO = "led to"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with research data and reference results beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there: research data and reference results are needed")
    return SHARED


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> "Results":
    """Verifiers on drawn signatures, and scans to judge."""
    from verified import make_results  # takes long to load, and few tests need it

    return make_results(tmp_path_factory.mktemp("verified"))


@pytest.fixture(scope="session")
def finished_clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose smallest study has run, in the README's words; copy it before a change."""
    import newcomer

    folder = tmp_path_factory.mktemp("newcomer") / "fkd"
    newcomer.clone(folder)
    newcomer.follow(newcomer.block("bash", "snakemake --report").splitlines()[0], folder)
    return folder


@pytest.fixture(scope="module")
def browser() -> "Iterator[Chrome]":
    """A browser without a screen."""
    from browsing import browsing

    with browsing() as chrome:
        yield chrome


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """The URL of the database of a PostgreSQL server of one's own."""
    import postgres

    with postgres.server() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.operations)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of the service."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/fkd.sqlite"
        return
    import postgres

    found = request.getfixturevalue("postgresql")
    yield found
    postgres.empty(found)


@pytest.fixture
def led_to(record_property) -> Callable[[str, str, str], None]:
    """Note what a case led to: the list it stands in, the case, its outcome."""
    return lambda title, case, outcome: record_property(LED_TO, (title, case, outcome))


def forget_plugins() -> None:
    """Forget all plugins, as a new process would."""
    for table in (ARCHITECTURES, LAYOUTS, MAP_LOSSES, PAIR_LOSSES, RESPONSE_LOSSES):
        assert isinstance(table, Registry)
        for name in table.origins:
            del table[name]
        table.origins.clear()
    for name in plugins._loaded:
        sys.modules.pop(name, None)
    plugins._loaded.clear()


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Write a module of one's own into the current folder, which is one of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    beside = set(sys.modules)

    def write(text: str, name: str = "my_parts.py") -> Path:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    yield write
    forget_plugins()
    for name in set(sys.modules) - beside:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let a test's report know which elements of the method the test holds."""
    item.user_properties += [(ELEMENT, mark.args[0]) for mark in item.iter_markers("fidelity")]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that run Snakemake, so that no process ends with the longest alone."""
    runs = {item.path for item in items if item.get_closest_marker("workflow")}
    items.sort(key=lambda item: item.path not in runs)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Spell out what was logged of names that are no text, which no process can tell another."""
    report = yield
    report.sections = [
        (title, said.encode("utf-8", "backslashreplace").decode())
        for title, said in report.sections
    ]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the summaries."""
    elements: dict[str, Counter[str]] = {}
    lists: dict[str, list[tuple[str, str]]] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, value in getattr(report, "user_properties", []):
                if name == ELEMENT:
                    elements.setdefault(value, Counter())[outcome] += 1
                elif name == LED_TO:
                    title, case, came = value
                    came = came if outcome == "passed" else f"{outcome.upper()}: {came}"
                    lists.setdefault(title, []).append((case, came))
    if elements:
        terminalreporter.section("fidelity to the published method")
        width = max(map(len, elements))
    for element in sorted(elements, key=str.lower):
        found = elements[element]
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in found.items())
        terminalreporter.write_line(f"{element:{width}}  checks {found.total():3}: {outcomes}")
    for title, cases in lists.items():
        terminalreporter.section(title)
        width = max(len(case) for case, _ in cases)
        for case, came in cases:
            terminalreporter.write_line(f"{case:{width}}  {came}")
