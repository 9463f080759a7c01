"""Titles and names with markup in them are printed as they are, in every language of the results."""

import html
import re
import shutil
import subprocess
from pathlib import Path

import jinja2
import pytest
from docutils.core import publish_parts
from markdown_it import MarkdownIt

from fkd.report.hypertext import write_hypertext
from fkd.study.markup import code_markdown, escape_latex, escape_markdown

ROOT = Path(__file__).resolve().parents[1]

HOSTILE = [
    "plain, with 2 numbers",
    "*stars* **two** _lines_ __two__ a_b _",
    "`code` ``two`` ~~struck~~ $x$ a|b",
    "<script>document.title = 'x'</script> <b>bold</b> <!-- no --> <http://x.y> 3 < 4 > 2",
    "[link](javascript:alert(1)) ![image](x.png) [1]_ |subst| `role`:x: :ref:`y`",
    "&lt;b&gt; &#60; R&D & more",
    "# head #",
    "back\\slash \\* \\n C:\\new",
    "{braces} ${HOME} %s \\input{/etc/passwd} 100 % #1 ~ ^ \\end{table}",
    "two\nlines\n\n.. include:: /etc/passwd\n\n.. raw:: html\n\n   <script>x</script>\n",
    "line\n\n- item\n\n| a | b |\n|---|---|\n\n```\ncode\n",
    "名前 подпись Zoë שלום",
]


def on_one_line(text):
    return " ".join(text.split())


def shown(markdown):
    """The words that a reader of Markdown sees, by its parser, and the tags that it makes."""
    renderer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    page = renderer.render(markdown)
    tags = re.findall(r"<([a-z0-9]+)", page)
    return [html.unescape(x).strip() for x in re.sub(r"<[^>]*>", "\n", page).split("\n") if x], tags


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_any_text_as_it_is(text):
    escaped, expected = escape_markdown(text), on_one_line(text)
    assert shown(f"# {escaped}\n\nIt is {escaped}.") == (
        [expected, f"It is {expected}."],
        ["h1", "p"],
    )
    words, tags = shown(f"| set | b |\n|---|---|\n| x{escaped} | 7 |\n")
    assert words == ["set", "b", f"x{expected}", "7"]
    assert set(tags) == {"table", "thead", "tbody", "tr", "th", "td"}
    words, tags = shown(f"file {code_markdown(text)}, whole")
    assert words == ["file", expected, ", whole"] and tags == ["p", "code"]


def test_names_as_they_are_common_stay_readable_in_the_source():
    for name in ("bhsig260_hindi", "ResNet-18 CL+GEOM", "NREF 12: ours", "6.86 ± 0.37", "p < 0.05"):
        assert escape_markdown(name) == name


def test_the_title_of_a_page_has_no_escapes(tmp_path):
    title = "A *study* of a_b_ <b> & more"
    (tmp_path / "a.md").write_text(f"# {escape_markdown(title)}\n", encoding="utf-8")
    write_hypertext(markdown=tmp_path / "a.md", out=tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert f"<title>{html.escape(title)}</title>" in page


def caption(name, **snakemake):
    """A caption as Snakemake makes it: a template, then reStructuredText; and what docutils says."""
    source = (ROOT / f"workflow/report/{name}.rst").read_text(encoding="utf-8")
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    text = environment.from_string(source).render(snakemake=snakemake)
    return publish_parts(text, writer="html", settings_overrides={"report_level": 1})["html_body"]


@pytest.mark.parametrize("text", HOSTILE)
def test_the_reports_description_shows_any_title_as_it_is(text):
    page = caption("study", config={"title": text})
    assert set(re.findall(r"<([a-z0-9]+)", page)) == {"div", "p"}  # no markup, and no complaint
    said = html.unescape(re.sub(r"<[^>]*>", "", page))
    assert said.strip().startswith(f"{on_one_line(text)}: writer-dependent")


@pytest.mark.parametrize("name", ["mine_", "a__b", "_x_", "a-b--c"])
def test_captions_take_any_name_of_a_set_or_model(name):
    wildcards = {"name": name, "model": name, "references": "12"}
    settings = {"settings": {"student": name}}
    for figure in ("correlations", "curves", "features", "hardest", "pipeline"):
        page = caption(figure, wildcards=wildcards, params=settings)
        assert "system-message" not in page and "problematic" not in page
        assert name in html.unescape(re.sub(r"<[^>]*>", "", page))


def test_latex_prints_any_text(tmp_path):
    if not shutil.which("pdflatex"):
        pytest.skip("pdflatex is not installed")
    texts = [text for text in HOSTILE if text.isascii()]
    rows = "".join(rf"\caption{{{escape_latex(text)}}}" + "\n" for text in texts)
    (tmp_path / "all.tex").write_text(
        r"\documentclass{article}\usepackage[T1]{fontenc}\begin{document}\begin{table}"
        + rows
        + r"\end{table}\end{document}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert "/etc/passwd" not in re.findall(r"\(([^\s()]+)", done.stdout)
    written = (tmp_path / "all.aux").read_text()
    assert written.count("contentsline {table}") == len(texts)
