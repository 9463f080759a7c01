"""Tables 4, 5 and 7 of the paper, with the published values beside the study's.

Every threshold is a posteriori, in the paper and here.
"""

from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from fkd.atomic import writing
from fkd.errors import FkdError
from fkd.report.tables import SIGNIFICANCE, label, warning, wilcoxon_tests
from fkd.report.typeset import Rate, Sheet, escape_markdown
from fkd.students import PAPER, TEACHER, Student

SETS = {"gpds300": "GPDS300GRAY", "mcyt75": "MCYT75", "cedar": "CEDAR"}
"""The paper's sets, by the names under which a study's sets are taken for them."""

SIGNET_F = "signet_f"
"""SigNet trained on forgeries, too. It is judged where `models` has a file of this name."""

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

MARKS = {"p_teacher": "*", "p_cl": "†", "p_published": "‡"}

NO_DATA = "no data"
NOT_TRAINED = "not trained"
OTHER_SETTINGS = "other settings"
NOT_EVALUATED = "not evaluated"

SPLITS = 10
"""Of the paper."""


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
        One row a value, at full precision: see :func:`beside_published`.
    markdown : Path
        The table for readers.
    latex : Path
        The same to ``\\input`` in a paper that uses booktabs and graphicx. Table 7 is
        parted by sets.
    title : str
        What the study is.
    students : dict of str to dict
        The students of the study, as :meth:`fkd.students.Student.to_dict` gives them.
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
    warned = [f"{warning(synthetic)}"] if synthetic else []
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


def read_published() -> pd.DataFrame:
    """Read the published values.

    Returns
    -------
    DataFrame
        Columns ``table``, ``set``, ``model``, ``references``, ``rate``, ``mean`` and
        ``sd`` (over ten splits), in percent, in the order of the paper.
    """
    return pd.read_csv(Path(__file__).with_name("published.csv"))


def beside_published(
    table: int, splits: pd.DataFrame, students: Mapping[str, Student]
) -> pd.DataFrame:
    """Set a study's rates beside those of a table of the paper.

    Parameters
    ----------
    table : {4, 5, 7}
        Its number.
    splits : DataFrame
        Columns ``model``, ``set``, ``references``, ``split`` and the rates, as shares.
    students : mapping of str to Student
        The students among the models.

    Returns
    -------
    DataFrame
        One row a set, model, NREF and rate of the table. Sets of the study that are not
        the paper's follow, with all their NREF in Table 7, else with the largest.
        ``published_mean`` and ``published_sd``, ``mean`` and ``sd`` over the ``splits`` of
        the study, in percent; ``p_teacher`` and ``p_cl``, see
        :func:`fkd.report.tables.wilcoxon_tests`; ``p_published``, see :func:`welch`;
        ``missing``: why there is no value, where there is none.
    """
    published = read_published().query("table == @table")
    where = ["set", "references", "model", "rate"]
    known = published.set_index(where)[["mean", "sd"]].add_prefix("published_")
    places = list(known.index)
    models, rates = published["model"].unique(), published["rate"].unique()
    for name, group in splits[~splits["set"].isin(SETS)].groupby("set"):
        asked = sorted(group["references"].unique())
        places += product([name], asked if table == 7 else asked[-1:], models, rates)
    tested = {
        (*place, rate): 100 * group.pivot(index="split", columns="model", values=rate)
        for place, group in splits.groupby(["set", "references"])
        for rate in rates
    }
    rows = []
    for place in places:
        name, references, model, rate = place
        row = dict(zip(where, place, strict=True)) | {"label": _label(model)}
        row |= known.loc[place].to_dict() if place in known.index else {}
        why = {} if place in known.index else {"published": "not in the paper"}
        ours = tested.get((name, references, rate), pd.DataFrame())
        reason = _why_missing(name, references, model, splits, students)
        if reason:
            why["ours"] = reason
        else:
            row |= {"mean": ours[model].mean(), "sd": ours[model].std(ddof=0), "splits": len(ours)}
            row |= wilcoxon_tests(ours, model, students)
            row["p_published"] = welch(row) if "published_mean" in row else np.nan
        rows.append(row | {"missing": "; ".join(f"{key}: {text}" for key, text in why.items())})
    columns = [*where, "label", *known.columns, "mean", "sd", "splits", *MARKS, "missing"]
    found = pd.DataFrame(rows, columns=columns).astype({"splits": "Int64"})
    found.insert(0, "table", table)
    return found


