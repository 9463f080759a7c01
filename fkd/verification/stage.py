"""The stages of verification: scores and error rates of a model's features."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from fkd.errors import FkdError
from fkd.ranges import Count, Positive, checked
from fkd.storage import shards
from fkd.storage.atomic import writing
from fkd.verification.features import Features, read_features
from fkd.verification.independent import scores_of_pair_splits
from fkd.verification.machine import read_machine
from fkd.verification.protocol import GAMMA, C, PairProtocol, Protocol
from fkd.verification.scoring import MEMORY, SplitScores, scores_of_splits
from fkd.verification.writers import judged_writers

WD = "wd"
"""The writer-dependent verifier, in tables and attributes."""


@checked
def evaluate_wd(
    *,
    features: Path,
    metrics: Path,
    scores: Path,
    protocol: Protocol,
    C: Positive = C,
    gamma: Positive = GAMMA,
    threads: Count | None = None,
    memory: Positive = MEMORY,
) -> None:
    """Evaluate a model's features of one set by writer-dependent verification.

    Parameters
    ----------
    features : Path
        The shard of kind ``features``, with ``feature`` (n, F), ``writer`` str and ``forgery``
        bool, and the attributes ``model`` and ``set``.
    metrics : Path
        The CSV file to write, with one row per split and the columns ``model``, ``set``,
        ``references``, ``split`` (from 0) and the rates of :func:`evaluate`, at full precision.
    scores : Path
        The shard of kind ``scores`` to write, with one row per tested signature: ``split``,
        ``writer`` str, ``row`` (in `features`), ``forgery`` bool and ``score``. The arrays
        ``random_split``, ``random_writer`` (a position in ``writers``) and ``random_score`` have
        one row per random forgery, one by each other writer. The array ``references`` (splits,
        writers, NREF) holds the rows of each writer's references. The attributes give model, set,
        verifier and protocol, the order of the judged writers in ``writers``, and in ``left_out``
        the writers with too few signatures where the protocol says ``writers: enough``.
    protocol : Protocol
        The numbers of references, tests and splits.
    C : float
        The cost of an error of the support vector machines.
    gamma : float
        The gamma of the RBF kernel.
    threads : int, optional
        The number of threads; by default, one per CPU core. Scores do not depend on it.
    memory : float
        The gigabytes of memory that splits may use when they are computed at the same time.

    Notes
    -----
    Writers are sorted in natural order, with 2 before 10.
    """
    given = read_features(features)
    splits = scores_of_splits(
        given.x,
        given.y,
        given.forgery,
        protocol,
        C,
        gamma,
        names=given.names,
        threads=threads,
        memory=memory,
    )
    settings = asdict(protocol) | {"negatives": protocol.refused, "C": C, "gamma": gamma}
    _write(
        features, given, splits, protocol, {"verifier": WD, "protocol": settings}, metrics, scores
    )


@checked
def evaluate_wi(
    *,
    features: Path,
    metrics: Path,
    scores: Path,
    verifier: str,
    protocol: PairProtocol,
    machine: Path | None = None,
    threads: Count | None = None,
) -> None:
    """Evaluate a model's features of one set by writer-independent verification.

    Parameters
    ----------
    features : Path
        The shard of kind ``features`` of the judged set.
    metrics : Path
        The CSV file to write, as that of :func:`evaluate_wd`, with a column ``verifier``.
    scores : Path
        The shard of kind ``scores`` to write, as that of :func:`evaluate_wd`.
    verifier : str
        The verifier's name in tables, such as ``wi``.
    protocol : PairProtocol
        The numbers of references, tests and splits, the fusion and the comparison.
    machine : Path, optional
        The shard of kind ``machine`` of the same model, written by
        :func:`fkd.verification.train_wi`. Distances need none.
    threads : int, optional
        The number of threads; by default, one per CPU core. Scores do not depend on it.

    Raises
    ------
    FkdError
        If the machine is missing or of another model, or :func:`scores_of_pair_splits` raises it.
    """
    given = read_features(features)
    if protocol.comparison == "svm" and not machine:
        raise FkdError("machine: missing. Train it first, by the stage train_wi.")
    compare = read_machine(machine, given.origin["model"]) if machine else None
    splits = scores_of_pair_splits(
        given.x,
        given.y,
        given.forgery,
        protocol,
        exploitation=np.unique(given.y),
        machine=compare,
        names=given.names,
        threads=threads,
    )
    settings = asdict(protocol)
    about = {"verifier": verifier, "protocol": settings}
    _write(features, given, splits, protocol, about, metrics, scores)


def _write(
    features: Path,
    given: Features,
    splits: Iterator[SplitScores],
    protocol: Protocol | PairProtocol,
    about: Mapping[str, Any],
    metrics: Path,
    scores: Path,
) -> None:
    """Write the scores and the error rates of all splits."""
    origin = {key: given.origin[key] for key in ("model", "set")}
    is_wd = about["verifier"] == WD  # the published columns
    rates, tested, random, references = [], [], [], []
    try:
        for split, scored in enumerate(splits):
            rated = origin | ({} if is_wd else {"verifier": about["verifier"]})
            rated |= {"references": protocol.references, "split": split}
            rates.append(rated | scored.rates())
            references.append(scored.reference_rows)
            for rows, values in (
                (scored.genuine_rows, scored.genuine),
                (scored.skilled_rows, scored.skilled),
            ):
                row, score = (np.concatenate(list(kind)) for kind in (rows, values))
                tested.append((np.full(len(row), split), row, score))
            random += _one_random_forgery_by_each_writer(split, scored, given.y)
    except FkdError as error:
        raise FkdError(f"{features}: {error}") from None
    judged = given.names[judged_writers(given.y, given.forgery, protocol)]
    left_out = [name for name in given.names if name not in set(judged)]
    split, row, score = (np.concatenate(column) for column in zip(*tested, strict=True))
    random_split, random_writer, random_score = (
        np.concatenate(column) for column in zip(*random, strict=True)
    )
    shards.write(
        scores,
        "scores",
        {
            "split": split,
            "writer": given.names[given.y[row]],
            "row": row,
            "forgery": given.forgery[row],
            "score": score,
            "random_split": random_split,
            "random_writer": random_writer,
            "random_score": random_score,
            "references": np.stack(references).astype(np.int32),
        },
        given.origin
        | about
        | {"writers": list(judged)}
        | ({"left_out": left_out} if left_out else {}),
    )
    with writing(metrics) as part, part.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, rates[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rates)


def _one_random_forgery_by_each_writer(
    split: int, scored: SplitScores, y: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Choose the first random forgery by each other writer: all of them would fill the disk."""
    for writer, (rows, values) in enumerate(zip(scored.random_rows, scored.random, strict=True)):
        _, first = np.unique(y[rows], return_index=True)
        yield (
            np.full(len(first), split, np.int32),
            np.full(len(first), writer, np.int32),
            np.asarray(values)[first],
        )
