"""Tables 4, 5 and 7 of the paper, with the published values beside the study's.

Every threshold is a posteriori, in the paper and here.
"""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from fkd.errors import FkdError
from fkd.report.data import count_signatures
from fkd.report.published import (
    NO_DATA,
    NOT_EVALUATED,
    NOT_TRAINED,
    OTHER_SETTINGS,
    P_VALUES,
    SETS,
    SPLITS,
    Judged,
    beside_published,
)
from fkd.report.tables import warning
from fkd.report.typeset import Rate, Sheet
from fkd.report.wording import joined
from fkd.signatures.check import read_leaks
from fkd.storage.atomic import writing
from fkd.study.markup import escape_markdown
from fkd.study.students import PAPER, Student
from fkd.study.summary import SIGNIFICANCE, caveat, over_seeds, read_splits
from fkd.verification.protocol import Protocol

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

MARKS = dict(zip(P_VALUES, "*†‡", strict=True))
"""The mark of a significant difference, by the column of its p."""


def write_paper_table(
    *,
    table: int,
    metrics: list[Path],
    signatures: list[Path],
    layouts: dict[str, str],
    protocols: dict[str, list[Protocol]],
    csv: Path,
    markdown: Path,
    latex: Path,
    title: str,
    students: dict[str, Student],
    synthetic: list[str],
    leaks: Path | None = None,
) -> None:
    """Write one of the paper's tables, with the published values and the study's.

    Parameters
    ----------
    table : {4, 5, 7}
        The number of the table in the paper.
    metrics : list of Path
        CSV files of :func:`fkd.verification.stage.evaluate_wd`.
    signatures : list of Path
        Shards of kind "signatures": the sets on which the study judges models.
    layouts : dict of str to str
        The layout of each of these sets, by its name in the config.
    protocols : dict of str to list of Protocol
        The protocols of each of these sets.
    csv : Path
        One row for each value, at full precision, see
        :func:`fkd.report.published.beside_published`.
    markdown : Path
        The table for readers.
    latex : Path
        The same to ``\\input`` in a paper that uses booktabs and graphicx. Table 7 becomes
        one table for each set.
    title : str
        The title of the study.
    students : dict of str to Student
        The students of the study.
    synthetic : list of str
        The data that a program drew, such as ``text``; the tables warn of it.
    leaks : Path, optional
        The CSV file of :func:`fkd.signatures.check.check_signatures`. What leaked stands under the
        table.

    Raises
    ------
    FkdError
        Where `table` is another number, or a set has no layout or protocols.
    """
    if table not in CAPTIONS:
        raise FkdError(f"table: {table} is none of {', '.join(map(str, CAPTIONS))}.")
    by_seed = read_splits(metrics)
    splits, seeds = over_seeds(by_seed), by_seed["replicate"].max()
    judged = {}
    for path in signatures:
        counts = count_signatures(path)
        name = counts.pop("name")
        if name not in layouts or name not in protocols:
            raise FkdError(f"{path}: give the layout and the protocols of this set, {name}.")
        judged[name] = Judged(layouts[name], **counts, protocols=tuple(protocols[name]))
    values = beside_published(table, splits, students, judged)
    with writing(csv) as part:
        values.to_csv(part, index=False)
    caption, notes = f"{CAPTIONS[table]}, published and ours", _notes(table, values, seeds)
    notes += [str(leak) for leak in (read_leaks(leaks) if leaks else ())]
    if table == 7:
        sheets = {
            name: _by_references(of_set) for name, of_set in values.groupby("set", sort=False)
        }
    else:
        sheets = {"": _by_student(values)}
    warnings = [warning(synthetic)] if synthetic else []
    parts = [
        f"# {caption} (Table {table})",
        f"Ours: {escape_markdown(title)}.",
        *(f"**{escape_markdown(text)}**" for text in warnings),
    ]
    typeset = []
    for name, sheet in sheets.items():
        parts += [f"## {escape_markdown(_set_name(name))}"] * bool(name) + [sheet.markdown()]
        sheet_caption = f"{caption}, {_set_name(name)}" if name else caption
        key = f"tab:fkd-table{table}{'-' * bool(name)}{name}"
        typeset.append(sheet.latex(f"{sheet_caption}. {' '.join(warnings)}".strip(), key, notes))
    with writing(markdown) as part:
        text = "\n\n".join([*parts, "\n".join(f"- {escape_markdown(note)}" for note in notes)])
        part.write_text(text + "\n", encoding="utf-8")
    with writing(latex) as part:
        part.write_text("\n".join(typeset), encoding="utf-8")


def _set_name(name: str) -> str:
    """Name a set as the paper does; the study's other sets keep their names."""
    return SETS.get(name, name)


def _has_data(values: pd.DataFrame) -> bool:
    """Whether the study has the data for any of these values."""
    return not values["missing"].str.endswith(NO_DATA).all()


