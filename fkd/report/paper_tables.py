"""Tables 4, 5 and 7 of the paper, with the published values beside the study's.

Every threshold is a posteriori, in the paper and here.
"""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from fkd.errors import FkdError
from fkd.report.published import (
    NO_DATA,
    NOT_EVALUATED,
    NOT_TRAINED,
    OTHER_SETTINGS,
    SETS,
    SPLITS,
    TESTS,
    beside_published,
)
from fkd.report.tables import warning
from fkd.report.typeset import Rate, Sheet, escape_markdown
from fkd.report.wording import several
from fkd.storage.atomic import writing
from fkd.study.students import PAPER, Student
from fkd.study.summary import SIGNIFICANCE

RATES = {
    "FRR": "FRR",
    "FAR_skilled": "FAR skilled",
    "EER": "EER, global",
    "EER_userthresholds": "EER, user",
    "mean_AUC": "AUC",
}
"""The rates of Table 7, in percent, by their names in the metrics."""

CAPTIONS = {
    4: "EER (%) with user thresholds of SigNet students",
    5: "EER (%) with user thresholds of ResNet-18 students",
    7: "Error rates and AUC (%) by number of references",
}
"""What each table shows."""

MARKS = dict(zip(TESTS, "*†‡", strict=True))


def make_paper_table(
    *,
    table: int,
    metrics: list[Path],
    csv: Path,
    markdown: Path,
    latex: Path,
    title: str,
    students: dict[str, dict],
    synthetic: list[str],
) -> None:
    """Write one of the paper's tables, published values and the study's.

    Parameters
    ----------
    table : {4, 5, 7}
        Its number in the paper.
    metrics : list of Path
        CSV files of :func:`fkd.verification.stage.evaluate_wd`.
    csv : Path
        One row a value, at full precision: see :func:`fkd.report.published.beside_published`.
    markdown : Path
        The table for readers.
    latex : Path
        The same to ``\\input`` in a paper that uses booktabs and graphicx. Table 7 is
        parted by sets.
    title : str
        What the study is.
    students : dict of str to dict
        The students of the study, as :meth:`fkd.study.students.Student.to_dict` gives them.
    synthetic : list of str
        What of the data is drawn and not real, such as ``text``.

    Raises
    ------
    FkdError
        Where `table` is another.
    """
    if table not in CAPTIONS:
        raise FkdError(f"table: {table} is none of {', '.join(map(str, CAPTIONS))}.")
    splits = pd.concat([pd.read_csv(path) for path in metrics], ignore_index=True)
    specs = {name: Student.from_dict(spec) for name, spec in students.items()}
    values = beside_published(table, splits, specs)
    with writing(csv) as part:
        values.to_csv(part, index=False)
    caption, notes = f"{CAPTIONS[table]}, published and ours", _notes(table, values)
    if table == 7:
        sheets = {
            name: _by_references(of_set) for name, of_set in values.groupby("set", sort=False)
        }
    else:
        sheets = {"": _by_student(values)}
    warned = [warning(synthetic)] if synthetic else []
    parts = [f"# {caption} (Table {table})", f"Ours: {title}.", *(f"**{w}**" for w in warned)]
    typeset = []
    for name, sheet in sheets.items():
        parts += [f"## {_shown(name)}"] * bool(name) + [sheet.markdown()]
        of_set = f"{caption}, {_shown(name)}" if name else caption
        key = f"tab:fkd-table{table}{'-' * bool(name)}{name}"
        typeset.append(sheet.latex(f"{of_set}. {' '.join(warned)}".strip(), key, notes))
    with writing(markdown) as part:
        text = "\n\n".join([*parts, "\n".join(f"- {escape_markdown(note)}" for note in notes)])
        part.write_text(text + "\n", encoding="utf-8")
    with writing(latex) as part:
        part.write_text("\n".join(typeset), encoding="utf-8")


def _shown(name: str) -> str:
    return SETS.get(name, name)


def _has_data(values: pd.DataFrame) -> bool:
    return not values["missing"].str.endswith(NO_DATA).all()


def _sources(values: pd.DataFrame) -> list[str]:
    """Whose values of a set there are."""
    return ["published"] * (values["set"].iloc[0] in SETS) + ["ours"] * _has_data(values)


def _by_student(values: pd.DataFrame) -> Sheet:
    """Tables 4 and 5: students by sets."""
    columns = [("", name) for name in ("model", "l₁", "l₂", "g", "c")]
    models = dict(zip(values["model"], values["label"], strict=True))
    # A student goes without its network, which is that of the whole table.
    rows = [
        [text.partition(" ")[2] if model in PAPER else text, *_weights(model)]
        for model, text in models.items()
    ]
    for (name, references), of_set in values.groupby(["set", "references"], sort=False):
        for what in _sources(of_set):
            columns.append((f"{_shown(name)}, NREF {references}", what))
            cells = _cells(of_set, what)
            for row, model in zip(rows, models, strict=True):
                row.append(cells[model])
    return Sheet(columns, rows, {2})


