"""Verifiers: what is set beforehand on development writers, so that a score can be acted on.

A verifier belongs to a model, a way of comparing signatures and a number of references. Its
thresholds and its calibration are set on the scores of development writers, none of whom is judged.
"""

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fkd.errors import FkdError
from fkd.ranges import Count, Positive, checked
from fkd.storage import shards
from fkd.verification.bootstrap import WriterScores
from fkd.verification.calibration import Calibration, calibrate
from fkd.verification.independent import scores_of_pair_splits
from fkd.verification.pairs import Development
from fkd.verification.protocol import GAMMA, C, PairProtocol, Protocol
from fkd.verification.scoring import MEMORY, SplitScores, scores_of_splits
from fkd.verification.stage import join_sets, read_features
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
    models = sorted({one.origin["model"] for one in sets})
    if len(models) != 1:
        raise FkdError(
            f"{', '.join(map(str, development))}: features of several models, {', '.join(models)}. "
            "Give those of one."
        )
    joined = join_sets(sets)
    options = {"C": C, "gamma": gamma, "threads": threads, "memory": memory}
    genuine: list[np.ndarray] = []
    forged: list[np.ndarray] = []
    for scored in _scores(joined, protocol, options):
        genuine += list(scored.genuine)
        forged += list(scored.skilled)
    flat = [np.concatenate(kind) for kind in (genuine, forged)]
    thresholds = set_thresholds(*flat)
    fitted = _calibrate(*flat, calibration)
    counts = [[len(own) for own in kind] for kind in (genuine, forged)]
    shards.write(
        out,
        KIND,
        {
            "score": np.concatenate(flat),
            "forgery": np.repeat([False, True], [len(kind) for kind in flat]),
            "person": np.concatenate([np.repeat(np.arange(len(n)), n) for n in counts]),
            "knot_score": fitted.scores,
            "knot_log10_lr": fitted.log10_lr,
        },
        {
            "model": models[0],
            "onnx": sets[0].origin.get("onnx"),
            "preprocessing": {one.origin["set"]: one.origin.get("preprocessing") for one in sets},
            "verifier": verifier,
            "protocol": asdict(protocol) | {"C": C, "gamma": gamma},
            "thresholds": {aim: asdict(threshold) for aim, threshold in thresholds.items()},
            "calibration": fitted.settings(),
            "measured_on": {
                "sets": [one.origin["set"] for one in sets],
                "writers": len(genuine),
                "genuine": len(flat[0]),
                "forged": len(flat[1]),
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
            WriterScores(
                *(
                    by_writer(shard["score"][kind], shard["person"][kind], writers)
                    for kind in (~forgery, forgery)
                )
            ),
            shard.attributes,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise FkdError(f"{path}: no verifier ({error}). Set it again.") from None


def by_writer(values: np.ndarray, writer: np.ndarray, writers: int) -> list[np.ndarray]:
    """Divide values by writer.

    Parameters
    ----------
    values : ndarray, (n,)
        The values.
    writer : ndarray of int, (n,)
        The number of each value's writer, from 0.
    writers : int
        The number of writers.

    Returns
    -------
    list of ndarray
        Each writer's values, in their order.
    """
    order = np.argsort(writer, kind="stable")
    ends = np.searchsorted(writer[order], np.arange(1, writers))
    return np.split(values[order], ends)


def _scores(
    joined: Development, protocol: Protocol | PairProtocol, options: dict[str, Any]
) -> Iterator[SplitScores]:
    """Score the development writers as judged ones, each of them once."""
    x, y, yforg = joined.x, joined.y, joined.yforg
    if isinstance(protocol, Protocol):
        tested = Protocol(
            protocol.references,
            test_genuine="rest",
            test_skilled="all",
            splits=1,
            seed=protocol.seed,
            negatives=protocol.negatives,
            writers="enough",
        )
        yield from scores_of_splits(x, y, yforg, tested, **options)
        return
    tested = PairProtocol(
        protocol.references,
        test="all",
        development_references=protocol.development_references,
        fusion=protocol.fusion,
        comparison=protocol.comparison,
        splits=1,
        seed=protocol.seed,
        writers="enough",
    )
    # Every second writer, so that both halves have writers of all sets.
    halves = [np.unique(y)[part::2] for part in (0, 1)]
    for judged, learned in (halves, halves[::-1]):
        yield from scores_of_pair_splits(
            x, y, yforg, tested, exploitation=judged, development=learned, **options
        )
