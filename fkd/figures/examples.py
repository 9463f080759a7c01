"""Signatures that figures show, and what networks make of them."""

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
    """Choose genuine signatures at random, each of another writer.

    Parameters
    ----------
    signatures : Path
        Shard of kind "signatures".
    count : int
        How many at most.
    seed : int
        The study's seed. The first of few are the first of many.

    Returns
    -------
    ndarray of uint8, shape (n, 150, 220)
        As networks see them, ink bright on black.

    Raises
    ------
    FkdError
        Where there is none.
    """
    shard = shards.read(signatures, "signatures", ["image", "writer", "forgery"])
    rows = np.flatnonzero(~shard["forgery"].astype(bool))
    if not len(rows):
        raise FkdError(f"{signatures}: there is no genuine signature. Choose another set.")
    rows = generator(seed, "shown", shard.attributes["set"]).permutation(rows)
    _, first = np.unique(shard["writer"][rows], return_index=True)
    return center_crop(shard["image"][rows[np.sort(first)[:count]]])


def describe_by_maps(weights: Path, images: np.ndarray, maps: Sequence[str]) -> dict[str, Tensor]:
    """Describe images by the feature maps of a network.

    Parameters
    ----------
    weights : Path
        The network.
    images : ndarray of uint8, shape (B, 150, 220)
        Ink bright on black.
    maps : sequence of str
        The maps that are wanted.

    Returns
    -------
    dict of str to Tensor, (B, D, H, W), float32

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
        found, _ = network.describe(as_input(images))
    return {name: found[name] for name in maps}
