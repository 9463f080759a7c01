"""The stage of writer-dependent verification, which computes scores and error rates of features."""

import csv
from dataclasses import asdict
from pathlib import Path

import numpy as np

from fkd.errors import FkdError
from fkd.ranges import Count, Positive, checked
from fkd.storage import shards
from fkd.storage.atomic import writing
from fkd.storage.files import natural_order
from fkd.verification.protocol import GAMMA, C, Protocol
from fkd.verification.scoring import MEMORY, scores_of_splits
from fkd.verification.writers import judged_writers


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
        ``writer`` str, ``row`` (in `features`), ``forgery`` bool and ``score``. The array
        ``references`` (splits, writers, NREF) holds the rows of each writer's references. The
        attributes give model, set and protocol, the order of the judged writers in ``writers``,
        and in ``left_out`` the writers with too few signatures where the protocol says
        ``writers: enough``.
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
                row, score = (np.concatenate(list(kind)) for kind in (rows, values))
                tested.append((np.full(len(row), split), row, score))
    except FkdError as error:
        raise FkdError(f"{features}: {error}") from None
    judged = names[judged_writers(y, shard["forgery"], protocol)]
    left_out = [name for name in names if name not in set(judged)]
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
            "writers": list(judged),
        }
        | ({"left_out": left_out} if left_out else {}),
    )
    with writing(metrics) as part, part.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, rates[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rates)
