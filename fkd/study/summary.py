"""The error rates of a study summarized over its splits, and tests of their differences."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from fkd.errors import FkdError
from fkd.storage.files import check_file, printable
from fkd.study.models import TEACHER, cl_alone, in_order, label
from fkd.study.replicates import Replicate
from fkd.study.students import Student
from fkd.verification.significance import (
    average_ranks,
    critical_difference,
    friedman,
    nemenyi,
    wilcoxon,
)

SIGNIFICANCE = 0.05


def caveat(seeds: int) -> str:
    """Say what stands wherever differences are marked: the tests take splits to be independent.

    Parameters
    ----------
    seeds : int
        The number of seeds under which students were trained.
    """
    training = (
        f"rates are averages over {seeds} training seeds, whose noise the test does not know."
        if seeds > 1
        else "each model was trained once, from one seed."
    )
    return (
        "Each mark is a guide alone: the splits overlap, because all draw on the same signatures, "
        f"and {training}"
    )


_KEYS = ("model", "set", "references")

_NAMES = dict.fromkeys(("model", "set", "label", "verifier", "aim", "rate", "versus", "note"), str)
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
        One row per model, seed, set, number of references and split. ``model`` is the model's name
        in the config, and ``replicate`` the number of the seed, see :mod:`fkd.study.replicates`.

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
    splits = pd.concat(tables, ignore_index=True)
    found = [Replicate.of(name) for name in splits["model"]]
    return splits.assign(
        model=[replicate.model for replicate in found],
        replicate=[replicate.number for replicate in found],
    )


def over_seeds(splits: pd.DataFrame) -> pd.DataFrame:
    """Average the rates of each split over the seeds under which a model was trained.

    Parameters
    ----------
    splits : DataFrame
        A table of :func:`read_splits`.

    Returns
    -------
    DataFrame
        The same columns but ``replicate``, with one row per model, set, number of references and
        split.
    """
    keys = [key for key in (*_KEYS, "verifier", "split") if key in splits]
    rates = [column for column in splits.columns if column not in (*keys, "replicate")]
    return splits.groupby(keys, sort=False)[rates].mean().reset_index()


def summarize(splits: pd.DataFrame, students: Mapping[str, Student]) -> pd.DataFrame:
    """Summarize error rates over the splits, and test their differences.

    Parameters
    ----------
    splits : DataFrame
        A table of :func:`read_splits`, with rates as shares.
    students : mapping of str to Student
        The students among the models.

    Returns
    -------
    DataFrame
        One row per model, set and number of references, with the models in the order of the
        paper, and ``seeds``, the number of seeds under which a model was trained. ``RATE_mean``
        is the mean of each rate over splits and seeds, in percent. ``RATE_sd`` is the population
        standard deviation over the splits, of rates averaged over the seeds. ``RATE_seed_sd`` is
        the sample standard deviation over the seeds, of rates averaged over the splits; it is
        empty for one seed. The other columns test ``EER_userthresholds``, averaged over the seeds:

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
    by_seed = splits.groupby([*_KEYS, "replicate"])[rates[:2]].mean()
    spread = by_seed.groupby(list(_KEYS)).std(ddof=1)  # NaN for one seed
    seeds = by_seed.groupby(list(_KEYS)).size()
    splits = over_seeds(splits)
    rows = []
    for (name, references), group in splits.groupby(["set", "references"], sort=True):
        models = {m: g.sort_values("split") for m, g in group.groupby("model")}
        eer = group.pivot(index="split", columns="model", values="EER_userthresholds")
        overall, pairs = _over_all(eer)
        for model in in_order(models):
            row = {"set": name, "references": references, "model": model}
            row["label"] = label(model, students)
            place = (model, name, references)
            row["seeds"] = int(seeds[place])
            for rate in rates:
                row[f"{rate}_mean"] = 100 * models[model][rate].mean()
                row[f"{rate}_sd"] = 100 * models[model][rate].std(ddof=0)
                if rate in spread:
                    row[f"{rate}_seed_sd"] = 100 * spread.loc[place, rate]
            row |= wilcoxon_tests(eer, model, students)
            for key, other in baselines(model, eer, students).items():
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
        for key, other in baselines(model, rates, students).items()
    }


def baselines(
    model: str, models: Iterable[str], students: Mapping[str, Student]
) -> dict[str, str | None]:
    """Name the models with which a model is compared.

    Parameters
    ----------
    model : str
        The model's name.
    models : iterable of str
        The names of all models.
    students : mapping of str to Student
        The students among the models.

    Returns
    -------
    dict of str to str or None
        ``teacher``, and the student with the same network and CL alone, ``cl``; None for one that
        is not among `models`.
    """
    named = {"teacher": TEACHER, "cl": cl_alone(model, students)}
    return {key: other if other in set(models) - {model} else None for key, other in named.items()}


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
