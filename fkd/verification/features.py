"""The features that verification judges: shards of one model on one set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fkd.errors import FkdError
from fkd.storage import shards
from fkd.storage.files import natural_order
from fkd.verification.pairs import Development


@dataclass(frozen=True, eq=False)
class Features:
    """A model's features of a set.

    Attributes
    ----------
    x : ndarray of float32, (n, F)
        The features.
    y : ndarray of int, (n,)
        The writer of each row, a position in `names`.
    forgery : ndarray of bool, (n,)
        Whether each row is a skilled forgery.
    names : ndarray of str, (writers,)
        The writers in natural order, with 2 before 10.
    origin : dict of str to Any
        The attributes of the shard: ``model``, ``set``, and where the features come from.
    """

    x: np.ndarray
    y: np.ndarray
    forgery: np.ndarray
    names: np.ndarray
    origin: dict[str, Any]


def read_features(path: Path) -> Features:
    """Read a shard of kind "features"."""
    shard = shards.read(path, "features", ("feature", "writer", "forgery"))
    names = np.array(sorted(set(shard["writer"]), key=natural_order), dtype=object)
    index = {name: position for position, name in enumerate(names)}
    y = np.array([index[name] for name in shard["writer"]], dtype=int)
    forgery = shard["forgery"].astype(bool)
    return Features(shard["feature"], y, forgery, names, shard.attributes)


def joined_sets(sets: list[Features]) -> tuple[Development, str]:
    """Join the features of development sets, whose writers are all different people.

    Parameters
    ----------
    sets : list of Features
        The sets, described by one model.

    Returns
    -------
    Development
        All rows.
    str
        The model's name.

    Raises
    ------
    FkdError
        If the sets are described by several models, or there are none.
    """
    models = sorted({one.origin["model"] for one in sets})
    if len(models) != 1:
        described = f"features of several models, {', '.join(models)}" if models else "no features"
        raise FkdError(f"Development sets have {described}. Give those of one model.")
    joined = Development.of(*(Development(one.x, one.y, one.forgery) for one in sets))
    return joined, models[0]
