"""What the teacher says of each crop, asked once and kept in shards.

The responses and the geometry stand in files of their own, since a student
without geometric term needs no spanning trees.
"""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from fkd import device as devices
from fkd import models, shards
from fkd.errors import FkdError
from fkd.graph import nac, neighborhoods, spanning_tree, vectors_of_map
from fkd.preprocess import center_crop


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


def digest(images: np.ndarray) -> str:
    """Digest images, so that targets are never joined to other crops than theirs.

    Parameters
    ----------
    images : ndarray, uint8

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    return hashlib.blake2b(np.ascontiguousarray(images).data, digest_size=8).hexdigest()


def cache_responses(
    *,
    crops: Path,
    teacher: Path,
    out: Path,
    batch: int = 64,
    device: str = "auto",
    threads: int | None = None,
) -> None:
    """Compute the teacher's response to each crop of a shard.

    Parameters
    ----------
    crops : Path
        A shard of kind "crops".
    teacher : Path
        The teacher's weights.
    out : Path
        A shard of kind "responses": ``feature`` (n, F) float32.
    batch : int
        Images a pass.
    device : {"auto", "cpu", "cuda"}
        Where the teacher computes.
    threads : int, optional
        CPU threads.
    """

    def respond(maps: dict[str, Tensor], feature: Tensor) -> dict[str, np.ndarray]:
        return {"feature": feature.cpu().numpy()}

    _cache("responses", crops, teacher, out, batch, device, threads, respond, {})


def cache_geometry(
    *,
    crops: Path,
    teacher: Path,
    out: Path,
    maps: list[str],
    radius: int = 5,
    batch: int = 64,
    device: str = "auto",
    threads: int | None = None,
) -> None:
    """Compute spanning tree and NAC of the teacher's maps for each crop of a shard.

    Parameters
    ----------
    crops : Path
        A shard of kind "crops".
    teacher : Path
        The teacher's weights.
    out : Path
        A shard of kind "geometry": for each map ``tree_MAP`` (n, N - 1, 2) uint16
        and ``nac_MAP`` (n, N) float32, with N = H W of the map. The masks follow
        from the trees and take no room.
    maps : list of str
        Names of the teacher's maps, such as ``conv2``.
    radius : int
        Hops on the tree within which two vectors are neighbors.
    batch : int
        Images a pass.
    device : {"auto", "cpu", "cuda"}
        Where the teacher computes.
    threads : int, optional
        CPU threads.
    """
    with ThreadPoolExecutor(threads) as pool:

        def measure(found: dict[str, Tensor], feature: Tensor) -> dict[str, np.ndarray]:
            arrays = {}
            for name in maps:
                vectors = vectors_of_map(found[name]).cpu()  # (B, N, D)
                trees = np.stack(list(pool.map(spanning_tree, vectors.numpy())))
                mask = torch.from_numpy(neighborhoods(trees, radius))
                arrays[f"tree_{name}"] = trees
                arrays[f"nac_{name}"] = nac(vectors, mask).numpy()
            return arrays

        settings = {"maps": list(maps), "radius": radius}
        _cache("geometry", crops, teacher, out, batch, device, threads, measure, settings)


def _cache(
    kind: str,
    crops: Path,
    teacher: Path,
    out: Path,
    batch: int,
    device: str,
    threads: int | None,
    targets: Callable[[dict[str, Tensor], Tensor], dict[str, np.ndarray]],
    settings: dict,
) -> None:
    """Pass a shard of crops through the teacher and write what `targets` makes of it."""
    where = devices.pick(device, threads)
    network, about = models.load(teacher)
    network = network.to(where, memory_format=torch.channels_last)
    images = center_crop(shards.read(crops, "crops", ["image"])["image"])
    parts: dict[str, list[np.ndarray]] = {}
    with torch.inference_mode():
        for rows in _batches(len(images), batch, Path(crops).stem):
            described = network.describe(as_input(images[rows]).to(where))
            for name, values in targets(*described).items():
                parts.setdefault(name, []).append(values)
    if not parts:
        raise FkdError(f"{crops}: there is no crop in this shard. Use fewer shards (shards).")
    shards.write(
        out,
        kind,
        {name: np.concatenate(values) for name, values in parts.items()},
        {
            **settings,
            "crops": digest(images),
            "teacher": models.checksum(network),
            "about_teacher": about,
        },
    )


def _batches(count: int, batch: int, what: str) -> Iterator[slice]:
    starts = range(0, count, batch)
    for start in tqdm(starts, desc=what, unit="batch", disable=None):
        yield slice(start, start + batch)
