"""Equal error rates in the form of the paper's tables: students by sets, mean and sd.

Every threshold is a posteriori: it is chosen on the same scores on which the errors are
counted, as in all published figures of this protocol.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from fkd.report.wording import joined, leaks_in_words
from fkd.storage.atomic import writing
from fkd.study.markup import escape_markdown
from fkd.study.students import Student
from fkd.study.summary import (
    SIGNIFICANCE,
    baselines,
    caveat,
    read_rates,
    read_splits,
    summarize,
)

THRESHOLDS = {"EER_userthresholds": "a threshold for each writer", "EER": "one global threshold"}


TESTED = "EER_userthresholds"
"""The rate whose differences are tested."""


def write_tables(
    *,
    metrics: list[Path],
    differences: list[Path],
    csv: Path,
    markdown: Path,
    title: str,
    students: dict[str, Student],
    synthetic: list[str],
    leaks: Path | None = None,
) -> None:
    """Write the study's tables.

    Parameters
    ----------
    metrics : list of Path
        CSV files of :func:`fkd.verification.stage.evaluate_wd`.
    differences : list of Path
        CSV files of :func:`fkd.report.differences.compare_models`, one for each set and NREF.
    csv : Path
        One row for each model, set and NREF: mean and population sd over the splits of
        every rate, in percent, and the tests of ``EER_userthresholds``, see
        :func:`fkd.study.summary.summarize`. ``RATE_low`` and ``RATE_high`` are the ends of the
        95 % interval over writers and seeds. ``gain_teacher`` and ``gain_cl`` are the differences
        of ``EER_userthresholds`` to the teacher and to CL alone, each with ``_low``, ``_high`` and
        ``_p``.
    markdown : Path
        The tables for readers.
    title : str
        The heading above the tables.
    students : dict of str to Student
        The students of the study.
    synthetic : list of str
        The data that a program drew, such as ``text``; a warning above the tables names it.
    leaks : Path, optional
        The CSV file of :func:`fkd.signatures.check.check_signatures`. What leaked stands under the
        table.
    """
    splits = read_splits(metrics)
    table = _with_intervals(summarize(splits, students), differences, students)
    with writing(csv) as part:
        table.to_csv(part, index=False)
    parts = [f"# {escape_markdown(title)}", ""]
    if synthetic:
        parts += [f"**{escape_markdown(warning(synthetic))}**", ""]
    count, seeds = splits["split"].nunique(), int(table["seeds"].max())
    marks = "\\* differs from the teacher, † from the student of the same network with CL alone"
    for column, threshold in THRESHOLDS.items():
        parts += [
            f"## EER (%) with {threshold}",
            "",
            _wide(table, column).to_markdown(disable_numparse=True),
            "",
        ]
        if column == TESTED:
            parts += [
                f"{marks} (Wilcoxon's signed-rank test, p < {SIGNIFICANCE}). {caveat(seeds)}",
                "",
            ]
    of_seeds = f", then ± that over {seeds} training seeds" if seeds > 1 else ""
    parts += [
        f"Mean ± standard deviation over {count} random splits{of_seeds}; NREF is the number of "
        "genuine references a writer. All thresholds are a posteriori.",
        "",
        *leaks_in_words(leaks),
        *_intervals(table, seeds),
        "## p of Wilcoxon's tests, EER with a threshold for each writer",
        "",
        _tests(table).to_markdown(disable_numparse=True),
        "",
        f"A p below {SIGNIFICANCE} is a mark above. {caveat(seeds)}",
        "",
        "## Average ranks, EER with a threshold for each writer",
        "",
        _ranks(table).to_markdown(disable_numparse=True),
        "",
        "Rank 1 is the lowest of a split. The last rows hold p of Friedman's test, whether the "
        f"models differ at all, and where p < {SIGNIFICANCE} the critical difference: two models "
        "differ where their ranks lie further apart (Nemenyi's test over all pairs, stricter than "
        f"Wilcoxon's one by one). {marks}. {caveat(seeds)}",
        "",
    ]
    with writing(markdown) as part:
        part.write_text("\n".join(parts), encoding="utf-8")


def warning(synthetic: Iterable[str]) -> str:
    """Warn that a program drew the data, and say what the study's figures then mean.

    Parameters
    ----------
    synthetic : iterable of str
        The data that a program drew, see :attr:`fkd.study.study.Study.synthetic`: ``text``, and
        the signatures on which models are judged.
    """
    synthetic = list(synthetic)
    if synthetic == ["text"]:
        return (
            "Synthetic text: students learned from handwriting that a program drew. The signatures "
            "on which models are judged were not drawn."
        )
    return (
        f"Synthetic data: {joined(synthetic)} were drawn by a program. Figures on such signatures "
        "show that the study runs; they say nothing of real signatures."
    )


def _column(row: Mapping) -> str:
    """Name the column in which a row of the summary stands."""
    return f"{row['set']}, NREF {row['references']}"


def _wide(table: pd.DataFrame, rate: str) -> pd.DataFrame:
    """Tabulate models by sets: mean ± sd of a rate, marked where it differs significantly."""

    def cell(row: pd.Series) -> str:
        text = f"{row[f'{rate}_mean']:.2f} ± {row[f'{rate}_sd']:.2f}"
        if row["seeds"] > 1:
            text += f" ± {row[f'{rate}_seed_sd']:.2f}"
        return _marked(text, row["p_teacher"], row["p_cl"]) if rate == TESTED else text

    return _pivot(table, table.apply(cell, axis=1))


def _with_intervals(
    table: pd.DataFrame, differences: Iterable[Path], students: Mapping[str, Student]
) -> pd.DataFrame:
    """Add the intervals of the models' rates and of their differences to the rows of a summary."""
    rows = pd.concat([read_rates(path) for path in differences], ignore_index=True)
    keys = ["set", "references", "model", "rate", "versus"]
    ends = ["value", "low", "high"]
    found = rows.assign(**100 * rows[ends]).set_index(keys)[[*ends, "p"]].sort_index()
    added = []
    for row in table.itertuples():
        place = row.set, row.references, row.model
        cells = {}
        for rate in THRESHOLDS:
            for end in ("low", "high"):
                cells[f"{rate}_{end}"] = found.loc[(*place, rate, ""), end]
        others = set(found.loc[(*place, TESTED)].index)
        for key, other in baselines(row.model, others, students).items():
            gain = found.loc[(*place, TESTED, other)] if other else {}
            for name in ("value", "low", "high", "p"):
                suffix = "" if name == "value" else f"_{name}"
                cells[f"gain_{key}{suffix}"] = gain[name] if other else float("nan")
        added.append(cells)
    return table.join(pd.DataFrame(added, index=table.index))


