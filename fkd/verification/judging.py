"""What a verifier's thresholds and calibration are worth on a judged set."""

import csv
from pathlib import Path

import numpy as np

from fkd.errors import FkdError
from fkd.ranges import Count, checked
from fkd.storage import shards
from fkd.storage.atomic import writing
from fkd.verification.bootstrap import Trial, WriterScores, interval
from fkd.verification.calibration import calibrate
from fkd.verification.evidence import cllr, cllr_min
from fkd.verification.thresholds import equal_error_rate, rates_at, set_thresholds
from fkd.verification.verifier import Verifier, read_verifier_of

COLUMNS = ("model", "set", "verifier", "references", "aim", "rate", "value", "low", "high", "note")

A_POSTERIORI = "a posteriori"
"""The aim of rates whose threshold is chosen on the judged scores themselves."""

EVIDENCE = "evidence"
"""The aim of measures of likelihood ratios, which have no threshold."""

RATES = ("FRR", "FAR_skilled", "HTER")


@checked
def judge_verifier(*, scores: Path, verifier: Path, out: Path, resamples: Count = 500) -> None:
    """Measure a verifier on judged writers: error rates at its thresholds, and its evidence.

    Parameters
    ----------
    scores : Path
        The shard of kind ``scores`` of the judged set.
    verifier : Path
        The shard of kind ``verifier`` of the same model, verifier and number of references.
    out : Path
        The CSV file to write, with the columns of :data:`COLUMNS`. For each threshold (``aim``),
        the rates ``FRR``, ``FAR_skilled``, ``FAR_random`` and ``HTER``; ``EER`` at a threshold
        chosen a posteriori; and ``Cllr`` and ``Cllr_min`` of the likelihood ratios, in bits. Values
        are means over the splits. ``low`` and ``high`` are the ends of the 95 % interval over
        development writers and judged writers. FAR_random has none, since its scores depend on
        two writers. ``note`` says
        why a threshold cannot hold what it aims at.
    resamples : int
        The number of draws of writers.

    Raises
    ------
    FkdError
        If the two files do not belong together.
    """
    names = ("split", "writer", "forgery", "score", "random_split", "random_score")
    shard = shards.read(scores, "scores", names)
    found = read_verifier_of(verifier, shard.attributes)
    origin = {key: shard.attributes[key] for key in ("model", "set", "verifier")}
    origin["references"] = shard.attributes["protocol"]["references"]
    trial = Trial(splits_by_writer(shard), found.development)
    eer = interval(equal_error_rate, [trial], resamples=resamples)
    rows = [
        (A_POSTERIORI, "EER", eer.value, eer.low, eer.high, ""),
        *_at_thresholds(shard, trial, found, resamples),
        *_as_evidence(trial, found, resamples),
    ]
    with writing(out) as part, part.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows((*origin.values(), *row) for row in rows)


def splits_by_writer(shard: shards.Shard) -> list[WriterScores]:
    """Divide the scores of a shard of kind ``scores`` by split and writer.

    Parameters
    ----------
    shard : Shard
        With ``split``, ``writer``, ``forgery`` and ``score``.

    Returns
    -------
    list of WriterScores
        One for each split.
    """
    number = {name: at for at, name in enumerate(shard.attributes["writers"])}
    writer = np.array([number[name] for name in shard["writer"]], int)
    forgery, split = shard["forgery"].astype(bool), shard["split"]
    return [
        WriterScores.of_rows(shard["score"][rows], forgery[rows], writer[rows], len(number))
        for rows in (split == one for one in np.unique(split))
    ]


def _at_thresholds(
    shard: shards.Shard, trial: Trial, verifier: Verifier, resamples: int
) -> list[tuple]:
    """Measure the rates at the thresholds, which are set anew on each draw of writers."""
    aims = list(verifier.thresholds)

    def setting(genuine: np.ndarray, forged: np.ndarray) -> np.ndarray:
        found = set_thresholds(genuine, forged)
        return np.array([found[aim].value for aim in aims])

    def rates(genuine: np.ndarray, forged: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
        found = [rates_at(threshold, genuine, forged) for threshold in thresholds]
        return np.array([[rate[name] for name in RATES] for rate in found])

    measured = interval(rates, [trial], setting=setting, resamples=resamples)
    rows = []
    for at, aim in enumerate(aims):
        for rate, name in enumerate(RATES):
            ends = (end[at, rate] for end in (measured.value, measured.low, measured.high))
            rows.append((aim, name, *map(float, ends), ""))
        threshold = verifier.thresholds[aim]
        random = float(np.mean(shard["random_score"] >= threshold.value))
        rows.append((aim, "FAR_random", random, "", "", ""))
        rows.append((aim, "threshold", threshold.value, "", "", threshold.note))
    return rows


def _as_evidence(trial: Trial, verifier: Verifier, resamples: int) -> list[tuple]:
    """Measure the likelihood ratios, whose calibration is fitted anew on each draw of writers."""
    kind = verifier.calibration.kind

    def setting(genuine: np.ndarray, forged: np.ndarray):
        try:
            return calibrate(genuine, forged, kind)
        except FkdError:  # a draw whose scores tell nothing
            return np.zeros_like

    def costs(genuine: np.ndarray, forged: np.ndarray, calibrated) -> np.ndarray:
        ratios = calibrated(genuine), calibrated(forged)
        return np.array([cllr(*ratios), cllr_min(genuine, forged)])

    measured = interval(costs, [trial], setting=setting, resamples=resamples)
    ends = zip(measured.value, measured.low, measured.high, strict=True)
    return [
        (EVIDENCE, name, *map(float, three), "")
        for name, three in zip(("Cllr", "Cllr_min"), ends, strict=True)
    ]
