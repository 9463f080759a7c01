"""The stage that judges Siamese networks on pairs."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fkd import device as devices
from fkd.errors import FkdError
from fkd.models.siamese import embed, load_siamese
from fkd.pairs.parts import PARTS
from fkd.pairs.rates import Decisions
from fkd.pairs.stored import Pairs, read_pairs
from fkd.ranges import Count, Device, checked
from fkd.storage import shards
from fkd.storage.atomic import writing
from fkd.study.parts import architecture_of
from fkd.verification.bootstrap import Trial, WriterScores, interval
from fkd.verification.metrics import area_under_curve, equal_error_threshold, half_total_error

COLUMNS = ("model", "pairs", "split", "measure", "value", "low", "high")

KIND = "pair_scores"
"""The kind of shard that holds the scores of pairs."""

RATES = ("accuracy", "precision", "recall", "F1", "EER", "AUC")
"""The rates with intervals. Precision, recall and F1 are those of the forged pairs."""


@checked
def evaluate_pairs(
    *,
    pairs: Path,
    weights: Path,
    out: Path,
    scores: Path,
    name: str,
    resamples: Count = 500,
    device: Device = "auto",
    threads: Count | None = None,
) -> None:
    """Judge a Siamese network on the test pairs of a list.

    The threshold is that of equal errors on the validation pairs, or on the training pairs if there
    is no validation.

    Parameters
    ----------
    pairs : Path
        The shard of kind "pairs" on which the network was trained.
    weights : Path
        The weights, see :func:`fkd.models.siamese.save_siamese`.
    out : Path
        The CSV file to write, with the columns of :data:`COLUMNS`: the ``threshold``; the rates of
        :data:`RATES`, with the ends of their 95 % intervals over writers, where ``EER`` and ``AUC``
        need no threshold; the counts of the confusion matrix; and the report by class.
    scores : Path
        The shard of kind "pair_scores" to write, with ``row`` (in `pairs`), ``forged``, ``part``
        and ``score`` of each pair for validation and test.
    name : str
        The network's name in the study.
    resamples : int
        The number of draws of writers.
    device : {"auto", "cpu", "cuda"}
        The device on which the network computes.
    threads : int, optional
        The number of CPU threads.

    Raises
    ------
    FkdError
        If the network was trained on other pairs, or there is nothing to test.
    """
    where = devices.set_up(device, threads)
    listed = read_pairs(pairs)
    network, about = load_siamese(weights)
    if about["pairs"]["content"] != listed.digest:
        raise FkdError(f"{weights}: trained on other pairs than {pairs}. Train it anew.")
    test, kept = listed.rows("test"), listed.rows("validation")
    setting = kept if len(kept) else listed.rows("training")
    for rows, what in ((test, "test"), (setting, "threshold")):
        if len(set(listed.forged[rows])) < 2:
            raise FkdError(
                f"{pairs}: the {what} needs both genuine pairs and pairs with a forgery. Give the "
                "parts of this list larger shares."
            )
    used = np.concatenate([setting, test])
    input_size = architecture_of(network.embedding.architecture).input.size
    images = torch.from_numpy(listed.images(input_size))
    ends = np.union1d(listed.first[used], listed.second[used])
    with torch.inference_mode():
        embedding = embed(network.to(where), images, ends)
        score = network.cpu().comparer(
            embedding[listed.first[used]], embedding[listed.second[used]]
        )
    score = score.numpy().astype(np.float64)
    trial = Trial(
        [_by_writer(listed, test, score[len(setting) :])],
        _by_writer(listed, setting, score[: len(setting)]),
    )
    threshold = equal_error_threshold(*trial.development.all)
    rates = interval(_rates, [trial], setting=equal_error_threshold, resamples=resamples)
    found = Decisions.at(threshold, *trial.splits[0].all)
    origin = (name, listed.about["pairs"], listed.about["parts"]["split"])
    with writing(out) as part, part.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerow((*origin, "threshold", threshold, "", ""))
        for at, rate in enumerate(RATES):
            ends_of = (float(end[at]) for end in (rates.value, rates.low, rates.high))
            table.writerow((*origin, rate, *ends_of))
        table.writerows((*origin, *row, "", "") for row in _report(found))
    shards.write(
        scores,
        KIND,
        {
            "row": used.astype(np.int32),
            "forged": listed.forged[used],
            "part": listed.part[used],
            "score": score,
        },
        {"model": name, "pairs": listed.about["pairs"], "threshold": threshold}
        | {"content": listed.digest, "set_on": PARTS[int(listed.part[setting[0]])]},
    )


def _rates(genuine: np.ndarray, forged: np.ndarray, threshold: float) -> np.ndarray:
    """Compute :data:`RATES`, (rates,)."""
    found = Decisions.at(threshold, genuine, forged)
    own = equal_error_threshold(genuine, forged)
    return np.array(
        [
            *(found.accuracy, found.precision, found.recall, found.f1),
            half_total_error(genuine, forged, own),
            area_under_curve(genuine, forged),
        ]
    )


def _report(found: Decisions) -> list[tuple[str, Any]]:
    """Make the confusion matrix, in counts and by row, and the report by class."""
    genuine = found.genuine_accepted + found.genuine_refused
    forged = found.forged_accepted + found.forged_refused
    other = found.other_class
    return [
        ("genuine accepted", found.genuine_accepted),
        ("genuine refused", found.genuine_refused),
        ("forged accepted", found.forged_accepted),
        ("forged refused", found.forged_refused),
        ("share of genuine accepted", found.genuine_accepted / genuine),
        ("share of genuine refused", found.genuine_refused / genuine),
        ("share of forged accepted", found.forged_accepted / forged),
        ("share of forged refused", found.forged_refused / forged),
        ("precision of genuine", other.precision),
        ("recall of genuine", other.recall),
        ("F1 of genuine", other.f1),
    ]


def _by_writer(listed: Pairs, rows: np.ndarray, score: np.ndarray) -> WriterScores:
    """Divide scores by the writer of each pair's first image."""
    names, number = np.unique(listed.writer[listed.first[rows]], return_inverse=True)
    return WriterScores.of_rows(score, listed.forged[rows], number, len(names))