def _weights(model: str) -> list[str]:
    """Give l1, l2, g and c of a student; a model without a loss has none."""
    student = PAPER.get(model)
    if student is None or not student.is_trained:
        return ["–"] * 4
    response = student.response.weight if student.response else 0
    geometry = (student.geometry.get(name, 0) for name in ("conv2", "conv5"))
    return [f"{weight:g}" for weight in (*geometry, response, student.classification)]


def _by_references(values: pd.DataFrame) -> Sheet:
    """Table 7: of one set, models and NREF by rates."""
    shown = _sources(values)
    cells = {
        (what, references, rate): _cells(group, what)
        for (references, rate), group in values.groupby(["references", "rate"])
        for what in shown
    }
    rows, rules = [], set()
    for (model, text), of_model in values.groupby(["model", "label"], sort=False):
        rules |= {len(rows)} if rows else set()
        numbers = list(of_model["references"].unique())
        # Where all of ours are missing for one reason, one row says so.
        is_missing = "ours" in shown and of_model["mean"].isna().all()
        is_missing = is_missing and of_model["missing"].nunique() == 1
        for references, what in product(numbers, shown[: len(shown) - is_missing]):
            found = [cells[what, references, rate][model] for rate in RATES]
            rows.append([text, str(references), what, *found])
        if is_missing:
            found = [cells["ours", numbers[0], rate][model] for rate in RATES]
            rows.append([text, ", ".join(map(str, numbers)), "ours", *found])
    columns = [("", name) for name in ("model", "NREF", "values", *RATES.values())]
    return Sheet(columns, rows, rules)


def _cells(values: pd.DataFrame, what: str) -> dict[str, Rate | str]:
    """Cells of one rate, by model; the best of them is bold."""
    prefix = "published_" if what == "published" else ""
    means = values[f"{prefix}mean"].round(2)
    best = means.max() if values["rate"].iloc[0] == "mean_AUC" else means.min()
    cells: dict[str, Rate | str] = {}
    for (_, row), mean in zip(values.iterrows(), means, strict=True):
        if np.isnan(mean):
            cells[row["model"]] = row["missing"].rpartition("ours: ")[2]
            continue
        tested = MARKS if what == "ours" else {}
        cells[row["model"]] = Rate(
            row[f"{prefix}mean"],
            row[f"{prefix}sd"],
            "".join(mark for p, mark in tested.items() if row[p] < SIGNIFICANCE),
            bool(mean == best and means.count() > 1),
        )
    return cells


def _notes(table: int, values: pd.DataFrame) -> list[str]:
    """Say how the table is to be read."""
    counts = values["splits"].dropna().unique()
    ours = f"; ours, {', '.join(map(str, counts))}" if len(counts) else ""
    notes = [
        f"Published: Table {table} of D. Tsourounis et al., Leveraging Expert Models for Training "
        "Deep Neural Networks in Scarce Data Domains.",
        f"Mean ± standard deviation over random splits (published, {SPLITS}{ours}). NREF is the "
        "number of genuine references a writer. All thresholds are a posteriori: chosen on the "
        "very scores whose errors are counted.",
        "Bold: the lowest EER of a column."
        if table != 7
        else "FRR and FAR at the global threshold of the EER. AUC: mean over the writers. Bold: "
        "the best model at each NREF, published and ours apart.",
    ]
    if len(counts):
        notes.append(
            f"Ours differs: * from the teacher, † from the student of the same network with CL "
            f"alone (Wilcoxon's signed-rank test over the splits), ‡ from the published value "
            f"(Welch's t-test from means and deviations, a guide alone: splits overlap); p < "
            f"{SIGNIFICANCE}."
        )
    absent = [name for name in SETS if not _has_data(values[values["set"] == name])]
    if absent:
        notes.append(
            f"{several(_shown(name) for name in absent)}: the published values alone. This study "
            f"is judged on no set named {several(absent, 'or')}; its config names no such data."
        )
    meanings = {
        NOT_TRAINED: f"none of the study's students{' or models' * (table == 7)}",
        OTHER_SETTINGS: "the study's student of that name has another loss than the paper's",
        NOT_EVALUATED: "no metrics of this model were given",
    }
    for reason, meaning in meanings.items():
        if values["missing"].str.endswith(reason).any():
            notes.append(f"{reason[0].upper()}{reason[1:]}: {meaning}.")
    return notes
