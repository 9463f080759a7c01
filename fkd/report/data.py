"""The table of a study's data: text and sets of signatures, counted."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fkd.layouts import SYNTHETIC
from fkd.signatures.plausibility import SIGNS
from fkd.storage import shards
from fkd.storage.atomic import writing
from fkd.storage.files import natural_order
from fkd.storage.quarantine import Quarantine
from fkd.study.markup import escape_markdown
from fkd.verification.protocol import Protocol
from fkd.verification.writers import judged_writers

TEXT, SIGNATURES = "text", "signatures"
"""The two kinds of data."""

TEXT_ROW = (TEXT, TEXT)
"""Kind and name of the row of the text in :func:`read_data`."""

TRAINS, SETS, JUDGES = "training the teacher", "setting thresholds", "verification"
"""How the table names the uses of sets."""

NAMED = 5
"""The largest number of writers who are named where some are left out."""

_TEXT_COLUMNS = {
    "layout": "layout",
    "pages": "pages",
    "writers": "writers",
    "training": "crops for training",
    "validation": "for validation",
    "set_aside": "set aside",
}
_SET_COLUMNS = {
    "name": "set",
    "layout": "layout",
    "use": "used for",
    "writers": "writers",
    "genuine": "genuine",
    "skilled": "skilled forgeries",
    "copies": "copies of one image",
    "doubtful": "doubtful images",
    "set_aside": "set aside",
}
_COLUMNS = ["kind", *dict.fromkeys(["name", *_TEXT_COLUMNS, *_SET_COLUMNS])]


def describe_data(
    *,
    pages: Path | None,
    crops: list[Path],
    text_aside: Path | None,
    signatures: list[Path],
    signatures_aside: list[Path],
    text_layout: str | None,
    layouts: dict[str, str],
    development: list[str],
    thresholds: list[str] | None = None,
    protocols: dict[str, list[Protocol]] | None = None,
    csv: Path,
    markdown: Path,
) -> None:
    """Count the data that a study learned from and was judged on.

    Parameters
    ----------
    pages : Path or None
        List of pages of :func:`fkd.text.pages.list_pages`; None for a study without text.
    crops : list of Path
        Shards of kind "crops".
    text_aside : Path or None
        CSV of the text that was set aside.
    signatures : list of Path
        Shards of kind "signatures".
    signatures_aside : list of Path
        For each of `signatures`, a CSV of the files that were set aside.
    text_layout : str or None
        The config's ``pages.layout``.
    layouts : dict of str to str
        The layout of each set of signatures, by the set's name in the config.
    development : list of str
        Sets that train the teacher.
    thresholds : list of str, optional
        Sets on whose writers thresholds are set.
    protocols : dict of str to list of Protocol, optional
        The protocols of each judged set. Writers whom they leave out are named.
    csv : Path
        One row for the text, if there is any, and one for each set: ``kind`` (text or signatures), ``name``,
        ``layout``, counts of ``pages``, ``writers``, crops for ``training`` and
        ``validation``, files ``set_aside``, ``use``, ``genuine``, ``skilled``, and
        ``copies``, the signatures with the same image as an earlier one of the set, and
        ``doubtful``, the images with signs that they are not one whole signature. A cell
        that does not apply to a kind is empty.
    markdown : Path
        The same as tables for readers.
    """
    rows = []
    if pages is not None:
        rows.append(_text(pages, crops, text_aside) | {"layout": text_layout})
    thresholds, protocols, left_out = thresholds or [], protocols or {}, []
    for path, aside in zip(signatures, signatures_aside, strict=True):
        row = _set(path, aside)
        name = row["name"]
        uses = {TRAINS: name in development, SETS: name in thresholds, JUDGES: name in protocols}
        use = ", ".join(use for use, is_so in uses.items() if is_so) or JUDGES
        rows.append(row | {"layout": layouts[name], "use": use})
        left_out += _left_out(path, protocols.get(name, []))
    table = pd.DataFrame(rows, columns=_COLUMNS)
    with writing(csv) as part:
        table.convert_dtypes().to_csv(part, index=False)
    parts = ["# Data"]
    drawn = drawn_data(table.set_index(["kind", "name"]))
    if drawn:
        parts.append(
            f"**Synthetic data, drawn by a program: {escape_markdown(', '.join(drawn))}.**"
        )
    if pages is not None:
        parts += ["## Handwritten text", _in_markdown(table[table["kind"] == TEXT], _TEXT_COLUMNS)]
    parts += ["## Signatures", _in_markdown(table[table["kind"] == SIGNATURES], _SET_COLUMNS)]
    parts.append(
        "Set aside: files, and of text also crops, that are unreadable, too large or without "
        "ink, or that fit no layout. Copies of one image stay in a set, and so do doubtful images, "
        "which may hold more or less than one signature; the log of prepare_signatures names the "
        "first of each kind."
    )
    parts += map(escape_markdown, left_out)
    with writing(markdown) as part:
        part.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def read_data(path: Path) -> pd.DataFrame:
    """Read the CSV of :func:`describe_data`, indexed by kind and name."""
    texts = dict.fromkeys(("kind", "name", "layout", "use", "doubtful"), str)
    table = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""])
    return table.set_index(["kind", "name"])


def count_signatures(path: Path) -> dict[str, Any]:
    """Count a prepared set: its ``name``, ``writers``, and ``genuine`` and ``skilled`` signatures.

    Parameters
    ----------
    path : Path
        Shard of kind "signatures".
    """
    shard = shards.read(path, "signatures", ["writer", "forgery"])
    forgery = shard["forgery"].astype(bool)
    return {
        "name": shard.attributes["set"],
        "writers": len(set(shard["writer"])),
        "genuine": int((~forgery).sum()),
        "skilled": int(forgery.sum()),
    }


def is_drawn(row: pd.Series) -> bool:
    """Whether a program drew the data of a row of :func:`read_data`."""
    return row["layout"] == SYNTHETIC


def drawn_data(rows: pd.DataFrame) -> list[str]:
    """Name the data that a program drew, such as ``text`` and ``set cedar``.

    Parameters
    ----------
    rows : DataFrame
        The table of :func:`read_data`.
    """
    return [
        TEXT if kind == TEXT else f"set {name}"
        for (kind, name), row in rows.iterrows()
        if is_drawn(row)
    ]


def _text(pages: Path, crops: list[Path], aside: Path) -> dict:
    """Count the pages and text crops."""
    listed = pd.read_csv(pages, dtype={"writer": str, "page": str}, keep_default_na=False)
    validation = [
        shards.read(path, "crops", ["validation"])["validation"].astype(bool) for path in crops
    ]
    count, held_out = sum(map(len, validation)), int(sum(part.sum() for part in validation))
    return {
        "kind": TEXT,
        "name": TEXT,
        "pages": listed["page"].nunique(),
        "writers": listed["writer"].nunique(),
        "training": count - held_out,
        "validation": held_out,
        "set_aside": len(Quarantine.read(aside)),
    }


def _set(path: Path, aside: Path) -> dict:
    """Count the signatures of a set."""
    shard = shards.read(path, "signatures", ["copy_of"])
    copy_of, doubtful = shard["copy_of"], shard.attributes.get("doubtful", {})
    signs = [f"{count} with {SIGNS[sign]}" for sign, count in doubtful.items()]
    return {
        "kind": SIGNATURES,
        **count_signatures(path),
        "copies": int((copy_of < np.arange(len(copy_of))).sum()),
        "doubtful": "; ".join(signs) or "0",
        "set_aside": len(Quarantine.read(aside)),
    }


def _left_out(path: Path, protocols: list[Protocol]) -> list[str]:
    """Say which writers have too few signatures for a protocol that leaves such writers out."""
    if all(protocol.writers == "all" for protocol in protocols):
        return []
    shard = shards.read(path, "signatures", ["writer", "forgery"])
    names, y = np.unique(shard["writer"].astype(str), return_inverse=True)
    said = []
    for protocol in protocols:
        judged = judged_writers(y, shard["forgery"], protocol)
        out = sorted(set(names) - set(names[judged]), key=natural_order)
        if out:
            more = f" and {len(out) - NAMED} more" if len(out) > NAMED else ""
            said.append(
                f"Of {shard.attributes['set']}, {len(out)} of {len(names)} writers have too few "
                f"signatures for {protocol.references} references and are left out: "
                f"{', '.join(out[:NAMED])}{more}."
            )
    return said


def _in_markdown(rows: pd.DataFrame, headings: dict[str, str]) -> str:
    """Give some columns as a Markdown table, under headings for readers."""
    cells = rows[list(headings)].map(
        lambda x: escape_markdown(x) if isinstance(x, str) else f"{x:,.0f}"
    )
    return cells.rename(columns=headings).to_markdown(index=False, disable_numparse=True)
