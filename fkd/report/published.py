"""The published values of Tables 4, 5 and 7, and a study's rates beside them."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from fkd.study.naming import label
from fkd.study.students import PAPER, TEACHER, Student
from fkd.study.summary import wilcoxon_tests

SETS = {"gpds300": "GPDS300GRAY", "mcyt75": "MCYT75", "cedar": "CEDAR"}
"""The paper's sets, by the names under which a study's sets are taken for them."""

SIGNET_F = "signet_f"
"""SigNet trained on forgeries, too. It is judged where `models` has a file of this name."""

SPLITS = 10
"""Of the paper."""

TESTS = ("p_teacher", "p_cl", "p_published")

NO_DATA = "no data"
NOT_TRAINED = "not trained"
OTHER_SETTINGS = "other settings"
NOT_EVALUATED = "not evaluated"


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
    judged = set(splits[where[:3]].itertuples(index=False, name=None))
    rows = []
    for place in places:
        name, references, model, rate = place
        row = dict(zip(where, place, strict=True)) | {"label": _label(model)}
        row |= known.loc[place].to_dict() if place in known.index else {}
        why = {} if place in known.index else {"published": "not in the paper"}
        ours = tested.get((name, references, rate), pd.DataFrame())
        reason = _why_missing((name, references, model), judged, students)
        if reason:
            why["ours"] = reason
        else:
            row |= {"mean": ours[model].mean(), "sd": ours[model].std(ddof=0), "splits": len(ours)}
            row |= wilcoxon_tests(ours, model, students)
            row["p_published"] = welch(row) if "published_mean" in row else np.nan
        rows.append(row | {"missing": "; ".join(f"{key}: {text}" for key, text in why.items())})
    columns = [*where, "label", *known.columns, "mean", "sd", "splits", *TESTS, "missing"]
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
    place: tuple[str, int, str],
    judged: set[tuple[str, int, str]],
    students: Mapping[str, Student],
) -> str:
    """Say why a study has no value of a set, NREF and model, "" where it has one."""
    name, references, model = place
    if name not in {of_set for of_set, _, _ in judged}:
        return NO_DATA
    if model in PAPER and model in students and students[model] != PAPER[model]:
        return OTHER_SETTINGS
    if model not in {TEACHER, *students, *(of for _, _, of in judged)}:
        return NOT_TRAINED
    if references not in {asked for of_set, asked, _ in judged if of_set == name}:
        return f"NREF {references} not asked for"
    return "" if place in judged else NOT_EVALUATED


def _label(model: str) -> str:
    return "SigNet-F" if model == SIGNET_F else label(model, PAPER)