def _sources(values: pd.DataFrame) -> list[str]:
    """List who has values of a set: the paper, the study, or both."""
    return ["published"] * (values["set"].iloc[0] in SETS) + ["ours"] * _has_data(values)


def _heading(values: pd.DataFrame, source: str) -> str:
    """Name a source: the study's values are "ours" only for the set and tests of the paper."""
    return values["differs"].iloc[0] or source if source == "ours" else source


def _by_student(values: pd.DataFrame) -> Sheet:
    """Lay out Table 4 or 5: students by sets."""
    columns = [("", name) for name in ("model", "l₁", "l₂", "g", "c")]
    models = dict(zip(values["model"], values["label"], strict=True))
    # Labels leave out the network, because all students of a table share it.
    rows = [
        [text.partition(" ")[2] if model in PAPER else text, *_weights(model)]
        for model, text in models.items()
    ]
    for (name, references), of_set in values.groupby(["set", "references"], sort=False):
        for source in _sources(of_set):
            columns.append((f"{_set_name(name)}, NREF {references}", _heading(of_set, source)))
            cells = _cells(of_set, source)
            for row, model in zip(rows, models, strict=True):
                row.append(cells[model])
    # The first two rows, above the rule, are of the teacher and of random weights.
    return Sheet(columns, rows, {2})


def _weights(model: str) -> list[str]:
    """Give the weights l1, l2, g and c of a student's loss, or dashes for a model without one."""
    student = PAPER.get(model)
    if student is None or not student.is_trained:
        return ["–"] * 4
    response = student.response.weight if student.response else 0
    geometry = (student.geometry.get(name, 0) for name in ("conv2", "conv5"))
    return [f"{weight:g}" for weight in (*geometry, response, student.classification)]


def _by_references(values: pd.DataFrame) -> Sheet:
    """Lay out Table 7 for one set: models and NREF by rates."""
    sources = _sources(values)
    cells = {
        (source, references, rate): _cells(group, source)
        for (references, rate), group in values.groupby(["references", "rate"])
        for source in sources
    }
    rows, rules = [], set()
    for (model, text), of_model in values.groupby(["model", "label"], sort=False):
        rules |= {len(rows)} if rows else set()
        counts = list(of_model["references"].unique())
        # If all of ours are missing for the same reason, a single row says so.
        is_missing = "ours" in sources and of_model["mean"].isna().all()
        is_missing = is_missing and of_model["missing"].nunique() == 1
        # "ours" is the last source, and is left out here if it is missing.
        for references, source in product(counts, sources[: len(sources) - is_missing]):
            rates = [cells[source, references, rate][model] for rate in RATES]
            heading = _heading(of_model[of_model["references"] == references], source)
            rows.append([text, str(references), heading, *rates])
        if is_missing:
            rates = [cells["ours", counts[0], rate][model] for rate in RATES]
            heading = _heading(of_model, "ours") if of_model["differs"].nunique() == 1 else "ours"
            rows.append([text, ", ".join(map(str, counts)), heading, *rates])
    columns = [("", name) for name in ("model", "NREF", "values", *RATES.values())]
    return Sheet(columns, rows, rules)


def _cells(values: pd.DataFrame, source: str) -> dict[str, Rate | str]:
    """Make the cells of one rate, by model; the best of them is bold."""
    prefix = "published_" if source == "published" else ""
    # Means that are printed alike are equally good.
    means = values[f"{prefix}mean"].round(2)
    best = means.max() if values["rate"].iloc[0] == "mean_AUC" else means.min()
    cells: dict[str, Rate | str] = {}
    for (_, row), mean in zip(values.iterrows(), means, strict=True):
        if np.isnan(mean):
            cells[row["model"]] = row["missing"].rpartition("ours: ")[2]
            continue
        marks = MARKS if source == "ours" else {}
        cells[row["model"]] = Rate(
            row[f"{prefix}mean"],
            row[f"{prefix}sd"],
            "".join(mark for p, mark in marks.items() if row[p] < SIGNIFICANCE),
            bool(mean == best and means.count() > 1),
        )
    return cells


def _notes(table: int, values: pd.DataFrame, seeds: int) -> list[str]:
    """Explain how to read the table."""
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
            f"(Welch's t-test from means and deviations); p < {SIGNIFICANCE}. {caveat(seeds)}"
        )
    unlike = values[values["differs"] != ""].groupby(["set", "differs"], sort=False)
    if unlike.ngroups:
        parts = (f"{name} ({differs})" for name, differs in unlike.groups)
        notes.append(
            f"Other signatures or tests than the paper's under the name of its set: "
            f"{joined(parts)}. Such values are of this study, but no ‡ compares them with the "
            "published ones."
        )
    absent = [name for name in SETS if not _has_data(values[values["set"] == name])]
    if absent:
        notes.append(
            f"{joined(_set_name(name) for name in absent)}: the published values alone. This "
            f"study is judged on no set named {joined(absent, 'or')}; its config names no such "
            "data."
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
