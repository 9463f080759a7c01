"""The report of a study as a reader meets it: in a browser, offline, everything clicked once."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from newcomer import copy_study
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).resolve().parents[1]

pytestmark = [pytest.mark.operations, pytest.mark.workflow]

FIGURES = {
    # by its caption's words: what is seen
    "appearance": "Text crops beside genuine signatures",
    "pipeline": "The study in one picture",
    "page": "stripes",
    "tree": "spanning tree",
    "contrast": "Affinity Contrast",
    "losses": "epoch",
    "curves": "detection error trade-off",
    "references": "references",
    "splits": "splits",
    "correlations": "correlat",
    "hardest": "surest errors",
    "features": "near on the map",
    "ranks": "critical difference",
    "scores": "are distributed",
    "writers": "EER of each writer",
    "pairs": "test pairs of which a Siamese network is surest",
    "siamese": "Siamese networks over the epochs",
}

TABLES = {
    "eer": "EER (%) with a threshold for each writer",
    "table4": "(Table 4)",
    "table5": "(Table 5)",
    "table7": "(Table 7)",
    "data": "skilled forgeries",
    "appearance": "height of the ink",
    "methods": "Verification.",
    "run_times": "largest memory (MB)",
}

TITLE = """A *study* of a_b_, `c` and |d|

.. include:: config.yaml

.. raw:: html

   <script>document.title = "owned"</script><img src="x" onerror="document.title = 'owned'">

[click](javascript:document.title='owned') <b>bold</b> </script><script>document.title = "owned"
"""
"""A title that tries what Markdown, reStructuredText and HTML would obey."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, finished_clone: Path) -> Path:
    """The report of the smallest study under such a title, written without a network."""
    folder = tmp_path_factory.mktemp("study")
    copy_study(finished_clone, folder)
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    config = config | {"title": TITLE, "license": TITLE}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    nowhere = "http://127.0.0.1:9"  # where a request of any library would end
    offline = {"http_proxy": nowhere, "https_proxy": nowhere, "no_proxy": ""}
    offline |= {name.upper(): value for name, value in offline.items()}
    command = [sys.executable, "-m", "snakemake", "-d", folder, "--cores", "2"]
    command += ["--config", "size=smallest"]
    for more in ([], ["--report", "report.html"]):
        done = subprocess.run(
            [*command, *more],
            cwd=ROOT,
            env=os.environ | offline,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == 0, done.stdout
    return folder / "report.html"


class Report:
    """The open report."""

    def __init__(self, browser: webdriver.Chrome, path: Path) -> None:
        self.browser = browser
        browser.get(path.as_uri())
        # While the menu moves, its entries lie over one another;
        # and a table that is being built lacks rows and buttons.
        early = [WebDriverException, IndexError]
        self.wait = WebDriverWait(browser, 30, ignored_exceptions=early)
        self.wait.until(lambda _: self.links("Statistics"))
        self.categories = {}
        for category in ("Figures", "Results", "Data", "Methods", "Run"):
            self.open(category)
            self.categories[category] = [
                [cell.text for cell in row.find_elements(By.TAG_NAME, "td")[:-1]]
                for row in self.rows()
            ]

    def rows(self) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, "tbody tr")

    def links(self, text: str) -> list[WebElement]:
        return self.browser.find_elements(By.XPATH, f"//nav//a[normalize-space()='{text}']")

    def click(self, find: Callable[[], WebElement]) -> None:
        """Click on what is found, once it is there and free."""
        self.wait.until(lambda _: [find().click()])

    def open(self, category: str) -> None:
        """Go to a category, from the report's first page."""
        self.browser.refresh()
        self.click(lambda: self.links(category)[0])
        self.wait.until(lambda _: self.rows())

    def show(self, category: str, row: int, button: int) -> None:
        """Push a button of a row: 0 shows the result, 1 tells of it."""
        self.open(category)
        self.click(lambda: self.rows()[row].find_elements(By.TAG_NAME, "a")[button])


