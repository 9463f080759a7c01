"""Descriptions by a feature map that is whitened within writers.

A network that was trained on some writers has learned in its last layers what tells these apart,
and less of that holds for other people than what its middle layers see. So a model may describe
a signature by one of its feature maps in place of its response. The map is averaged over cells,
and what differs among the signatures of one writer is made small:

    f = v / rms(v),    v_p = (m_p - c_p) W_p,    W_p = (S_p + s tr(S_p) / D I)^(-1/2)

where m_p (D) is the mean of the map's vectors in cell p, c_p its mean over a set of signatures,
S_p its covariance within the classes of that set, which are the genuine signatures of each writer
and the forgeries of each writer, and rms the root of the mean square. It is within-class
covariance normalization, as Hatch, Kajarekar and Stolcke (2006) proposed it for the verification of
speakers, for each cell by itself, and shrunk by s towards a multiple of the identity.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from fkd import device as devices
from fkd import models
from fkd.errors import FkdError
from fkd.models.network import Network, as_input
from fkd.preprocess import center_crop
from fkd.ranges import Count, checked
from fkd.storage import shards
from fkd.study.parts import CELLS, SHRINKAGE


class Whitened(nn.Module):
    """A network that describes images by a whitened feature map.

    Parameters
    ----------
    network : Network
        The network, in evaluation mode.
    about : dict
        ``map``, the feature map, or None for the response as a map of one cell; ``set``, the set
        of signatures that was measured; and ``elements``, the length of a description.
    center : Tensor, (P, D), float32
        The mean of the vectors of each cell.
    matrix : Tensor, (P, D, D), float32
        The whitening of each cell.
    """

    center: Tensor
    matrix: Tensor

    def __init__(
        self, network: Network, about: dict[str, Any], center: Tensor, matrix: Tensor
    ) -> None:
        super().__init__()
        self.network, self.about = network, about
        self.register_buffer("center", center)
        self.register_buffer("matrix", matrix)

    def forward(self, images: Tensor) -> Tensor:
        """Describe images.

        Parameters
        ----------
        images : Tensor, (B, 1, 150, 220), float32
            Gray levels in [0, 1], with bright ink on black.

        Returns
        -------
        Tensor, (B, P * D)
            Descriptions whose elements have a mean square of 1, cell by cell.
        """
        vectors = cells(self.network, self.about["map"], images) - self.center
        vectors = (vectors.transpose(0, 1) @ self.matrix).transpose(0, 1)  # (B, P, D)
        return F.normalize(vectors.flatten(1)) * self.center.numel() ** 0.5


def cells(network: Network, name: str | None, images: Tensor) -> Tensor:
    """Average a network's feature map of images over cells.

    Parameters
    ----------
    network : Network
        The network.
    name : str or None
        The feature map; None for the response.
    images : Tensor, (B, 1, 150, 220), float32
        Gray levels in [0, 1].

    Returns
    -------
    Tensor, (B, P, D)
        The vectors of the :data:`fkd.study.parts.CELLS` row by row, or the response as one vector.
    """
    maps, response = network.describe(images)
    if name is None:
        return response.unsqueeze(1)
    # As two products: ONNX has no average over cells that do not divide the map.
    rows, columns = (
        F.adaptive_avg_pool1d(torch.eye(size), count).T.to(images)
        for size, count in zip(maps[name].shape[-2:], CELLS, strict=True)
    )
    return (rows @ maps[name] @ columns.T).flatten(2).transpose(1, 2)


@checked
def fit_whitening(
    *,
    weights: Path,
    signatures: Path,
    out: Path,
    maps: dict[str, str] | None = None,
    batch: Count = 64,
    threads: Count | None = None,
) -> None:
    """Measure how a network's feature map differs within the writers of a set.

    Parameters
    ----------
    weights : Path
        The weights, a safetensors file written by :func:`fkd.models.save`.
    signatures : Path
        A shard of kind "signatures". Each writer's genuine signatures are a class, and the
        forgeries another.
    out : Path
        The shard of kind "whitening" to write, with ``center`` (P, D) and ``matrix``
        (P, D, D), both float32. Attributes give the ``map`` and the ``set``.
    maps : dict of str to str, optional
        The feature map of each kind of network, such as ``{"signet": "conv4"}``; that of others
        is their response.
    batch : int
        The number of images per pass.
    threads : int, optional
        The number of CPU threads.

    Raises
    ------
    FkdError
        If the network has no such map, or no class has two signatures.
    """
    devices.set_up("cpu", threads)
    network, _ = models.load(weights)
    feature_map = (maps or {}).get(network.architecture)
    if feature_map not in (None, *network.map_sizes):
        known = ", ".join(network.map_sizes) or "none"
        raise FkdError(
            f"{weights}: its network has no feature map {feature_map!r}; it has {known}."
        )
    with shards.opened(signatures, "signatures", ["image", "writer", "forgery"]) as shard:
        writers = np.unique(shard.rows("writer"), return_inverse=True)[1]
        classes = np.unique(2 * writers + shard.rows("forgery"), return_inverse=True)[1]
        sizes = np.bincount(classes)
        if sizes.max(initial=0) < 2:
            raise FkdError(f"{signatures}: no writer has two signatures that could differ.")
        name, parts = shard.attributes["set"], []
        for start in tqdm(range(0, len(classes), batch), desc="images", unit="batch", disable=None):
            images = center_crop(shard.rows("image", slice(start, start + batch)))
            with torch.inference_mode():
                parts.append(cells(network, feature_map, as_input(images)).numpy())
    vectors = np.concatenate(parts)  # (n, P, D)
    center = vectors.mean(axis=0, dtype=np.float64)
    shards.write(
        out,
        "whitening",
        {
            "center": center.astype(np.float32),
            "matrix": np.stack(
                [_whitening(_within(cell, classes, sizes)) for cell in np.moveaxis(vectors, 1, 0)]
            ).astype(np.float32),
        },
        {"map": feature_map, "set": name},
    )


def _within(vectors: np.ndarray, classes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Compute the covariance of vectors (n, D) within classes of these sizes."""
    vectors = vectors.astype(np.float64)
    means = np.zeros((len(sizes), vectors.shape[1]))
    np.add.at(means, classes, vectors)
    deviations = vectors - (means / sizes[:, None])[classes]
    return deviations.T @ deviations / (len(classes) - len(sizes))


def _whitening(covariance: np.ndarray) -> np.ndarray:
    """Compute the symmetric whitening of a covariance, shrunk by :data:`fkd.study.parts.SHRINKAGE`."""
    variances, directions = np.linalg.eigh(covariance)
    variances = variances.clip(min=0)
    shrunk = variances + SHRINKAGE * max(variances.mean(), np.finfo(np.float32).tiny)
    return (directions / np.sqrt(shrunk)) @ directions.T


def whitened(network: Network, path: Path) -> Whitened:
    """Let a network describe images by what :func:`fit_whitening` measured of it.

    Parameters
    ----------
    network : Network
        The network, in evaluation mode.
    path : Path
        The shard of kind "whitening".

    Returns
    -------
    Whitened
        In evaluation mode.
    """
    shard = shards.read(path, "whitening", ["center", "matrix"])
    center, matrix = (torch.from_numpy(shard[name]) for name in ("center", "matrix"))
    about = {key: shard.attributes[key] for key in ("map", "set")} | {"elements": center.numel()}
    return Whitened(network, about, center, matrix).eval()
