"""Markdown as HTML pages, the form in which the report contains the tables."""

import html
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt

from fkd.storage.atomic import writing

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff;
       max-width: 75em; margin: 1.5em auto; padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums;
        display: block; overflow-x: auto; }
th, td { padding: 0.25em 0.8em; border-bottom: 1px solid #ddd; text-align: left;
         white-space: nowrap; }
th { border-bottom: 2px solid #888; }
"""


def write_hypertext(*, markdown: Path, out: Path) -> None:
    """Write a Markdown file as a self-contained HTML page.

    Parameters
    ----------
    markdown : Path
        CommonMark with tables. Any HTML in it is shown as plain text.
    out : Path
        The page. Its title is the first heading, or the name of the file if there is none.
    """
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = renderer.parse(Path(markdown).read_text(encoding="utf-8"))
    headings = [
        "".join(part.content for part in inline.children)
        for token, inline in pairwise(tokens)
        if token.type == "heading_open"
    ]
    title = headings[0] if headings else Path(markdown).stem
    with writing(out) as part:
        part.write_text(
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
            f"{renderer.renderer.render(tokens, renderer.options, {})}</body>\n</html>\n",
            encoding="utf-8",
        )
