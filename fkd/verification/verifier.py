"""Verifiers: what is set beforehand on development writers, so that a score can be acted on.

A verifier belongs to a model, a way of comparing signatures and a number of references. Its
thresholds and its calibration are set on the scores of development writers, none of whom is judged.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fkd.errors import FkdError
from fkd.ranges import Count, Positive, checked
from fkd.storage import shards
from fkd.verification.bootstrap import WriterScores
from fkd.verification.calibration import Calibration, calibrate
from fkd.verification.features import joined_sets, read_features
from fkd.verification.independent import scores_of_development
from fkd.verification.pairs import Development
from fkd.verification.protocol import GAMMA, C, PairProtocol, Protocol
from fkd.verification.scoring import MEMORY, scores_of_splits
from fkd.verification.thresholds import Threshold, set_thresholds

_log = logging.getLogger(__name__)

KIND = "verifier"
"""The kind of shard that holds a verifier."""


@dataclass(frozen=True, eq=False)
class Verifier:
    """A verifier, as :func:`set_verifier` writes it.

    Attributes
    ----------
    thresholds : dict of str to Threshold
        The thresholds by aim, see :data:`fkd.verification.thresholds.AIMS`.
    calibration : Calibration
        From scores to log10 likelihood ratios.
    development : WriterScores
        The scores on which both were set, by writer.
    about : dict of str to Any
        ``model`` and the SHA-256 digest of its ONNX file in ``onnx``, ``preprocessing`` of the
        development sets, ``verifier``, ``protocol``, and ``measured_on``: the development sets
        with the numbers of their writers, genuine signatures and forgeries.
    """

    thresholds: dict[str, Threshold]
    calibration: Calibration
    development: WriterScores
    about: dict[str, Any]


@checked
def set_verifier(
    *,
    development: list[Path],
    out: Path,
    verifier: str,
    protocol: Protocol | PairProtocol,
    calibration: Literal["logistic", "isotonic"] = "logistic",
    C: Positive = C,
    gamma: Positive = GAMMA,
    threads: Count | None = None,
    memory: Positive = MEMORY,
) -> None:
    """Set the thresholds and the calibration of a verifier on development writers.

    Development writers are enrolled and tested as judged ones are, in one split: some of their
    genuine signatures are references, the other ones and all skilled forgeries are tests. A machine
    that learns from pairs scores each half of the writers after it has learned from the other half.

    Parameters
    ----------
    development : list of Path
        The shards of kind ``features`` of the development sets, by one model.
    out : Path
        The shard of kind ``verifier`` to write. ``score``, ``forgery`` and ``person``, the
        number of the writer, have one row per development score; ``knot_score`` and ``knot_log10_lr`` are the calibration.
        Attributes give its settings, the thresholds, and what was measured.
    verifier : str
        The verifier's name in tables: ``wd`` for the writer-dependent one.
    protocol : Protocol or PairProtocol
        The protocol of the verifier. Its numbers of tests and splits are not used.
    calibration : {"logistic", "isotonic"}
        The kind of calibration.
    C : float
        The cost of an error of the support vector machines.
    gamma : float
        The gamma of the RBF kernel.
    threads : int, optional
        The number of threads; by default, one per CPU core. Scores do not depend on it.
    memory : float
        The gigabytes of memory for kernel matrices.

    Raises
    ------
    FkdError
        If the sets are described by several models, or their scores set no threshold.
    """
    sets = [read_features(path) for path in development]
    joined, model = joined_sets(sets)
    options = {"C": C, "gamma": gamma, "threads": threads, "memory": memory}
    found = _scores(joined, protocol, options)
    thresholds = set_thresholds(*found.all)
    fitted = _calibrate(*found.all, calibration)
    score, forgery, person = found.rows()
    shards.write(
        out,
        KIND,
        {
            "score": score,
            "forgery": forgery,
            "person": person,
            "knot_score": fitted.scores,
            "knot_log10_lr": fitted.log10_lr,
        },
        {
            "model": model,
            "onnx": sets[0].origin.get("onnx"),
            "preprocessing": {one.origin["set"]: one.origin.get("preprocessing") for one in sets},
            "verifier": verifier,
            "protocol": asdict(protocol) | {"C": C, "gamma": gamma},
            "thresholds": {aim: asdict(threshold) for aim, threshold in thresholds.items()},
            "calibration": fitted.settings(),
            "measured_on": {
                "sets": [one.origin["set"] for one in sets],
                "writers": found.writers,
                "genuine": int((~forgery).sum()),
                "forged": int(forgery.sum()),
            },
        },
    )


def _calibrate(genuine: np.ndarray, forged: np.ndarray, kind: str) -> Calibration:
    """Fit a calibration; scores that do not rise from forgeries to genuine ones say nothing."""
    try:
        return calibrate(genuine, forged, kind)
    except FkdError as error:
        _log.warning("%s All likelihood ratios are therefore 1.", error)
        nothing = np.zeros(1)
        return Calibration(kind, nothing, nothing, len(genuine), len(forged))


def read_verifier_of(path: Path, scores: Mapping[str, Any]) -> Verifier:
    """Read a verifier, and refuse it if scores are not its own.

    Parameters
    ----------
    path : Path
        A shard that :func:`set_verifier` wrote.
    scores : mapping of str to Any
        The attributes of a shard of kind ``scores``.

    Raises
    ------
    FkdError
        If :func:`read_verifier` raises it, or the scores are of another model or verifier.
    """
    found = read_verifier(path)
    for key in ("model", "verifier"):
        if found.about[key] != scores[key]:
            raise FkdError(f"{path}: of the {key} {found.about[key]}, not {scores[key]}.")
    return found


def read_verifier(path: Path) -> Verifier:
    """Read a verifier.

    Parameters
    ----------
    path : Path
        A shard that :func:`set_verifier` wrote.

    Raises
    ------
    FkdError
        If the file is no such shard, or what it holds is no verifier.
    """
    names = ("score", "forgery", "person", "knot_score", "knot_log10_lr")
    shard = shards.read(path, KIND, names)
    forgery = shard["forgery"].astype(bool)
    writers = int(shard["person"].max(initial=-1)) + 1
    knots = {"scores": shard["knot_score"], "log10_lr": shard["knot_log10_lr"]}
    try:
        thresholds = shard.attributes["thresholds"].items()
        return Verifier(
            {aim: Threshold(**threshold) for aim, threshold in thresholds},
            Calibration.restored(knots, shard.attributes["calibration"]),
            WriterScores.of_rows(shard["score"], forgery, shard["person"], writers),
            shard.attributes,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise FkdError(f"{path}: no verifier ({error}). Set it again.") from None


def _scores(
    joined: Development, protocol: Protocol | PairProtocol, options: dict[str, Any]
) -> WriterScores:
    """Score the development writers as judged ones, each of them once."""
    if isinstance(protocol, PairProtocol):
        tested = replace(protocol, test="all", splits=1, writers="enough")
        return scores_of_development(joined, tested, **options)
    tested = replace(protocol, test_genuine="rest", test_skilled="all", splits=1, writers="enough")
    return WriterScores.of(scores_of_splits(joined.x, joined.y, joined.yforg, tested, **options))
