"""Models compared over writers and training seeds: intervals of their rates and differences."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fkd.ranges import Count, checked
from fkd.storage import shards
from fkd.storage.atomic import writing
from fkd.study.models import in_order
from fkd.study.replicates import Replicate
from fkd.study.students import Student
from fkd.study.summary import baselines
from fkd.verification.bootstrap import Draws, Interval, Trial
from fkd.verification.judging import splits_by_writer
from fkd.verification.metrics import half_total_error
from fkd.verification.thresholds import equal_error_rate

COLUMNS = ("set", "references", "model", "seeds", "rate", "versus", "value", "low", "high", "p")


def _error_at_zero(genuine: np.ndarray, forged: np.ndarray) -> float:
    """Compute the mean of FRR and FAR of scores less their writers' own thresholds."""
    return half_total_error(genuine, forged, 0)


STATISTICS = {"EER_userthresholds": _error_at_zero, "EER": equal_error_rate}
"""The rates that are compared, each with the statistic of its scores."""


@checked
def compare_models(
    *,
    scores: list[Path],
    out: Path,
    students: dict[str, Student],
    starts: dict[str, str] | None = None,
    resamples: Count = 500,
) -> None:
    """Compute the intervals of models' error rates and of their differences.

    Parameters
    ----------
    scores : list of Path
        The shards of kind ``scores`` of all models on one set with one number of references,
        under all of their seeds.
    out : Path
        The CSV file to write, with the columns of :data:`COLUMNS`, rates as shares. A row with an
        empty ``versus`` is the rate of a model, averaged over splits and seeds. Other rows are the
        rate of a model minus that of the one that ``versus`` names: the teacher, and the student of
        the same network with CL alone, and the model from which it starts. ``low`` and ``high`` are
        the ends of the 95 % interval over writers and seeds, and ``p`` is the two-sided p-value of a
        difference.
    students : dict of str to Student
        The students among the models.
    starts : dict of str to str, optional
        The model from which each Siamese network starts that is compared with it.
    resamples : int
        The number of draws of writers and seeds.

    Raises
    ------
    FkdError
        If models were judged on different writers.
    """
    trials: dict[str, dict[str, list[Trial]]] = {}
    place: dict[str, object] = {}
    for path in scores:
        about, trial_of = read_trials(path)
        model = Replicate.of(about["model"]).model
        place = {"set": about["set"], "references": about["protocol"]["references"]}
        for rate, trial in trial_of.items():
            trials.setdefault(model, {}).setdefault(rate, []).append(trial)
    names = in_order(trials)
    draws = {
        rate: Draws(statistic, [trials[name][rate] for name in names], resamples=resamples)
        for rate, statistic in STATISTICS.items()
    }
    with writing(out) as part, part.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        table.writeheader()
        for number, model in enumerate(names):
            for rate, drawn in draws.items():
                row = {**place, "model": model, "seeds": len(trials[model][rate]), "rate": rate}
                table.writerow(row | {"versus": ""} | _ends(drawn.interval(number)))
                for other in _others(model, trials, students, starts or {}):
                    found = drawn.difference(number, names.index(other))
                    table.writerow(row | {"versus": other} | _ends(found) | {"p": found.p})


def read_trials(path: Path) -> tuple[Mapping[str, Any], dict[str, Trial]]:
    """Read the scores of a model on a set, as they enter each of :data:`STATISTICS`.

    Parameters
    ----------
    path : Path
        A shard of kind ``scores``.

    Returns
    -------
    about : mapping
        The attributes of the shard.
    trials : dict of str to Trial
        The scores by rate. Those of ``EER_userthresholds`` are less their writers' thresholds.
    """
    shard = shards.read(path, "scores", ("split", "writer", "forgery", "score"))
    splits = splits_by_writer(shard)
    own = [split.above_own_thresholds() for split in splits]
    return shard.attributes, {"EER_userthresholds": Trial(own), "EER": Trial(splits)}


def _others(
    model: str,
    models: Mapping[str, object],
    students: Mapping[str, Student],
    starts: Mapping[str, str],
) -> list[str]:
    """Name the models with which a model is compared, each once."""
    named = [*baselines(model, models, students).values(), starts.get(model)]
    return list(dict.fromkeys(other for other in named if other))


def _ends(found: Interval) -> dict[str, float]:
    return {"value": found.value, "low": found.low, "high": found.high}
