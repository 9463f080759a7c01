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
def judge_verifier(
    *, scores: list[Path], verifier: list[Path], out: Path, resamples: Count = 500
) -> None:
    """Measure a verifier on judged writers: error rates at its thresholds, and its evidence.

    Parameters
    ----------
    scores : list of Path
        The shards of kind ``scores`` of the judged set, one for each seed under which the model
        was trained, the model's own first.
    verifier : list of Path
        The shards of kind ``verifier`` of the same models, verifier and number of references, in
        the same order.
    out : Path
        The CSV file to write, with the columns of :data:`COLUMNS`. For each threshold (``aim``),
        the rates ``FRR``, ``FAR_skilled``, ``FAR_random`` and ``HTER``; ``EER`` at a threshold
        chosen a posteriori; and ``Cllr`` and ``Cllr_min`` of the likelihood ratios, in bits. Values
        are means over splits and seeds. ``low`` and ``high`` are the ends of the 95 % interval over
        development writers, judged writers and seeds. FAR_random has none, since its scores depend on
        two writers. ``note`` says why a threshold cannot hold what it aims at.
    resamples : int
        The number of draws of writers and seeds.

    Raises
    ------
    FkdError
        If the files do not belong together.
    """
    if not scores or len(scores) != len(verifier):
        raise FkdError(
            f"Scores come with their verifier: found {len(scores)} files of scores and "
            f"{len(verifier)} verifiers."
        )
    names = ("split", "writer", "forgery", "score", "random_split", "random_score")
    judged = [shards.read(path, "scores", names) for path in scores]
    found = [
        read_verifier_of(path, shard.attributes)
        for path, shard in zip(verifier, judged, strict=True)
    ]
    first = judged[0].attributes
    origin = {key: first[key] for key in ("model", "set", "verifier")}
    origin["references"] = first["protocol"]["references"]
    trials = [
        Trial(splits_by_writer(shard), one.development)
        for shard, one in zip(judged, found, strict=True)
    ]
    eer = interval(equal_error_rate, trials, resamples=resamples)
    rows = [
        (A_POSTERIORI, "EER", eer.value, eer.low, eer.high, ""),
        *_at_thresholds(judged, trials, found, resamples),
        *_as_evidence(trials, found, resamples),
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
    judged: list[shards.Shard], trials: list[Trial], verifiers: list[Verifier], resamples: int
) -> list[tuple]:
    """Measure the rates at the thresholds, which are set anew on each draw of writers."""
    aims = list(verifiers[0].thresholds)

    def setting(genuine: np.ndarray, forged: np.ndarray) -> np.ndarray:
        found = set_thresholds(genuine, forged)
        return np.array([found[aim].value for aim in aims])

    def rates(genuine: np.ndarray, forged: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
        found = [rates_at(threshold, genuine, forged) for threshold in thresholds]
        return np.array([[rate[name] for name in RATES] for rate in found])

    measured = interval(rates, trials, setting=setting, resamples=resamples)
    rows = []
    for at, aim in enumerate(aims):
        for rate, name in enumerate(RATES):
            ends = (end[at, rate] for end in (measured.value, measured.low, measured.high))
            rows.append((aim, name, *map(float, ends), ""))
        thresholds = [verifier.thresholds[aim] for verifier in verifiers]
        random = [
            np.mean(shard["random_score"] >= threshold.value)
            for shard, threshold in zip(judged, thresholds, strict=True)
        ]
        rows.append((aim, "FAR_random", float(np.mean(random)), "", "", ""))
        value = float(np.mean([threshold.value for threshold in thresholds]))
        notes = dict.fromkeys(threshold.note for threshold in thresholds if threshold.note)
        rows.append((aim, "threshold", value, "", "", " ".join(notes)))
    return rows


def _as_evidence(trials: list[Trial], verifiers: list[Verifier], resamples: int) -> list[tuple]:
    """Measure the likelihood ratios, whose calibration is fitted anew on each draw of writers."""
    kind = verifiers[0].calibration.kind

    def setting(genuine: np.ndarray, forged: np.ndarray):
        try:
            return calibrate(genuine, forged, kind)
        except FkdError:  # a draw whose scores tell nothing
            return np.zeros_like

    def costs(genuine: np.ndarray, forged: np.ndarray, calibrated) -> np.ndarray:
        ratios = calibrated(genuine), calibrated(forged)
        return np.array([cllr(*ratios), cllr_min(genuine, forged)])

    measured = interval(costs, trials, setting=setting, resamples=resamples)
    ends = zip(measured.value, measured.low, measured.high, strict=True)
    return [
        (EVIDENCE, name, *map(float, three), "")
        for name, three in zip(("Cllr", "Cllr_min"), ends, strict=True)
    ]
