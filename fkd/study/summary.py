"""The rates of a study summed up over its splits, and what tests say of their differences."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from fkd.study.models import TEACHER, cl_alone, in_order, label
from fkd.study.students import Student
from fkd.verification.significance import (
    average_ranks,
    critical_difference,
    friedman,
    nemenyi,
    wilcoxon,
)

SIGNIFICANCE = 0.05


def summarize(splits: pd.DataFrame, students: Mapping[str, Student]) -> pd.DataFrame:
    """Summarize rates over the splits and test their differences.

    Parameters
    ----------
    splits : DataFrame
        Columns ``model``, ``set``, ``references``, ``split`` and the rates, as shares.
    students : mapping of str to Student
        The students among the models.

    Returns
    -------
    DataFrame
        One row a model, set and NREF, in the order of the paper; ``RATE_mean`` and
        ``RATE_sd`` in percent. Of ``EER_userthresholds``: ``p_teacher`` and ``p_cl`` of
        Wilcoxon's test against the teacher and against the student of the same network
        with CL alone, empty where a model has nothing to be compared with; the average
        ``rank``; ``p_friedman`` over all models, empty where they are fewer than three;
        and where that is significant, ``critical_difference`` of two ranks and
        ``nemenyi_teacher`` and ``nemenyi_cl``, p of Nemenyi's test.
    """
    rates = ["EER_userthresholds", "EER", "FRR", "FAR_skilled", "FAR_random", "mean_AUC"]
    rows = []
    for (name, references), group in splits.groupby(["set", "references"], sort=True):
        models = {m: g.sort_values("split") for m, g in group.groupby("model")}
        eer = group.pivot(index="split", columns="model", values="EER_userthresholds")
        overall, pairs = _over_all(eer)
        for model in in_order(models):
            row = {"set": name, "references": references, "model": model}
            row["label"] = label(model, students)
            for rate in rates:
                row[f"{rate}_mean"] = 100 * models[model][rate].mean()
                row[f"{rate}_sd"] = 100 * models[model][rate].std(ddof=0)
            row |= wilcoxon_tests(eer, model, students)
            for key, other in _baselines(model, eer, students).items():
                row[f"nemenyi_{key}"] = pairs.loc[model, other] if other else np.nan
            rows.append(row | overall.loc[model].to_dict())
    return pd.DataFrame(rows)


def wilcoxon_tests(
    rates: pd.DataFrame, model: str, students: Mapping[str, Student]
) -> dict[str, float]:
    """Test a model against the teacher, and against the student with CL alone.

    Parameters
    ----------
    rates : DataFrame
        One rate a split (row) and model (column).
    model : str
        Which of the models.
    students : mapping of str to Student
        The students among the models.

    Returns
    -------
    dict of str to float
        ``p_teacher`` and ``p_cl`` of Wilcoxon's test over the splits, NaN where there is
        nothing to be compared with. The student with CL alone is of the model's network.
    """
    return {
        f"p_{key}": wilcoxon(rates[model], rates[other]) if other else np.nan
        for key, other in _baselines(model, rates, students).items()
    }


def _baselines(
    model: str, models: Iterable[str], students: Mapping[str, Student]
) -> dict[str, str | None]:
    """Name the models with which a model is compared; None where one is not among `models`."""
    found = {"teacher": TEACHER, "cl": cl_alone(model, students)}
    return {key: other if other in set(models) - {model} else None for key, other in found.items()}


def _over_all(eer: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Test all models (columns) over the splits (rows) at once; then each two of them."""
    overall = pd.DataFrame(np.nan, eer.columns, ["rank", "p_friedman", "critical_difference"])
    pairs = pd.DataFrame(np.nan, eer.columns, eer.columns)
    if eer.shape[1] >= 3:
        overall["rank"] = average_ranks(eer)
        overall["p_friedman"] = friedman(eer)
        if overall["p_friedman"].iloc[0] < SIGNIFICANCE:
            overall["critical_difference"] = critical_difference(*eer.shape[::-1], SIGNIFICANCE)
            pairs[:] = nemenyi(eer)
    return overall, pairs