def _intervals(table: pd.DataFrame, seeds: int) -> list[str]:
    """Tabulate the intervals over writers and seeds, and say what they hold."""

    def rate(row: pd.Series) -> str:
        ends = f"{row[f'{TESTED}_low']:.2f} to {row[f'{TESTED}_high']:.2f}"
        return f"{row[f'{TESTED}_mean']:.2f} ({ends})"

    def gains(row: pd.Series) -> str:
        texts = [
            f"{name} {row[key]:+.2f} ({row[f'{key}_low']:+.2f} to {row[f'{key}_high']:+.2f})"
            for key, name in (("gain_teacher", "teacher"), ("gain_cl", "CL"))
            if not pd.isna(row[key])
        ]
        return "; ".join(texts) or "–"

    over = f"writers and {seeds} training seeds" if seeds > 1 else "writers"
    noise = (
        "The bootstrap draws seeds and writers anew."
        if seeds > 1
        else "Each model was trained once, from one seed, so the noise of training is not in these "
        "intervals: the same model trained again may lie outside of them."
    )
    return [
        f"## 95 % intervals over {over}, EER with a threshold for each writer",
        "",
        _pivot(table, table.apply(rate, axis=1)).to_markdown(disable_numparse=True),
        "",
        f"## Differences and their 95 % intervals over {over}, EER with a threshold for each writer",
        "",
        _pivot(table, table.apply(gains, axis=1)).to_markdown(disable_numparse=True),
        "",
        f"The model's rate less that of the other model; an interval without 0 tells them apart. {noise}",
        "",
    ]


def _tests(table: pd.DataFrame) -> pd.DataFrame:
    """Tabulate models by sets: p against the teacher and against CL alone."""

    def cell(row: pd.Series) -> str:
        numbers = (_number(p, ".3f") for p in (row["p_teacher"], row["p_cl"]))
        return "teacher {}, CL {}".format(*numbers)

    return _pivot(table, table.apply(cell, axis=1))


def _ranks(table: pd.DataFrame) -> pd.DataFrame:
    """Tabulate models by sets: average ranks with their marks, and the tests over all models."""

    def cell(row: pd.Series) -> str:
        return _marked(_number(row["rank"], ".1f"), row["nemenyi_teacher"], row["nemenyi_cl"])

    wide = _pivot(table, table.apply(cell, axis=1))
    sets = table.groupby(table.apply(_column, axis=1).map(escape_markdown), sort=False)
    for label, column, digits in (
        ("Friedman's p", "p_friedman", ".1e"),
        ("critical difference", "critical_difference", ".1f"),
    ):
        wide.loc[label] = (
            sets[column].first().map(lambda value, digits=digits: _number(value, digits))
        )
    return wide


def _marked(text: str, p_teacher: float, p_cl: float) -> str:
    """Append the marks of significant differences; the asterisk is escaped for Markdown."""
    marks = "\\*" * (p_teacher < SIGNIFICANCE) + "†" * (p_cl < SIGNIFICANCE)
    return f"{text} {marks}".rstrip()


def _number(value: float, digits: str) -> str:
    """Format a number; a dash stands for a missing one."""
    return "–" if pd.isna(value) else format(value, digits)


def _pivot(table: pd.DataFrame, cells: pd.Series) -> pd.DataFrame:
    """Arrange the cells of a summary's rows by model and set, in the order of these rows."""
    columns = table.apply(_column, axis=1)
    by_column = {
        column: cells[columns == column].set_axis(table["label"][columns == column])
        for column in columns.unique()
    }
    wide = pd.DataFrame(by_column, index=table["label"].unique())
    return wide.rename(index=escape_markdown, columns=escape_markdown).rename_axis("model")
