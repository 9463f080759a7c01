"""Siamese networks: one embedding for both images of a pair, and a comparison of the two."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from fkd.errors import FkdError
from fkd.models.headed import Headed
from fkd.models.network import Network, as_input
from fkd.models.weights import load, load_beside, save
from fkd.pair_losses import distance
from fkd.seeding import entropy
from fkd.study.siamese import Siamese

BESIDE = "comparison."
"""What the names of a comparison's weights begin with in a file of weights."""


class Comparer(nn.Module):
    """The comparison of two embeddings.

    Parameters
    ----------
    kind : {"learned", "euclidean", "cosine"}
        A fully connected layer on the absolute differences, the distance or the cosine.
    features : int
        The number of elements of an embedding.
    seed : int
        The seed of the layer's weights.
    """

    def __init__(self, kind: str, features: int, seed: int = 0) -> None:
        super().__init__()
        self.kind = kind
        self.fc = nn.Linear(features, 1) if kind == "learned" else None
        if self.fc is not None:
            generator = torch.Generator().manual_seed(entropy(seed, "weights", "comparison") >> 1)
            nn.init.xavier_uniform_(self.fc.weight, generator=generator)
            nn.init.zeros_(self.fc.bias)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Compare embeddings.

        Parameters
        ----------
        first, second : Tensor, (B, F)
            The embeddings of the two images of each pair.

        Returns
        -------
        Tensor, (B,)
            Scores, higher for genuine: minus the logit of a forgery, minus the distance, or the
            cosine.
        """
        if self.fc is not None:
            return -self.fc((first - second).abs()).squeeze(1)
        return (
            -distance(first, second)
            if self.kind == "euclidean"
            else F.cosine_similarity(first, second, dim=1)
        )


class SiameseNetwork(nn.Module):
    """An embedding and a comparison.

    Attributes
    ----------
    embedding : Network
        Describes one image.
    comparer : Comparer
        Compares two descriptions.
    """

    def __init__(self, embedding: Network, comparer: Comparer) -> None:
        super().__init__()
        self.embedding = embedding
        self.comparer = comparer

    def describe(self, images: Tensor) -> Tensor:
        """Describe images, (B, 1, H, W) to (B, F), or what :func:`seen_once` made of them."""
        return self.embedding.describe(images)[1]

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Score pairs of images, (B, 1, H, W) each, to (B,); both go through in one pass."""
        one, other = self.describe(torch.cat([first, second])).chunk(2)
        return self.comparer(one, other)


@torch.no_grad()
def seen_once(network: SiameseNetwork, images: Tensor, batch: int = 64) -> Tensor:
    """Compute of all images of a list what no training changes.

    Parameters
    ----------
    network : SiameseNetwork
        The network.
    images : Tensor, (images, H, W), uint8
        All images of the list.
    batch : int
        The number of images per pass.

    Returns
    -------
    Tensor, (images, H, W) uint8 or (images, inputs of the head) float32
        The images themselves; or what a frozen trunk says of them.
    """
    trunk = network.embedding
    if not (isinstance(trunk, Headed) and trunk.is_frozen):
        return images
    where = next(network.parameters()).device
    parts = tqdm(images.split(batch), "describing", unit="batch", disable=None)
    return torch.cat([trunk.eval().trunk(as_input(part).to(where)).cpu() for part in parts])


def as_seen(values: Tensor) -> Tensor:
    """Convert some of what :func:`seen_once` returned into a network's input."""
    return as_input(values) if values.dtype == torch.uint8 else values


def embed(network: SiameseNetwork, images: Tensor, rows: np.ndarray, batch: int = 64) -> Tensor:
    """Describe some of the images of a list, each once.

    Parameters
    ----------
    network : SiameseNetwork
        The network, in evaluation mode.
    images : Tensor, (images, H, W) uint8
        All images of the list, or what :func:`seen_once` made of them.
    rows : ndarray of int, (n,)
        Which of them are described.
    batch : int
        The number of images per pass.

    Returns
    -------
    Tensor, (images, F), float32
        The embeddings; those of other images are NaN.
    """
    where = next(network.parameters()).device
    found = None
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        embedding = network.describe(as_seen(images[part]).to(where)).float().cpu()
        if found is None:
            found = torch.full((len(images), embedding.shape[1]), torch.nan)
        found[part] = embedding
    return found


def save_siamese(network: SiameseNetwork, path: Path, about: dict[str, Any]) -> None:
    """Write a Siamese network.

    Parameters
    ----------
    network : SiameseNetwork
        The network.
    path : Path
        The file to write. :func:`fkd.models.load` reads the embedding of it like any network.
    about : dict
        Its origin, with its settings under ``siamese``.
    """
    beside = {BESIDE + name: value for name, value in network.comparer.state_dict().items()}
    save(network.embedding, path, about, beside)


def load_siamese(path: Path) -> tuple[SiameseNetwork, dict[str, Any]]:
    """Read a Siamese network that :func:`save_siamese` has written.

    Parameters
    ----------
    path : Path
        A safetensors file. No code in it is ever run.

    Returns
    -------
    network : SiameseNetwork
        The network, in evaluation mode.
    about : dict
        Its origin.

    Raises
    ------
    FkdError
        If the file is damaged, or is not that of a Siamese network.
    """
    embedding, about = load(path)
    settings = about.get("siamese")
    if not isinstance(settings, dict):
        raise FkdError(f"{path}: these weights are of no Siamese network.")
    kind = Siamese.from_settings(settings).comparison
    comparer = Comparer(kind, embedding.settings["features"])
    tensors = load_beside(path, BESIDE)
    if {n: v.shape for n, v in tensors.items()} != {
        n: v.shape for n, v in comparer.state_dict().items()
    }:
        raise FkdError(f"{path}: its comparison does not fit its embedding.")
    comparer.load_state_dict(tensors)
    return SiameseNetwork(embedding, comparer).eval(), about
