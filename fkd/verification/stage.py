"""The stage of writer-dependent verification: a file of features becomes files of scores and rates."""

import csv
from dataclasses import asdict
from pathlib import Path

import numpy as np

from fkd.errors import FkdError
from fkd.storage import shards
from fkd.storage.atomic import writing
from fkd.storage.files import natural_order
from fkd.verification.protocol import GAMMA, C, Protocol
from fkd.verification.scoring import MEMORY, scores_of_splits


def evaluate_wd(
    *,
    features: Path,
    metrics: Path,
    scores: Path,
    protocol: Protocol,
    C: float = C,
    gamma: float = GAMMA,
    threads: int | None = None,
    memory: float = MEMORY,
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
        ``writer`` str, ``row`` (in `features`), ``forgery`` bool, ``score``. Besides,
        ``references`` (splits, writers, NREF): the rows of each writer's references.
        The attributes say model, set, protocol, and in ``writers`` the writers' order.
    protocol : Protocol
        Numbers of references and tests, and the splits.
    C : float
        Cost of the support vector machine.
    gamma : float
        Gamma of the RBF kernel.
    threads : int, optional
        How many compute; one a CPU core by default. Scores do not depend on it.
    memory : float
        Gigabytes that splits computed side by side may take.

    Notes
    -----
    Writers ascend in natural order: 2 before 10.
    """
    shard = shards.read(features, "features", ("feature", "writer", "forgery"))
    names = np.array(sorted(set(shard["writer"]), key=natural_order), dtype=object)
    index = {name: position for position, name in enumerate(names)}
    y = np.array([index[name] for name in shard["writer"]], dtype=int)
    origin = {key: shard.attributes[key] for key in ("model", "set")}
    rates, tested, references = [], [], []
    try:
        split_scores = scores_of_splits(
            shard["feature"],
            y,
            shard["forgery"],
            protocol,
            C,
            gamma,
            names=names,
            threads=threads,
            memory=memory,
        )
        for split, scored in enumerate(split_scores):
            rated = origin | {"references": protocol.references, "split": split}
            rates.append(rated | scored.rates())
            references.append(scored.reference_rows)
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
            "references": np.stack(references).astype(np.int32),
        },
        origin
        | {
            "protocol": asdict(protocol) | {"negatives": protocol.refused, "C": C, "gamma": gamma},
            "writers": list(names),
        },
    )
    with writing(metrics) as part, part.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, rates[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rates)
