"""Descriptions of tables: losses, error rates, lists of pages and of what was set aside."""

import csv
import math
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fkd.counting import counted
from fkd.errors import FkdError
from fkd.inspection import pictures
from fkd.inspection.finding import Finding, plain
from fkd.storage.files import printable
from fkd.storage.quarantine import PASSED_OVER
from fkd.storage.shards import MEND

LARGEST = 1 << 28
"""The largest number of bytes of a table that is read."""

Rows = list[dict[str, str]]
"""The rows of a table, each with its fields by column."""

Told = tuple[list[str], Callable[[Path], None] | None]
"""The facts of a table, and a function that draws it."""


@dataclass(frozen=True)
class Table:
    """A table that a study writes.

    Attributes
    ----------
    needs : collection of str
        The columns by which the table is recognized.
    what : str
        What the table is and what made it, in sentences.
    tell : callable, optional
        A function that finds facts in the rows, and gives another that draws them.
    """

    needs: Collection[str]
    what: str
    tell: Callable[[Rows], Told] | None = None


def describe_table(file: Path) -> Finding:
    """Describe a table of a study, or the columns of a table from elsewhere."""
    rows, columns = _read(file)
    table = next((t for t in TABLES if set(t.needs) <= set(columns)), OTHER)
    finding = Finding(
        file, table.what, verdict="Every row has as many fields as there are columns."
    )
    if table.tell and rows:
        try:
            finding.facts, finding.draw = table.tell(rows)
        except (ValueError, KeyError) as error:
            raise FkdError(
                f"{printable(file)}: has the columns of such a table: {table.what} But a value "
                f"in it does not fit ({plain(error)}). {MEND}"
            ) from None
    finding.facts += [f"{counted(len(rows), 'row')}."] if not finding.facts else []
    finding.columns = ("column", "first row", "last row")
    finding.rows = [
        (name, rows[0][name] if rows else "", rows[-1][name] if rows else "") for name in columns
    ]
    return finding


def _read(file: Path) -> tuple[Rows, list[str]]:
    if file.stat().st_size > LARGEST:
        raise FkdError(
            f"{printable(file)}: larger than {LARGEST:,} bytes, which no table of a study is. "
            "Give a smaller part of it."
        )
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            delimiter = "\t" if file.suffix.lower() == ".tsv" else ","
            table = list(csv.reader(stream, delimiter=delimiter, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FkdError(
            f"{printable(file)}: not a table in UTF-8 text ({plain(error)}). Expected one with a "
            "row of names on top."
        ) from None
    if not table or not all(table[0]) or len(set(table[0])) < len(table[0]):
        raise FkdError(
            f"{printable(file)}: its first row does not name each column once. Expected a row of "
            "different names on top."
        )
    columns = table[0]
    for number, row in enumerate(table[1:], start=2):
        if len(row) != len(columns):
            raise FkdError(
                f"{printable(file)}: row {number} has {counted(len(row), 'field')}, expected "
                f"{len(columns)}, as the names on top are."
            )
    return [dict(zip(columns, row, strict=True)) for row in table[1:]], columns


def _number(text: str) -> float:
    """Read a number, or NaN from an empty field."""
    return float(text) if text else math.nan


def _losses(rows: Rows) -> Told:
    log = [
        {key: value if key == "subset" else _number(value) for key, value in row.items()}
        for row in rows
    ]
    facts = [f"{counted(int(log[-1]['epoch']), 'epoch')}."]
    for subset in dict.fromkeys(row["subset"] for row in log):
        of_subset = [row for row in log if row["subset"] == subset]
        first, last = of_subset[0], of_subset[-1]
        facts.append(
            f"{plain(subset).capitalize()}, {last['images']:,.0f} images: the total loss went from "
            f"{first['total']:.3g} to {last['total']:.3g}; at the end the writer is recognized in "
            f"{last['accuracy']:.1%} of the images."
        )
    return facts, partial(pictures.draw_losses, log)


def _metrics(rows: Rows) -> Told:
    eer = [100 * _number(row["EER_userthresholds"]) for row in rows]
    mean = sum(eer) / len(eer)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in eer) / len(eer))
    first = rows[0]
    facts = [
        f"The model {plain(first['model'])} on the set {plain(first['set'])}, "
        f"{plain(first['references'])} references a writer, {counted(len(rows), 'split')}.",
        f"EER with a threshold for each writer: {mean:.2f} ± {deviation:.2f} %; all thresholds "
        "are a posteriori.",
    ]
    rates = ("EER_userthresholds", "EER", "FRR", "FAR_skilled", "FAR_random")
    drawn = {rate: [100 * _number(row[rate]) for row in rows] for rate in rates}
    return facts, partial(pictures.draw_rates, drawn)


def _eer(rows: Rows) -> Told:
    groups: dict[str, list[tuple[str, float, float]]] = {}
    for row in rows:
        found = (_number(row[f"EER_userthresholds_{what}"]) for what in ("mean", "sd"))
        group = f"{row['set']}, {row['references']} references"
        groups.setdefault(plain(group), []).append((plain(row["label"]), *found))
    facts = [
        f"{counted(len({row['model'] for row in rows}), 'model')} on "
        f"{counted(len({row['set'] for row in rows}), 'set')}."
    ]
    for group, found in groups.items():
        name, mean, deviation = min(found, key=lambda item: item[1])
        facts.append(f"{group}: lowest is {name}, {mean:.2f} ± {deviation:.2f} %.")
    facts.append("EER with a threshold for each writer; all thresholds are a posteriori.")
    return facts, partial(pictures.draw_eer, groups)


