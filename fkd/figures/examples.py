"""The signatures that figures show, and their feature maps."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fkd import models
from fkd.errors import FkdError
from fkd.models.network import as_input
from fkd.preprocess import center_crop
from fkd.seeding import generator
from fkd.storage import shards


def genuine_signatures(signatures: Path, count: int, seed: int) -> np.ndarray:
    """Choose genuine signatures at random, each by a different writer.

    Parameters
    ----------
    signatures : Path
        Shard of kind "signatures".
    count : int
        The largest number of signatures to choose.
    seed : int
        The study's seed. A smaller `count` gives the first signatures of a larger one.

    Returns
    -------
    ndarray of uint8, shape (n, 150, 220)
        The signatures as networks see them, ink bright on black.

    Raises
    ------
    FkdError
        Where the shard contains no genuine signature.
    """
    shard = shards.read(signatures, "signatures", ["image", "writer", "forgery"])
    rows = np.flatnonzero(~shard["forgery"].astype(bool))
    if not len(rows):
        raise FkdError(f"{signatures}: there is no genuine signature. Choose another set.")
    rows = generator(seed, "shown", shard.attributes["set"]).permutation(rows)
    _, first = np.unique(shard["writer"][rows], return_index=True)
    return center_crop(shard["image"][rows[np.sort(first)[:count]]])


def describe_by_maps(weights: Path, images: np.ndarray, maps: Sequence[str]) -> dict[str, Tensor]:
    """Compute feature maps of images.

    Parameters
    ----------
    weights : Path
        The weights of the network.
    images : ndarray of uint8, shape (B, 150, 220)
        The images, ink bright on black.
    maps : sequence of str
        The names of the maps to compute.

    Returns
    -------
    dict of str to Tensor, (B, D, H, W), float32
        The maps by name.

    Raises
    ------
    FkdError
        Where the network has no such map.
    """
    network, _ = models.load(weights)
    unknown = sorted(set(maps) - set(network.map_sizes))
    if unknown:
        raise FkdError(f"{weights}: no maps {', '.join(unknown)}; it has {list(network.map_sizes)}")
    with torch.inference_mode():
        all_maps, _ = network.describe(as_input(images))
    return {name: all_maps[name] for name in maps}
