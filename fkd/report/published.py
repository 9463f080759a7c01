"""The published values of Tables 4, 5 and 7, and a study's rates beside them.

The values are those of certain sets under a certain protocol. A study's set of the same name may be
another one, or a part of it: :func:`difference` says so, and then nothing is tested against the
published values.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from fkd.layouts import LAYOUTS, SYNTHETIC
from fkd.study.models import TEACHER, label
from fkd.study.students import PAPER, Student
from fkd.study.summary import wilcoxon_tests
from fkd.verification.protocol import Protocol

SETS = {"gpds300": "GPDS300GRAY", "mcyt75": "MCYT75", "cedar": "CEDAR"}
"""The paper's names of its sets, by the names that a config gives these sets."""

TESTS = {
    **{("gpds300", references): (10, 10) for references in (3, 5, 10, 12)},
    **{("mcyt75", references): (5, 15) for references in (3, 5, 10)},
    ("mcyt75", 12): (3, 15),
    **{("cedar", references): (10, 10) for references in (3, 5, 10, 12)},
}
"""The numbers of genuine signatures and skilled forgeries tested per writer, by set and NREF."""

ANY_SET = ("folder", "npz")
"""Layouts in which any set of signatures may come."""

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


@dataclass(frozen=True)
class Judged:
    """A set of signatures on which a study judges models.

    Attributes
    ----------
    layout : str
        Its layout in the config.
    writers, genuine, skilled : int
        The numbers of its writers and of all their signatures.
    protocols : tuple of Protocol
        A protocol for each NREF.
    """

    layout: str
    writers: int
    genuine: int
    skilled: int
    protocols: tuple[Protocol, ...] = ()


def difference(name: str, judged: Judged) -> str:
    """Say in what a study's set differs from the paper's set of that name.

    Parameters
    ----------
    name : str
        The set's name in the config, one of :data:`SETS`.
    judged : Judged
        The study's set.

    Returns
    -------
    str
        Such as "drawn, 5 writers" or "6 of 55 writers"; "" for the set that the paper means.
    """
    writers, of_each = LAYOUTS[name].expected["writers"], LAYOUTS[name].expected
    if judged.layout == SYNTHETIC:
        return f"drawn, {judged.writers} writers"
    if judged.layout not in (name, *ANY_SET):
        return f"layout {judged.layout}, {judged.writers} writers"
    if judged.writers != writers:
        return _part(judged.writers, writers, "writers")
    counts = {
        "genuine signatures": (judged.genuine, writers * of_each["genuine"]),
        "skilled forgeries": (judged.skilled, writers * of_each["skilled"]),
    }
    return ", ".join(_part(n, of, what) for what, (n, of) in counts.items() if n != of)


def _part(count: int, published: int, what: str) -> str:
    """Set a count beside the published one, such as "6 of 55 writers"."""
    if count < published:
        return f"{count:,} of {published:,} {what}"
    return f"{count:,} {what} instead of {published:,}"


def difference_of_tests(name: str, judged: Judged, references: int) -> str:
    """Say in what the tests of a set at one NREF differ from the published ones.

    Parameters
    ----------
    name : str
        The set's name in the config.
    judged : Judged
        The study's set.
    references : int
        The NREF.

    Returns
    -------
    str
        Such as "3 genuine and 4 skilled tested"; "" for tests as published, and for an NREF
        that the paper or the study does not have.
    """
    published = TESTS.get((name, references))
    for protocol in judged.protocols:
        if protocol.references == references and published:
            ours, refused = (protocol.test_genuine, protocol.test_skilled), protocol.refused
            parts = ["{} genuine and {} skilled tested".format(*ours)] * (ours != published)
            parts += [f"{refused} of each other writer refused"] * (refused != references)
            return ", ".join(parts)
    return ""


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
    table: int,
    splits: pd.DataFrame,
    students: Mapping[str, Student],
    judged: Mapping[str, Judged],
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
    judged : mapping of str to Judged
        The sets on which the study judges models.

    Returns
    -------
    DataFrame
        One row for each set, model, NREF and rate of the table. Sets that only the study
        has follow: in Table 7 with all their NREF, in the other tables with the largest.
        The columns are ``published_mean`` and ``published_sd``; ``mean`` and ``sd`` over the
        ``splits`` of the study, in percent; ``p_teacher`` and ``p_cl``, see
        :func:`fkd.study.summary.wilcoxon_tests`; ``p_published``, see :func:`welch`, which is
        empty where ``differs`` is not; ``differs``, which says in what the study's set or its
        tests are not the published ones; and ``missing``, which says why a value is absent.
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
    evaluated = set(splits[keys[:3]].itertuples(index=False, name=None))
    differs = {
        place: "; ".join(filter(None, _differences(*place, judged)))
        for place in {place[:2] for place in places}
    }
    rows = []
    for place in places:
        name, references, model, rate = place
        row = dict(zip(keys, place, strict=True)) | {"label": _label(model)}
        row |= known.loc[place].to_dict() if place in known.index else {}
        reasons = {} if place in known.index else {"published": "not in the paper"}
        ours = rates_by_split.get((name, references, rate), pd.DataFrame())
        row["differs"] = differs[name, references]
        reason = _why_missing((name, references, model), evaluated, students)
        if reason:
            reasons["ours"] = reason
        else:
            row |= {"mean": ours[model].mean(), "sd": ours[model].std(ddof=0), "splits": len(ours)}
            row |= wilcoxon_tests(ours, model, students)
            is_comparable = "published_mean" in row and not row["differs"]
            row["p_published"] = welch(row) if is_comparable else np.nan
        rows.append(row | {"missing": "; ".join(f"{key}: {text}" for key, text in reasons.items())})
    columns = [
        *keys,
        "label",
        *known.columns,
        "mean",
        "sd",
        "splits",
        *P_VALUES,
        "differs",
        "missing",
    ]
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
    from scipy import stats  # takes long to load

    return float(stats.ttest_ind_from_stats(*ours, *theirs, equal_var=False).pvalue)


def _differences(name: str, references: int, judged: Mapping[str, Judged]) -> Iterable[str]:
    """Say in what a set and its tests at one NREF are not the published ones."""
    if name in SETS and name in judged:
        yield difference(name, judged[name])
        yield difference_of_tests(name, judged[name], references)


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
