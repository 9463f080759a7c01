"""What the teacher says of each crop, asked once and kept in shards.

The responses and the geometry stand in files of their own, since a student
without geometric term needs no spanning trees.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from fkd import device as devices
from fkd import models, shards
from fkd.errors import FkdError
from fkd.graph import RADIUS, nac, neighborhoods, spanning_tree, vectors_of_map
from fkd.preprocess import center_crop

MAPS = ["conv2", "conv5"]
"""The maps of the teacher whose geometry guides the paper's students."""


def as_input(images: np.ndarray | Tensor) -> Tensor:
    """Turn grey images into a network's input.

    Parameters
    ----------
    images : ndarray or Tensor, (B, H, W), uint8
        Preprocessed images, ink bright on black.

    Returns
    -------
    Tensor, (B, 1, H, W), float32
        Grey levels in [0, 1].
    """
    return torch.as_tensor(images).unsqueeze(1).to(torch.float32).div(255)


def digest(*arrays: np.ndarray) -> str:
    """Digest arrays, so that what belongs to some images is never joined to others.

    Parameters
    ----------
    *arrays : ndarray
        Numbers or strings.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    state = hashlib.blake2b(digest_size=8)
    for array in arrays:
        array = np.asarray(array)
        text = array.dtype.kind in "OU"
        state.update(repr(array.tolist()).encode() if text else np.ascontiguousarray(array).data)
    return state.hexdigest()


def cache_teacher(
    *,
    crops: Path,
    teacher: Path,
    responses: Path | None = None,
    geometry: Path | None = None,
    maps: list[str] = MAPS,
    radius: int = RADIUS,
    batch: int = 64,
    device: str = "auto",
    threads: int | None = None,
) -> None:
    """Ask the teacher what it says of each crop of a shard.

    Parameters
    ----------
    crops : Path
        A shard of kind "crops".
    teacher : Path
        The teacher's weights.
    responses : Path, optional
        Shard of kind "responses" to write: ``feature`` (n, F) float32.
    geometry : Path, optional
        Shard of kind "geometry" to write: for each map ``tree_MAP`` (n, N - 1, 2)
        uint16 and ``nac_MAP`` (n, N) float32, with N = H W of the map. The masks
        follow from the trees and take no room, nor do the maps themselves.
    maps : list of str
        The teacher's maps whose geometry is wanted.
    radius : int
        Hops on the tree within which two vectors are neighbors.
    batch : int
        Images a pass.
    device : {"auto", "cpu", "cuda"}
        Where the teacher computes.
    threads : int, optional
        CPU threads.

    Raises
    ------
    FkdError
        Where the shard holds no crop, or the teacher has no such map.
    """
    where = devices.pick(device, threads)
    network, about = models.load(teacher)
    network = network.to(where, memory_format=torch.channels_last)
    unknown = sorted(set(maps) - set(network.map_sizes))
    if unknown:
        raise FkdError(f"{teacher}: no maps {', '.join(unknown)}; it has {list(network.map_sizes)}")
    images = center_crop(shards.read(crops, "crops", ["image"])["image"])
    if not len(images):
        raise FkdError(f"{crops}: there is no crop in this shard. Use fewer shards (shards).")
    said: list[dict[str, np.ndarray]] = []
    measured: list[dict[str, np.ndarray]] = []
    starts = tqdm(range(0, len(images), batch), Path(crops).stem, unit="batch", disable=None)
    with torch.inference_mode(), ThreadPoolExecutor(threads) as pool:
        for start in starts:
            found, feature = network.describe(as_input(images[start : start + batch]).to(where))
            if responses:
                said.append({"feature": feature.cpu().numpy()})
            if geometry:
                measured.append(_measure({name: found[name] for name in maps}, radius, pool))
    origin = {
        "crops": digest(images),
        "teacher": models.checksum(network),
        "about_teacher": about,
    }
    if responses:
        shards.write(responses, "responses", _join(said), origin)
    if geometry:
        settings = {"maps": list(maps), "radius": radius}
        shards.write(geometry, "geometry", _join(measured), origin | settings)


def _measure(
    maps: dict[str, Tensor], radius: int, pool: ThreadPoolExecutor
) -> dict[str, np.ndarray]:
    """Span a batch of maps by trees, and measure the contrast under their masks."""
    arrays = {}
    for name, found in maps.items():
        vectors = vectors_of_map(found).cpu()  # (B, N, D)
        trees = np.stack(list(pool.map(spanning_tree, vectors.numpy())))
        mask = torch.from_numpy(neighborhoods(trees, radius))
        arrays[f"tree_{name}"] = trees
        arrays[f"nac_{name}"] = nac(vectors, mask).numpy()
    return arrays


def _join(batches: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
