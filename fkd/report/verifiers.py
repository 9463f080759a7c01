"""Tables of verifiers: rates across sets, and what thresholds set beforehand and evidence are worth."""

from pathlib import Path
from typing import Any

import pandas as pd

from fkd.report.wording import leaks_in_words
from fkd.storage.atomic import writing
from fkd.study.markup import escape_markdown
from fkd.study.models import in_order, label
from fkd.study.students import Student
from fkd.study.summary import read_rates, read_splits
from fkd.verification.judging import A_POSTERIORI, EVIDENCE

VERIFIERS = {
    "wd": "writer-dependent",
    "wi": "writer-independent",
    "cosine": "cosine distance",
    "euclidean": "Euclidean distance",
}
"""The verifiers, in the order of the tables, with their names for readers."""

_AIMS = {
    "EER": "the threshold of equal errors of the development writers",
    "FAR 1 %": "the threshold at which 1 % of the development writers' forgeries are accepted",
    "FAR 0.1 %": "the threshold at which 0.1 % of the development writers' forgeries are accepted",
}
_RATES = ("FRR", "FAR_skilled", "FAR_random", "HTER")


def write_across(
    *,
    metrics: list[Path],
    csv: Path,
    markdown: Path,
    title: str,
    students: dict[str, Student],
    leaks: Path | None = None,
) -> None:
    """Write the table of error rates across sets: models by judged sets, verifiers and NREF.

    Parameters
    ----------
    metrics : list of Path
        The CSV files of :func:`fkd.verification.evaluate_wd` and ``evaluate_wi``.
    csv : Path
        One row per model, set, verifier and number of references: the mean over the splits of
        ``EER_userthresholds`` and ``EER``, in percent.
    markdown : Path
        The table for readers.
    title : str
        The study's title.
    students : dict of str to Student
        The students of the study.
    leaks : Path, optional
        The CSV file of :func:`fkd.signatures.check.check_signatures`. What leaked stands under the
        table.
    """
    # Files of the writer-dependent verifier have the published columns and do not name it.
    found = (read_splits([path]) for path in metrics)
    named = (one if "verifier" in one else one.assign(verifier="wd") for one in found)
    splits = pd.concat(named, ignore_index=True)
    keys = ["set", "verifier", "references", "model"]
    rates = ["EER_userthresholds", "EER"]
    means = (100 * splits.groupby(keys)[rates].mean()).reset_index()
    means = _sorted(means, ["set", "verifier", "references", "model"])
    means["label"] = [label(model, students) for model in means["model"]]
    with writing(csv) as part:
        means.to_csv(part, index=False)
    parts = [f"# {escape_markdown(title)}: across sets", ""]
    for rate, threshold in zip(
        rates, ("a threshold for each writer", "one threshold"), strict=True
    ):
        columns = [
            f"{escape_markdown(row.set)}, {row.verifier}, NREF {row.references}"
            for row in means.itertuples()
        ]
        table = means.assign(
            column=columns,
            cell=means[rate].map("{:.2f}".format),
            model=means["label"].map(escape_markdown),
        )
        wide = table.pivot(index="model", columns="column", values="cell")
        wide = wide.loc[list(dict.fromkeys(table["model"])), list(dict.fromkeys(columns))]
        parts += [
            f"## EER (%) with {threshold}, a posteriori",
            "",
            wide.fillna("not evaluated").to_markdown(disable_numparse=True),
            "",
        ]
    named = [f"{name}: {VERIFIERS[name]}" for name in dict.fromkeys(means["verifier"])]
    parts += [
        f"{'; '.join(named)}. Means over the random splits. Thresholds are chosen on the same "
        "scores whose errors are counted.",
        "",
        *leaks_in_words(leaks),
    ]
    with writing(markdown) as part:
        part.write_text("\n".join(parts), encoding="utf-8")


