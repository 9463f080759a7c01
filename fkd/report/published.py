"""The published values of Tables 4, 5 and 7, and a study's rates beside them."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from fkd.study.models import TEACHER, label
from fkd.study.students import PAPER, Student
from fkd.study.summary import wilcoxon_tests

SETS = {"gpds300": "GPDS300GRAY", "mcyt75": "MCYT75", "cedar": "CEDAR"}
"""The paper's names of its sets, by the names that a config gives these sets."""

SIGNET_F = "signet_f"
"""SigNet trained on forgeries, too. A study judges it if its `models` has a file of this name."""

SPLITS = 10
"""The number of random splits in the paper."""

P_VALUES = ("p_teacher", "p_cl", "p_published")
"""Columns of p: against the teacher, against CL alone, and against the published value."""

# Reasons for which a study has no value to set beside a published one.
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
        The number of the table.
    splits : DataFrame
        Columns ``model``, ``set``, ``references``, ``split`` and the rates, as shares.
    students : mapping of str to Student
        The students among the models.

    Returns
    -------
    DataFrame
        One row for each set, model, NREF and rate of the table. Sets that only the study
        has follow: in Table 7 with all their NREF, in the other tables with the largest.
        The columns are ``published_mean`` and ``published_sd``; ``mean`` and ``sd`` over the
        ``splits`` of the study, in percent; ``p_teacher`` and ``p_cl``, see
        :func:`fkd.study.summary.wilcoxon_tests`; ``p_published``, see :func:`welch`; and
        ``missing``, which says why a value is absent.
    """
    published = read_published().query("table == @table")
    keys = ["set", "references", "model", "rate"]
    known = published.set_index(keys)[["mean", "sd"]].add_prefix("published_")
    places = list(known.index)
    models, rates = published["model"].unique(), published["rate"].unique()
    for name, group in splits[~splits["set"].isin(SETS)].groupby("set"):
        counts = sorted(group["references"].unique())
        places += product([name], counts if table == 7 else counts[-1:], models, rates)
    rates_by_split = {
        (*place, rate): 100 * group.pivot(index="split", columns="model", values=rate)
        for place, group in splits.groupby(["set", "references"])
        for rate in rates
    }
    judged = set(splits[keys[:3]].itertuples(index=False, name=None))
    rows = []
    for place in places:
        name, references, model, rate = place
        row = dict(zip(keys, place, strict=True)) | {"label": _label(model)}
        row |= known.loc[place].to_dict() if place in known.index else {}
        reasons = {} if place in known.index else {"published": "not in the paper"}
        ours = rates_by_split.get((name, references, rate), pd.DataFrame())
        reason = _why_missing((name, references, model), judged, students)
        if reason:
            reasons["ours"] = reason
        else:
            row |= {"mean": ours[model].mean(), "sd": ours[model].std(ddof=0), "splits": len(ours)}
            row |= wilcoxon_tests(ours, model, students)
            row["p_published"] = welch(row) if "published_mean" in row else np.nan
        rows.append(row | {"missing": "; ".join(f"{key}: {text}" for key, text in reasons.items())})
    columns = [*keys, "label", *known.columns, "mean", "sd", "splits", *P_VALUES, "missing"]
    values = pd.DataFrame(rows, columns=columns).astype({"splits": "Int64"})
    values.insert(0, "table", table)
    return values


def welch(row: Mapping[str, float]) -> float:
    """Compare a study's mean with the published one by Welch's two-sided t-test.

    The result is only a guide: the test assumes independent splits, but all splits draw on
    the same signatures.

    Parameters
    ----------
    row : mapping of str to float
        ``mean`` and population ``sd`` over ``splits``; ``published_mean`` and
        ``published_sd`` over ten splits.

    Returns
    -------
    float
        p. If both standard deviations are 0, it is 1.0 for equal means and 0.0 for others.
    """
    if not row["sd"] and not row["published_sd"]:
        return float(row["mean"] == row["published_mean"])
    count = row["splits"]
    # The test takes standard deviations of samples, the tables give those of populations.
    ours = row["mean"], row["sd"] * np.sqrt(count / (count - 1)), count
    theirs = row["published_mean"], row["published_sd"] * np.sqrt(SPLITS / (SPLITS - 1)), SPLITS
    return float(stats.ttest_ind_from_stats(*ours, *theirs, equal_var=False).pvalue)


def _why_missing(
    place: tuple[str, int, str],
    judged: set[tuple[str, int, str]],
    students: Mapping[str, Student],
) -> str:
    """Say why a study has no value for a set, NREF and model; "" if it has one."""
    name, references, model = place
    if name not in {judged_set for judged_set, _, _ in judged}:
        return NO_DATA
    if model in PAPER and model in students and students[model] != PAPER[model]:
        return OTHER_SETTINGS
    if model not in {TEACHER, *students, *(judged_model for _, _, judged_model in judged)}:
        return NOT_TRAINED
    if references not in {count for judged_set, count, _ in judged if judged_set == name}:
        return f"NREF {references} not asked for"
    return "" if place in judged else NOT_EVALUATED


def _label(model: str) -> str:
    """Name a model as the paper does."""
    return "SigNet-F" if model == SIGNET_F else label(model, PAPER)