def menu(browser: webdriver.Chrome) -> str:
    """What stands in the menu, where a result is told of."""
    return browser.find_element(By.TAG_NAME, "nav").text


@pytest.fixture(scope="module")
def opened(report: Path, browser: webdriver.Chrome) -> Report:
    return Report(browser, report)


def test_it_needs_no_network(report):
    assert not re.search(r'<(script|link)[^>]+(src|href)="?https?://', report.read_text())


def test_every_figure_is_there(opened):
    assert sorted({row[0] for row in opened.categories["Figures"]}) == sorted(FIGURES)


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_is_shown_with_its_caption(opened, figure):
    rows = [i for i, row in enumerate(opened.categories["Figures"]) if row[0] == figure]
    for row in rows:
        opened.show("Figures", row, 0)
        image = opened.wait.until(
            lambda b: b.execute_script(
                "const i = document.querySelector('#app div.grow img');"
                "return i && i.complete ? [i.naturalWidth, i.naturalHeight, i.src.slice(0, 18)] : 0"
            )
        )
        assert image[2] == "data:image/svg+xml"
        assert min(image[:2]) > 100
        opened.show("Figures", row, 1)
        said = opened.wait.until(lambda b: "DESCRIPTION" in menu(b) and menu(b))
        assert FIGURES[figure] in said
        assert "{{" not in said


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_shown(opened, table):
    (place,) = [
        (category, i)
        for category, rows in opened.categories.items()
        if category != "Figures"
        for i, row in enumerate(rows)
        if row[0] == table
    ]
    opened.show(*place, 0)
    frame = opened.wait.until(lambda b: b.find_element(By.TAG_NAME, "iframe"))
    opened.browser.switch_to.frame(frame)
    try:
        text = opened.wait.until(lambda b: b.find_element(By.TAG_NAME, "body").text)
        assert TABLES[table] in text
        assert "| --" not in text and "|:--" not in text  # no Markdown is left
    finally:
        opened.browser.switch_to.default_content()


def test_markup_in_the_title_is_text_everywhere(opened):
    """On the first page, and in the tables and paragraphs that it heads."""
    title = " ".join(TITLE.split())
    opened.browser.refresh()
    shown = opened.wait.until(lambda b: title in b.find_element(By.TAG_NAME, "body").text and b)
    page = shown.find_element(By.TAG_NAME, "body")
    for what in (".system-message", ".problematic", "#app b", "#app img[onerror]"):
        assert not page.find_elements(By.CSS_SELECTOR, what)
    assert "sizes:" not in page.text  # nothing of the file that the title names
    assert opened.browser.title == "Snakemake Report"
    for table, category, heads in (
        ("eer", "Results", f"{title}"),
        ("table5", "Results", f"Ours: {title}."),
        ("methods", "Methods", f"Methods: {title}"),
    ):
        row = [name for name, *_ in opened.categories[category]].index(table)
        opened.show(category, row, 0)
        frame = opened.wait.until(lambda b: b.find_element(By.TAG_NAME, "iframe"))
        opened.browser.switch_to.frame(frame)
        try:
            said = opened.wait.until(lambda b: b.find_element(By.TAG_NAME, "body").text)
            assert heads in said
            assert not opened.browser.find_elements(By.CSS_SELECTOR, "script, img, a, h1 em, h1 b")
        finally:
            opened.browser.switch_to.default_content()
    assert opened.browser.title == "Snakemake Report"


def test_nothing_went_wrong_in_the_console(opened):
    # Statistics and the workflow's graph are drawn by scripts, too.
    opened.open("Figures")
    opened.browser.refresh()
    for view in ("Statistics", "Workflow"):
        opened.click(lambda view=view: opened.links(view)[0])
        opened.wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "#app canvas, #app svg"))
    entries = opened.browser.get_log("browser")
    assert [entry for entry in entries if entry["level"] == "SEVERE"] == []