def write_verifiers(
    *,
    evidence: list[Path],
    csv: Path,
    markdown: Path,
    title: str,
    students: dict[str, Student],
    development: list[str],
    learned: list[str],
    replicates: int = 1,
    leaks: Path | None = None,
) -> None:
    """Write the table of thresholds set beforehand and of evidence.

    Parameters
    ----------
    evidence : list of Path
        The CSV files of :func:`fkd.verification.judge_verifier`.
    csv : Path
        All of their rows.
    markdown : Path
        The tables for readers.
    title : str
        The study's title.
    students : dict of str to Student
        The students of the study.
    development : list of str
        The sets on whose writers thresholds and calibrations were set.
    learned : list of str
        The sets from which the teacher learned.
    replicates : int
        The number of seeds under which students were trained.
    leaks : Path, optional
        The CSV file of :func:`fkd.signatures.check.check_signatures`. What leaked stands under the
        table.
    """
    rows = pd.concat([read_rates(path) for path in evidence], ignore_index=True)
    rows = _sorted(rows, ["set", "references", "model", "verifier"])
    with writing(csv) as part:
        rows.to_csv(part, index=False)
    parts = [f"# {escape_markdown(title)}: thresholds set beforehand, and evidence", ""]
    for (name, references), group in rows.groupby(["set", "references"], sort=False):
        summary, rates = [], []
        for (model, verifier), cells in group.groupby(["model", "verifier"], sort=False):
            place = {"model": escape_markdown(label(model, students)), "verifier": verifier}
            value = {(row.aim, row.rate): row for row in cells.itertuples()}
            summary.append(place | _summary(value))
            rates += [place | _at_threshold(value, aim) for aim in _AIMS]
        place = f"{escape_markdown(name)}, NREF {references}"
        parts += [
            f"## {place}",
            "",
            pd.DataFrame(summary).to_markdown(index=False, disable_numparse=True),
            "",
            f"## {place}: rates at thresholds set beforehand",
            "",
            pd.DataFrame(rates).to_markdown(index=False, disable_numparse=True),
            "",
        ]
    parts += [*_notes(development, learned, replicates), *leaks_in_words(leaks)]
    for note in dict.fromkeys(note for note in rows["note"] if note):
        parts += [escape_markdown(note), ""]
    with writing(markdown) as part:
        part.write_text("\n".join(parts), encoding="utf-8")


def _sorted(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Sort a table by some columns: models and verifiers in the order of all tables."""
    order = {"model": in_order(set(table["model"])), "verifier": list(VERIFIERS)}
    return table.sort_values(
        columns,
        key=lambda column: column.map(order[column.name].index) if column.name in order else column,
        kind="stable",
    )


Cells = dict[tuple[str, str], Any]
"""The rows of one verifier by aim and rate."""


def _summary(value: Cells) -> dict[str, str]:
    """Set the error at a threshold set beforehand beside the a posteriori one, and the evidence."""
    return {
        "EER a posteriori": _percent(value[A_POSTERIORI, "EER"]),
        "HTER beforehand": _percent(value["EER", "HTER"]),
        "Cllr": _bits(value[EVIDENCE, "Cllr"]),
        "Cllr min": _bits(value[EVIDENCE, "Cllr_min"]),
    }


def _at_threshold(value: Cells, aim: str) -> dict[str, str]:
    """List the rates at one threshold."""
    rates = {rate.replace("_", " "): _percent(value[aim, rate]) for rate in _RATES}
    return {"threshold": aim} | rates


def _percent(row) -> str:
    ends = "" if pd.isna(row.low) else f" ({100 * row.low:.2f} to {100 * row.high:.2f})"
    return f"{100 * row.value:.2f}{ends}"


def _bits(row) -> str:
    return f"{row.value:.3f} ({row.low:.3f} to {row.high:.3f})"


def _notes(development: list[str], learned: list[str], replicates: int) -> list[str]:
    """Say what the columns are, and what their intervals hold."""
    notes = [
        "Rates in percent, in parentheses 95 % intervals over writers, both the development writers "
        "and the judged ones. The EER is at a threshold chosen a posteriori, on the judged scores. "
        "All other rates are at thresholds set beforehand, on development writers of "
        f"{', '.join(map(escape_markdown, development))}: "
        + "; ".join(f"{aim}, {meaning}" for aim, meaning in _AIMS.items())
        + ". HTER is the mean of FRR and FAR skilled; HTER beforehand is that at the threshold EER.",
        "",
        "Cllr is the cost of the likelihood ratios in bits: 0 for perfect evidence, 1 for none. "
        "Cllr min is what the scores could give with a perfect calibration; the difference is the "
        "fault of the calibration.",
        "",
        f"Rates are means over {replicates} training seeds, which the intervals draw anew, too."
        if replicates > 1
        else "Each model was trained once, from one seed, so the intervals do not hold the noise of "
        "training.",
        "",
    ]
    both = sorted(set(development) & set(learned))
    if both:
        notes += [
            f"The teacher has learned from writers of {', '.join(map(escape_markdown, both))}, on "
            "whom its thresholds were set, so these are lower than they would be on others.",
            "",
        ]
    return notes