def welch(row: Mapping[str, float]) -> float:
    """Welch's t-test of a study's mean against the published one, two-sided.

    A guide alone: it takes the splits for independent, but they draw on the same signatures.

    Parameters
    ----------
    row : mapping of str to float
        ``mean`` and population ``sd`` over ``splits``; ``published_mean`` and
        ``published_sd`` over ten.

    Returns
    -------
    float
        p; where neither deviates at all 1.0 for equal means, else 0.0.
    """
    if not row["sd"] and not row["published_sd"]:
        return float(row["mean"] == row["published_mean"])
    count = row["splits"]
    # The test wants the deviations of samples.
    ours = row["mean"], row["sd"] * np.sqrt(count / (count - 1)), count
    theirs = row["published_mean"], row["published_sd"] * np.sqrt(SPLITS / (SPLITS - 1)), SPLITS
    return float(stats.ttest_ind_from_stats(*ours, *theirs, equal_var=False).pvalue)


def _why_missing(
    name: str,
    references: int,
    model: str,
    splits: pd.DataFrame,
    students: Mapping[str, Student],
) -> str:
    """Say why a study has no value, "" where it has one."""
    here = splits[splits["set"] == name]
    if here.empty:
        return NO_DATA
    if model in PAPER and model in students and students[model] != PAPER[model]:
        return OTHER_SETTINGS
    if model != TEACHER and model not in set(students) | set(splits["model"]):
        return NOT_TRAINED
    here = here[here["references"] == references]
    if here.empty:
        return f"NREF {references} not asked for"
    return "" if model in set(here["model"]) else NOT_EVALUATED


def _label(model: str) -> str:
    return "SigNet-F" if model == SIGNET_F else label(model, PAPER)


def _shown(name: str) -> str:
    return SETS.get(name, name)


def _has_data(values: pd.DataFrame) -> bool:
    return not values["missing"].str.endswith(NO_DATA).all()


def _by_student(values: pd.DataFrame) -> Sheet:
    """Tables 4 and 5: students by sets."""
    columns = [
        ("", "model"),
        *((w, n) for w, n in zip([""] * 4, ("l₁", "l₂", "g", "c"), strict=True)),
    ]
    models = list(values["model"].unique())
    rows = [[_short(model), *_weights(model)] for model in models]
    for (name, references), of_set in values.groupby(["set", "references"], sort=False):
        for what in ("published", "ours"):
            if (what == "published" and name not in SETS) or (
                what == "ours" and not _has_data(of_set)
            ):
                continue
            columns.append((f"{_shown(name)}, NREF {references}", what))
            cells = _cells(of_set, what)
            for row, model in zip(rows, models, strict=True):
                row.append(cells[model])
    return Sheet(columns, rows, {2})


def _short(model: str) -> str:
    """Name a student without its network, which is that of the whole table."""
    return _label(model).partition(" ")[2] if model in PAPER else _label(model)


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
    shown = ["published"] * (values["set"].iloc[0] in SETS) + ["ours"] * _has_data(values)
    cells = {
        (what, references, rate): _cells(group, what)
        for (references, rate), group in values.groupby(["references", "rate"])
        for what in shown
    }
    rows, rules = [], set()
    for model, of_model in values.groupby("model", sort=False):
        rules |= {len(rows)} if rows else set()
        numbers = list(of_model["references"].unique())
        # Where all of ours are missing for one reason, one row says so.
        is_missing = "ours" in shown and of_model["mean"].isna().all()
        is_missing = is_missing and of_model["missing"].nunique() == 1
        for references, what in product(numbers, shown[: len(shown) - is_missing]):
            found = [cells[what, references, rate][model] for rate in RATES]
            rows.append([_label(model), str(references), what, *found])
        if is_missing:
            found = [cells["ours", numbers[0], rate][model] for rate in RATES]
            rows.append([_label(model), ", ".join(map(str, numbers)), "ours", *found])
    columns = [
        ("", "model"),
        ("", "NREF"),
        ("", "values"),
        *(("", text) for text in RATES.values()),
    ]
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
            f"{_several(_shown(name) for name in absent)}: the published values alone. This study "
            f"is judged on no set named {_several(absent, 'or')}; its config names no such data."
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


def _several(names: Iterable[str], word: str = "and") -> str:
    *others, last = names
    return f"{', '.join(others)} {word} {last}" if others else last
