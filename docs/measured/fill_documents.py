"""Documents whose measured parts a rule fills, and which show where a hand has been.

A part stands between ``<!-- begin: PATH DIGEST -->`` and ``<!-- end -->``. PATH names the
file of results that it shows: Markdown is copied, its headings made smaller; a figure is
copied to the folder of figures and shown. DIGEST is drawn from what stands there.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from fkd.errors import FkdError
from fkd.logs import stage
from fkd.storage.atomic import writing

_PART = re.compile(
    r"<!-- begin: (?P<path>\S+)(?: (?P<digest>[0-9a-f]{16}))? -->\n"
    r"(?P<content>.*?)\n?<!-- end -->",
    re.DOTALL,
)

FIGURES = (".png", ".svg")


class Part(NamedTuple):
    """A part of a document between its markers.

    Attributes
    ----------
    path : str
        The file that it shows.
    digest : str or None
        As it stands in the marker; None where it was never filled.
    content : str
        What stands there.
    """

    path: str
    digest: str | None
    content: str


def parts_of(document: Path) -> Iterator[Part]:
    """Find the parts of a document that a rule fills."""
    for found in _PART.finditer(Path(document).read_text(encoding="utf-8")):
        yield Part(found["path"], found["digest"], found["content"].strip("\n"))


def drifted(document: Path) -> list[str]:
    """Name the parts of a document that are not as they were filled.

    Parameters
    ----------
    document : Path
        A Markdown file; figures are looked for from its folder on.

    Returns
    -------
    list of str
        Their paths.
    """
    folder = Path(document).parent
    return [
        part.path for part in parts_of(document) if part.digest != _digest(part.content, folder)
    ]


def fill_documents(*, documents: list[Path], parts: list[Path], figures: Path) -> None:
    """Fill the parts of documents from the results of studies.

    Parameters
    ----------
    documents : list of Path
        Markdown files, changed in place.
    parts : list of Path
        The files that they show, by the paths that their markers name.
    figures : Path
        Folder to which figures are copied.

    Raises
    ------
    FkdError
        Where a marker names another file, or a file is named by none.
    """
    sources = {path.as_posix(): path for path in map(Path, parts)}
    named = {part.path for document in documents for part in parts_of(document)}
    for what, paths in (
        ("a marker names {}, which the rule does not give", named - set(sources)),
        ("no marker names {}", set(sources) - named),
    ):
        if paths:
            places = ", ".join(str(document) for document in documents)
            raise FkdError(f"{places}: {what.format(', '.join(sorted(paths)))}.")
    for document in map(Path, documents):
        fill = partial(_filled, sources=sources, document=document, figures=Path(figures))
        text = _PART.sub(fill, document.read_text(encoding="utf-8"))
        with writing(document) as part:
            part.write_text(text, encoding="utf-8")


def _filled(found: re.Match, sources: Mapping[str, Path], document: Path, figures: Path) -> str:
    """Give a part anew, with its markers."""
    path, source = found["path"], sources[found["path"]]
    if source.suffix in FIGURES:
        copy = figures / source.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
        words = re.match(r"!\[(?P<words>[^]]*)\]", found["content"].strip())
        place = os.path.relpath(copy, document.parent)
        content = f"![{words['words'] if words else source.stem}]({place})"
    else:
        text = source.read_text(encoding="utf-8").strip()
        content = re.sub(r"^(?=#)", "##", text, flags=re.MULTILINE)
    digest = _digest(content, document.parent)
    return f"<!-- begin: {path} {digest} -->\n\n{content}\n\n<!-- end -->"


def _digest(content: str, folder: Path) -> str:
    """Digest a part, and the figure that it shows."""
    state = hashlib.blake2b(content.encode(), digest_size=8)
    for place in re.findall(r"!\[[^]]*\]\(([^)]+)\)", content):
        figure = folder / place
        state.update(figure.read_bytes() if figure.is_file() else b"missing")
    return state.hexdigest()


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        fill_documents(
            documents=[Path(path) for path in snakemake.output],
            parts=[Path(path) for path in [*snakemake.input.parts, *snakemake.input.described]],
            figures=Path(snakemake.params.figures),
        )
