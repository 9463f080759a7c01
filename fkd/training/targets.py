"""The teacher's targets for each text crop, computed once and stored in shards.

Responses and geometry are separate stages, because students without geometric terms do not need
spanning trees.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from fkd import device as devices
from fkd import models
from fkd.errors import FkdError
from fkd.graph import MAPS, RADIUS, Neighborhoods, nac, rooted_trees, vectors_of_map
from fkd.models import Network, as_input
from fkd.preprocess import center_crop
from fkd.ranges import Count, Device, checked
from fkd.storage import shards
from fkd.threads import ahead

Targets = Callable[[dict[str, Tensor], Tensor], dict[str, np.ndarray]]
"""A function that turns the maps and responses of a batch into the arrays that a shard stores."""


@checked
def cache_responses(
    *,
    crops: Path,
    teacher: Path,
    out: Path,
    half_precision: bool = False,
    batch: Count | None = None,
    device: Device = "auto",
    threads: Count | None = None,
) -> None:
    """Compute the teacher's response to each text crop of a shard.

    Parameters
    ----------
    crops : Path
        The shard of kind "crops".
    teacher : Path
        The teacher's weights.
    out : Path
        The shard of kind "responses" to write, with ``feature`` (n, F) float32 or float16.
    half_precision : bool
        Whether to store the responses as float16, which halves their size.
    batch : int, optional
        The number of crops per pass; by default, 64 on the CPU and 512 on a GPU.
    device : {"auto", "cpu", "cuda"}
        The device on which the teacher computes.
    threads : int, optional
        The number of CPU threads.

    Raises
    ------
    FkdError
        If the shard holds no crop, or a response is not finite.
    """
    where = devices.set_up(device, threads)
    network, about = models.load(teacher)

    def targets(_: dict[str, Tensor], feature: Tensor) -> dict[str, np.ndarray]:
        kept = feature.half() if half_precision else feature
        return {"feature": kept.cpu().numpy()}

    settings = {"about_teacher": about}
    _ask(teacher, network, crops, out, "responses", settings, targets, batch, where)


@checked
def cache_geometry(
    *,
    crops: Path,
    teacher: Path,
    out: Path,
    maps: list[str] = MAPS,
    radius: Count = RADIUS,
    batch: Count | None = None,
    device: Device = "auto",
    threads: Count | None = None,
) -> None:
    """Measure the geometry of the teacher's feature maps for each text crop of a shard.

    Parameters
    ----------
    crops : Path
        The shard of kind "crops".
    teacher : Path
        The teacher's weights.
    out : Path
        The shard of kind "geometry" to write. For each map it holds ``tree_MAP`` (n, N) uint16,
        as computed by :func:`fkd.graph.rooted_trees`, and ``nac_MAP`` (n, N) float32, with
        N = H W of the map. Neither maps nor masks are stored, because the trees are enough to
        restore the neighborhoods.
    maps : list of str
        The names of the teacher's maps to measure.
    radius : int
        The number of hops on the tree within which two vectors are neighbors.
    batch : int, optional
        The number of crops per pass; by default, 64 on the CPU and 512 on a GPU.
    device : {"auto", "cpu", "cuda"}
        The device on which the teacher computes.
    threads : int, optional
        The number of CPU threads.

    Raises
    ------
    FkdError
        If the shard holds no crop, the teacher has no such map, or a target is not finite.
    """
    where = devices.set_up(device, threads)
    network, about = models.load(teacher)
    unknown = sorted(set(maps) - set(network.map_sizes))
    if unknown:
        raise FkdError(f"{teacher}: no maps {', '.join(unknown)}; it has {list(network.map_sizes)}")

    def targets(teacher_maps: dict[str, Tensor], _: Tensor) -> dict[str, np.ndarray]:
        arrays = {}
        for name in maps:
            vectors = vectors_of_map(teacher_maps[name])  # (B, N, D)
            trees = rooted_trees(vectors)  # (B, N)
            arrays[f"tree_{name}"] = trees.cpu().numpy()
            arrays[f"nac_{name}"] = nac(vectors, Neighborhoods(trees, radius)).cpu().numpy()
        return arrays

    settings = {"about_teacher": about, "maps": list(maps), "radius": radius}
    _ask(teacher, network, crops, out, "geometry", settings, targets, batch, where)


def _ask(
    teacher: Path,
    network: Network,
    crops: Path,
    out: Path,
    kind: str,
    attributes: dict[str, Any],
    targets: Targets,
    batch: int | None,
    where: torch.device,
) -> None:
    """Run the teacher on all crops of a shard, and write the targets.

    The work goes batch by batch. Reading the crops, running the teacher and writing the targets
    each have a thread of their own, so that they overlap.
    """
    batch = batch or (512 if where.type == "cuda" else 64)
    checksum = models.checksum(network)
    network = network.to(where, memory_format=torch.channels_last)
    with shards.opened(crops, "crops", ["image"]) as source:
        count = source.shape("image")[0]
        if not count:
            raise FkdError(f"{crops}: there is no crop in this shard. Use fewer shards (shards).")

        def images() -> Iterator[np.ndarray]:
            for start in range(0, count, batch):
                yield center_crop(source.rows("image", slice(start, start + batch)))

        def answers() -> Iterator[dict[str, np.ndarray]]:
            # Inference mode only applies to the thread that enters it.
            with torch.inference_mode():
                for pixels in ahead(images()):
                    arrays = targets(*network.describe(as_input(pixels).to(where)))
                    _refuse_broken_targets(arrays, teacher)
                    yield arrays

        with shards.appending(out, kind) as shard:
            origin = {"crops": source.digests["image"], "teacher": checksum}
            shard.attributes.update(origin | attributes)
            batches = -(-count // batch)  # rounded up
            for arrays in tqdm(
                ahead(answers()), Path(crops).stem, batches, unit="batch", disable=None
            ):
                shard.append(arrays)


def _refuse_broken_targets(arrays: dict[str, np.ndarray], teacher: Path) -> None:
    """Raise an error if a target is not finite, from which no student could learn."""
    for name, values in arrays.items():
        if np.isfinite(values).all():
            continue
        cause = "Train the teacher anew with a lower teacher.training.learning_rate."
        if values.dtype == np.float16:
            cause = "Values above 65,504 need teacher.half_precision: false."
        raise FkdError(f"{teacher}: its {name} of a text crop is not finite. {cause}")
