"""The error rates of a study summarized over its splits, and tests of their differences."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from fkd.errors import FkdError
from fkd.storage.files import check_file, printable
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

CAVEAT = (
    "Each mark is a guide alone: the splits overlap, because all draw on the same signatures, and "
    "each model was trained once, from one seed."
)
"""What stands wherever differences are marked: the tests take splits to be independent."""

_NAMES = dict.fromkeys(("model", "set", "label", "verifier", "aim", "rate", "note"), str)
"""Columns of names, which may look like numbers or like missing values."""


def read_rates(path: Path) -> pd.DataFrame:
    """Read a table of error rates, such as a file of metrics or ``eer.csv``.

    Parameters
    ----------
    path : Path
        A CSV file with the columns ``model``, ``set`` and ``references``, and error rates.

    Returns
    -------
    DataFrame
        The table. Names are text even if they look like numbers, such as 007, or like missing
        values, such as NA.

    Raises
    ------
    FkdError
        If the file is no such table.
    """
    check_file(path, "Run the stage that makes it first.")
    try:
        table = pd.read_csv(path, dtype=_NAMES, keep_default_na=False, na_values={})
        numbers = [name for name in table.columns if name not in _NAMES]
        # Empty cells, where a test was not possible, make a column of numbers one of text.
        table[numbers] = table[numbers].apply(pd.to_numeric)
        table[["model", "set", "references"]]
    except (ValueError, KeyError) as error:  # pandas' own errors are ValueErrors
        reason = str(error).partition("\n")[0]
        raise FkdError(f"{printable(path)}: no table of error rates ({reason}).") from None
    return table


def read_splits(metrics: Iterable[Path]) -> pd.DataFrame:
    """Read and join the error rates of all splits.

    Parameters
    ----------
    metrics : iterable of Path
        The files that the stage ``evaluate_wd`` wrote.

    Returns
    -------
    DataFrame
        One row per model, set, number of references and split.

    Raises
    ------
    FkdError
        If a file is no such table, or a rate in it is missing.
    """
    tables = []
    for path in metrics:
        tables.append(read_rates(path))
        if tables[-1].isna().any(axis=None):
            raise FkdError(f"{printable(path)}: a rate is missing. Remove it and run again.")
    return pd.concat(tables, ignore_index=True)


def summarize(splits: pd.DataFrame, students: Mapping[str, Student]) -> pd.DataFrame:
    """Summarize error rates over the splits, and test their differences.

    Parameters
    ----------
    splits : DataFrame
        A table with the columns ``model``, ``set``, ``references``, ``split`` and the error
        rates, as fractions.
    students : mapping of str to Student
        The students among the models.

    Returns
    -------
    DataFrame
        One row per model, set and number of references, with the models in the order of the
        paper. ``RATE_mean`` and ``RATE_sd`` are the mean and the standard deviation of each
        rate, in percent. The other columns test ``EER_userthresholds``:

        - ``p_teacher`` and ``p_cl`` are the p-values of Wilcoxon's test against the teacher and
          against the student with the same network and CL alone. They are empty if there is no
          such model to compare with.
        - ``rank`` is the model's average rank, and ``p_friedman`` the p-value of Friedman's test
          over all models. They are empty for fewer than three models.
        - ``critical_difference`` is that of two ranks, and ``nemenyi_teacher`` and
          ``nemenyi_cl`` are the p-values of Nemenyi's test. They are empty unless Friedman's
          test is significant.
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
        One rate per split (row) and model (column).
    model : str
        The model's name.
    students : mapping of str to Student
        The students among the models.

    Returns
    -------
    dict of str to float
        The p-values ``p_teacher`` and ``p_cl`` of Wilcoxon's test over the splits. They are NaN
        if there is no model to compare with. The student with CL alone has the model's network.
    """
    return {
        f"p_{key}": wilcoxon(rates[model], rates[other]) if other else np.nan
        for key, other in _baselines(model, rates, students).items()
    }


def _baselines(
    model: str, models: Iterable[str], students: Mapping[str, Student]
) -> dict[str, str | None]:
    """Name the models with which a model is compared; None for one that is not in `models`."""
    baselines = {"teacher": TEACHER, "cl": cl_alone(model, students)}
    return {
        key: other if other in set(models) - {model} else None for key, other in baselines.items()
    }


def _over_all(eer: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Test all models (columns) over the splits (rows) at once, then each pair of models."""
    overall = pd.DataFrame(np.nan, eer.columns, ["rank", "p_friedman", "critical_difference"])
    pairs = pd.DataFrame(np.nan, eer.columns, eer.columns)
    if eer.shape[1] >= 3:
        overall["rank"] = average_ranks(eer)
        overall["p_friedman"] = friedman(eer)
        if overall["p_friedman"].iloc[0] < SIGNIFICANCE:
            overall["critical_difference"] = critical_difference(*eer.shape[::-1], SIGNIFICANCE)
            pairs[:] = nemenyi(eer)
    return overall, pairs