def _evidence(rows: Rows) -> Told:
    value = {(row["aim"], row["rate"]): _number(row["value"]) for row in rows}
    first = rows[0]
    facts = [
        f"The verifier {plain(first['verifier'])} of the model {plain(first['model'])} on the set "
        f"{plain(first['set'])}, {plain(first['references'])} references a writer."
    ]
    for aim, rate in value:
        if rate == "HTER":
            rates = (f"{name} {value[aim, name]:.2%}" for name in ("FRR", "FAR_skilled", "HTER"))
            facts.append(f"At the threshold {plain(aim)}: {', '.join(rates)}.")
    costs = (f"{name} {number:.3f}" for (_, name), number in value.items() if "Cllr" in name)
    return [*facts, f"{', '.join(costs)} bits."], None


def _differences(rows: Rows) -> Told:
    first, facts = rows[0], []
    for row in rows:
        name = plain(row["model"])
        name += f" less {plain(row['versus'])}" if row["versus"] else ""
        ends = (f"{100 * _number(row[end]):.2f}" for end in ("value", "low", "high"))
        facts.append("{}, {}: {} ({} to {}) %.".format(name, plain(row["rate"]), *ends))
    place = f"{plain(first['set'])}, {plain(first['references'])} references a writer"
    return [f"On the set {place}, in parentheses 95 % intervals over writers.", *facts], None


def _pages(rows: Rows) -> Told:
    pages, shards = Counter(row["writer"] for row in rows), {row["shard"] for row in rows}
    shares = [_number(row["validation_share"]) for row in rows]
    facts = [
        f"{counted(len(rows), 'page')} of {counted(len(pages), 'writer')}, in "
        f"{counted(len(shards), 'shard')}.",
        f"{counted(sum(share == 1 for share in shares), 'page')} for validation, "
        f"{sum(0 < share < 1 for share in shares)} shared by lines.",
    ]
    return facts, partial(
        pictures.draw_counts, Counter(pages.values()), "pages of a writer", "writers"
    )


def _set_aside(rows: Rows) -> Told:
    passed = sum(row["reason"].startswith(PASSED_OVER) for row in rows)
    reasons = Counter(plain(row["reason"]).removeprefix(PASSED_OVER) for row in rows)
    facts = [f"{counted(len(rows) - passed, 'file')} set aside, {passed} passed over."]
    facts += [f"{count}: {reason}" for reason, count in reasons.most_common(5)]
    return facts, None


def _benchmark(rows: Rows) -> Told:
    facts = [
        f"It took {_number(row['s']):.1f} s and {row['max_rss']} MB of memory at most."
        for row in rows
    ]
    return facts, None


TABLES = (
    Table(
        ("epoch", "subset", "images", "total", "accuracy"),
        "The terms of a loss by epoch, before they are weighted. Made by train_student or "
        "train_teacher.",
        _losses,
    ),
    Table(
        ("model", "set", "references", "split", "FRR", "FAR_skilled", "FAR_random", "EER"),
        "Error rates of one model in each split, as shares. Made by evaluate_wd.",
        _metrics,
    ),
    Table(
        ("set", "references", "model", "label", "EER_userthresholds_mean", "EER_mean"),
        "The study's table: error rates of all models, mean and standard deviation over the "
        "splits, in percent. Made by tables.",
        _eer,
    ),
    Table(
        ("model", "set", "verifier", "references", "aim", "rate", "value"),
        "What verifiers are worth at thresholds set beforehand, and their evidence, as shares and "
        "bits. Made by judge_verifier or write_verifiers.",
        _evidence,
    ),
    Table(
        ("set", "references", "model", "seeds", "rate", "versus", "value"),
        "Rates of models and their differences over writers and seeds, as shares. Made by "
        "compare_models.",
        _differences,
    ),
    Table(
        ("set", "verifier", "references", "model", "EER_userthresholds", "EER"),
        "Error rates of all models across sets and verifiers, in percent. Made by write_across.",
    ),
    Table(
        ("page", "writer", "file", "shard", "validation_share"),
        "The pages of handwriting, and how they are divided. Made by list_pages.",
        _pages,
    ),
    Table(
        ("file", "reason"),
        "What a stage set aside or passed over, with the reason.",
        _set_aside,
    ),
    Table(
        ("s", "h:m:s", "max_rss", "cpu_time"),
        "Time and memory of a job. Measured by Snakemake.",
        _benchmark,
    ),
    Table(
        ("images of", "count", "height_p50"),
        "Ink of text crops and of genuine signatures: 5th, 50th and 95th percentile of its box, in "
        "pixels. Made by compare_appearance.",
    ),
    Table(
        ("set", "signatures", "accuracy"),
        "How surely drawn signatures are told from those of each set, 0.5 if they are alike, and the "
        "median of what is measured of each. Made by compare_drawn.",
    ),
    Table(
        ("stage", "jobs", "time (s)"),
        "Where the time of a run went, by stages. Made by run_times.",
    ),
    Table(
        ("filename", "1"),
        "Features of single images, an element a column. Made by python -m fkd features.",
    ),
)
"""The tables that a study writes."""

OTHER = Table((), "A table of which this command knows no more than its columns.")
"""Any other table."""
