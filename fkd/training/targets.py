"""What the teacher says of each crop, asked once and kept in shards.

The responses and the geometry stand in files of their own, since a student
without geometric term needs no spanning trees.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from fkd import device as devices
from fkd import models
from fkd.errors import FkdError
from fkd.graph import MAPS, RADIUS, Neighborhoods, nac, rooted_trees, vectors_of_map
from fkd.models.network import as_input
from fkd.preprocess import center_crop
from fkd.storage import shards
from fkd.threads import ahead


def cache_teacher(
    *,
    crops: Path,
    teacher: Path,
    responses: Path | None = None,
    geometry: Path | None = None,
    maps: list[str] = MAPS,
    radius: int = RADIUS,
    half_precision: bool = False,
    batch: int | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> None:
    """Ask the teacher what it says of each crop of a shard.

    Crops are read, asked about and written batch by batch, each while the others go on.

    Parameters
    ----------
    crops : Path
        A shard of kind "crops".
    teacher : Path
        The teacher's weights.
    responses : Path, optional
        Shard of kind "responses" to write: ``feature`` (n, F) float32 or float16.
    geometry : Path, optional
        Shard of kind "geometry" to write: for each map ``tree_MAP`` (n, N) uint16, as
        :func:`fkd.graph.rooted_trees` gives them, and ``nac_MAP`` (n, N) float32, with
        N = H W of the map. Neither the maps nor any masks are kept: the trees say all.
    maps : list of str
        The teacher's maps whose geometry is wanted.
    radius : int
        Hops on the tree within which two vectors are neighbors.
    half_precision : bool
        Whether the responses are kept as float16, in half the room.
    batch : int, optional
        Images a pass; by default 64 on the CPU and 512 on a GPU.
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
    batch = batch or (512 if where.type == "cuda" else 64)
    network, about = models.load(teacher)
    network = network.to(where, memory_format=torch.channels_last)
    unknown = sorted(set(maps) - set(network.map_sizes)) if geometry else []
    if unknown:
        raise FkdError(f"{teacher}: no maps {', '.join(unknown)}; it has {list(network.map_sizes)}")
    with ExitStack() as files:
        source = files.enter_context(shards.opened(crops, "crops", ["image"]))
        count = source.shape("image")[0]
        if not count:
            raise FkdError(f"{crops}: there is no crop in this shard. Use fewer shards (shards).")
        origin = {
            "crops": source.digests["image"],
            "teacher": models.checksum(network),
            "about_teacher": about,
        }
        if responses:
            of_response = files.enter_context(shards.appending(responses, "responses"))
            of_response.attributes.update(origin)
        if geometry:
            of_geometry = files.enter_context(shards.appending(geometry, "geometry"))
            of_geometry.attributes.update(origin, maps=list(maps), radius=radius)

        def images() -> Iterator[np.ndarray]:
            for start in range(0, count, batch):
                yield center_crop(source.rows("image", slice(start, start + batch)))

        def targets() -> Iterator[tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]:
            # Inference mode holds in the thread that enters it alone.
            with torch.inference_mode():
                for pixels in ahead(images()):
                    found, feature = network.describe(as_input(pixels).to(where))
                    said = feature.half() if half_precision else feature
                    wanted = {name: found[name] for name in maps if geometry}
                    yield {"feature": said.cpu().numpy()}, _measure(wanted, radius)

        batches = -(-count // batch)
        progress = tqdm(ahead(targets()), Path(crops).stem, batches, unit="batch", disable=None)
        for said, measured in progress:
            if responses:
                of_response.append(said)
            if geometry:
                of_geometry.append(measured)


def _measure(maps: dict[str, Tensor], radius: int) -> dict[str, np.ndarray]:
    """Span maps by trees, and measure the contrast in their neighborhoods."""
    arrays = {}
    for name, found in maps.items():
        vectors = vectors_of_map(found)  # (B, N, D)
        trees = rooted_trees(vectors)
        arrays[f"tree_{name}"] = trees.cpu().numpy()
        arrays[f"nac_{name}"] = nac(vectors, Neighborhoods(trees, radius)).cpu().numpy()
    return arrays
