"""The stage of writer-dependent verification: a file of features becomes files of scores and rates."""

from pathlib import Path

import numpy as np
import pandas as pd

from fkd.errors import FkdError
from fkd.storage import shards
from fkd.storage.atomic import writing
from fkd.storage.files import natural_order
from fkd.verification.protocol import MEMORY_MB, scores_of_splits


def evaluate_wd(
    *,
    features: Path,
    metrics: Path,
    scores: Path,
    references: int,
    test_genuine: int,
    test_skilled: int,
    splits: int = 10,
    seed: int = 1234,
    C: float = 1.0,
    gamma: float = 2**-11,
    negatives: int | None = None,
    threads: int | None = None,
    memory_mb: int = MEMORY_MB,
) -> None:
    """Evaluate one model's features of one data set, writer by writer.

    Parameters
    ----------
    features : Path
        Shard of kind ``features``: ``feature`` (n, F), ``writer`` str, ``forgery``
        bool; attributes ``model`` and ``set``.
    metrics : Path
        CSV to write, one row a split: ``model``, ``set``, ``references``, ``split``
        (from 0) and the rates of :func:`evaluate`, at full precision.
    scores : Path
        Shard of kind ``scores`` to write, one row a tested signature: ``split``,
        ``writer`` str, ``row`` (in `features`), ``forgery`` bool, ``score``. The
        attributes say model, set and protocol.
    references : int
        Genuine references a writer, NREF.
    test_genuine : int
        Genuine signatures tested a writer.
    test_skilled : int
        Skilled forgeries tested a writer.
    splits : int
        Random splits into references and tests.
    seed : int
        Of the splits.
    C : float
        Cost of the support vector machine.
    gamma : float
        Of the RBF kernel.
    negatives : int, optional
        How many of each other writer's references a model learns to refuse; all by default.
    threads : int, optional
        How many compute; one a CPU core by default. Scores do not depend on it.
    memory_mb : int
        What splits that are computed side by side may take, in MB.

    Notes
    -----
    Writers ascend in natural order: 2 before 10.
    """
    protocol = {
        "references": references,
        "test_genuine": test_genuine,
        "test_skilled": test_skilled,
        "splits": splits,
        "seed": seed,
        "C": C,
        "gamma": gamma,
        "negatives": references if negatives is None else negatives,
    }
    shard = shards.read(features, "features", ("feature", "writer", "forgery"))
    names = np.array(sorted(set(shard["writer"]), key=natural_order), dtype=object)
    index = {name: position for position, name in enumerate(names)}
    y = np.array([index[name] for name in shard["writer"]], dtype=int)
    rated = {key: shard.attributes[key] for key in ("model", "set")} | {"references": references}
    rates, tested = [], []
    try:
        split_scores = scores_of_splits(
            shard["feature"],
            y,
            shard["forgery"],
            names=names,
            threads=threads,
            memory_mb=memory_mb,
            **protocol,
        )
        for split, scored in enumerate(split_scores):
            rates.append({**rated, "split": split, **scored.rates()})
            for rows, values in (
                (scored.genuine_rows, scored.genuine),
                (scored.skilled_rows, scored.skilled),
            ):
                tested.append((np.full(rows.size, split), rows.ravel(), values.ravel()))
    except FkdError as error:
        raise FkdError(f"{features}: {error}") from None
    split, row, score = (np.concatenate(column) for column in zip(*tested, strict=True))
    shards.write(
        scores,
        "scores",
        {
            "split": split,
            "writer": shard["writer"][row],
            "row": row,
            "forgery": shard["forgery"][row],
            "score": score,
        },
        {
            "model": shard.attributes["model"],
            "set": shard.attributes["set"],
            "protocol": protocol,
        },
    )
    with writing(metrics) as part:
        pd.DataFrame(rates).to_csv(part, index=False)
