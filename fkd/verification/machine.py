"""The stage that trains the machine of pairs, and its file.

One machine judges all sets, splits and numbers of references, so that what is measured is what is
used later. The published evaluation trains another one in each split.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from fkd.errors import FkdError
from fkd.ranges import Count, CountFromTwo, Positive, checked
from fkd.storage import shards
from fkd.threads import cores
from fkd.verification.features import joined_sets, read_features
from fkd.verification.independent import PairMachine, developed_rows, train_pairs
from fkd.verification.pairs import draw_training_rows
from fkd.verification.protocol import GAMMA, C, SplitsSeed
from fkd.verification.scoring import MEMORY
from fkd.verification.svm import WriterModels

KIND = "machine"
"""The kind of shard that holds a machine."""


@checked
def train_wi(
    *,
    development: list[Path],
    out: Path,
    development_references: CountFromTwo = 12,
    seed: SplitsSeed = 1234,
    C: Positive = C,
    gamma: Positive = GAMMA,
    threads: Count | None = None,
    memory: Positive = MEMORY,
) -> None:
    """Train the machine of writer-independent verification with pairs of development writers.

    Parameters
    ----------
    development : list of Path
        The shards of kind ``features`` of the development sets, by one model. Writers with too few
        genuine signatures are left out.
    out : Path
        The shard of kind ``machine`` to write. ``vector`` and ``coefficient`` have one row per
        support vector, which is the scaled difference of a pair; ``deviation`` (F,) is the scale of
        each element. The attributes give the model, the settings and the numbers of writers and
        pairs.
    development_references : int
        The number K of genuine signatures of each writer that are paired.
    seed : int
        The seed of the random stream from which pairs are drawn.
    C : float
        The cost of an error of the support vector machine.
    gamma : float
        The gamma of the RBF kernel.
    threads : int, optional
        The number of threads; by default, one per CPU core. The machine does not depend on it.
    memory : float
        The gigabytes of the kernel matrix that are kept; training pairs come on top.

    Raises
    ------
    FkdError
        If the sets are described by several models, or have too few writers.
    """
    sets = [read_features(path) for path in development]
    joined, model = joined_sets(sets)
    rows = draw_training_rows(
        developed_rows(joined, development_references, "enough"),
        development_references,
        np.random.RandomState(seed),
    )
    # With one thread of its own, a BLAS library rounds alike on any number of cores.
    with ThreadPoolExecutor(threads or cores()) as workers, threadpool_limits(1, user_api="blas"):
        machine = train_pairs(joined.x, rows, C, gamma, memory, workers.map).model
    shards.write(
        out,
        KIND,
        {
            "vector": machine.rows.astype(np.result_type(joined.x, np.float32)),
            "coefficient": machine.dual[0],
            "deviation": machine.deviation,
        },
        {
            "model": model,
            "onnx": sets[0].origin.get("onnx"),
            "intercept": float(machine.intercept[0]),
            "gamma": gamma,
            "C": C,
            "seed": seed,
            "development_references": development_references,
            "sets": [one.origin["set"] for one in sets],
            "writers": len(rows.own),
        },
    )


def read_machine(path: Path, model: str | None = None) -> PairMachine:
    """Read a machine of pairs.

    Parameters
    ----------
    path : Path
        A shard that :func:`train_wi` wrote.
    model : str, optional
        The model whose features it must compare; by default, any.

    Raises
    ------
    FkdError
        If the file is no such shard, what it holds is no machine, or it is of another model.
    """
    shard = shards.read(path, KIND, ("vector", "coefficient", "deviation"))
    vector, coefficient, deviation = (
        shard[name].astype(np.float64) for name in ("vector", "coefficient", "deviation")
    )
    about = shard.attributes
    try:
        intercept, gamma = float(about["intercept"]), float(about["gamma"])
    except (TypeError, ValueError) as error:
        raise FkdError(f"{path}: no machine of pairs ({error!r}). Train it again.") from None
    numbers = (vector, coefficient, deviation, np.array([intercept, gamma]))
    if (
        vector.shape[1] != len(deviation)
        or not all(np.isfinite(values).all() for values in numbers)
        or not (deviation > 0).all()
        or gamma <= 0
    ):
        raise FkdError(f"{path}: its arrays make no machine of pairs. Train it again.")
    if model is not None and about.get("model") != model:
        raise FkdError(f"{path}: compares features of {about.get('model')}, not of {model}.")
    return PairMachine(
        WriterModels(deviation, vector, coefficient[None], np.array([intercept]), gamma)
    )
