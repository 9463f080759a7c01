"""The networks: SigNet and ResNet-18.

Layers, sizes and initialization are read from the published network graphs; no
layer has a bias but batch norm.
"""

from dataclasses import dataclass
from pathlib import Path

import torch

from fkd.models.network import FEATURES, Network, checksum, initialize, save
from fkd.models.network import load as _load
from fkd.models.published import read_public_weights
from fkd.models.resnet18 import ResNet18
from fkd.models.signet import SigNet
from fkd.seeding import entropy

__all__ = [
    "ARCHITECTURES",
    "CONNECTIONS",
    "FEATURES",
    "INITIALIZATIONS",
    "Network",
    "Networks",
    "ResNet18",
    "SigNet",
    "build",
    "checksum",
    "load",
    "read_public_weights",
    "save",
]

ARCHITECTURES: dict[str, type[Network]] = {
    "resnet18": ResNet18,
    "signet": SigNet,
}
"""The networks by the names that a config gives them; a network of your own is an entry here."""

CONNECTIONS: dict[str, dict[str, str]] = {
    "resnet18": {"conv2": "stage2", "conv5": "stage3", "conv3": "stage3_block1"},
    "signet": {"conv2": "conv2", "conv5": "conv5", "conv3": "conv3"},
}
"""For each student, which of its maps answers which map of the teacher, SigNet by default; a
network that no geometry guides needs no entry."""

INITIALIZATIONS: dict[str, dict[str, tuple[str, str]]] = {
    "code": {name: network.initialization for name, network in ARCHITECTURES.items()},
    "xavier": {name: ("xavier", "xavier") for name in ARCHITECTURES},
}
"""How convolutions and fully connected layers start: as in the published code, or
Xavier for all, as the paper says."""


@dataclass(frozen=True)
class Networks:
    """What teacher and students share.

    Attributes
    ----------
    width : float
        Scales the channels of the convolutions.
    features : int
        Elements of the response.
    initialization : {"code", "xavier"}
        A key of :data:`INITIALIZATIONS`.
    """

    width: float = 1.0
    features: int = FEATURES
    initialization: str = "code"


def build(
    architecture: str,
    num_classes: int | None = None,
    networks: Networks = Networks(),
    seed: int = 0,
) -> Network:
    """Build a network with weights drawn from a seed.

    Parameters
    ----------
    architecture : str
        A key of :data:`ARCHITECTURES`.
    num_classes : int, optional
        Writers to tell apart; without it there is no classifier.
    networks : Networks
        Width, features and initialization.
    seed : int
        The study's seed; networks of one architecture start from the same weights.

    Returns
    -------
    Network
        In training mode.
    """
    network = ARCHITECTURES[architecture](num_classes, networks.width, networks.features)
    generator = torch.Generator().manual_seed(entropy(seed, "weights", architecture) >> 1)
    initialize(network, *INITIALIZATIONS[networks.initialization][architecture], generator)
    return network


def load(path: Path | str) -> tuple[Network, dict]:
    """Load a network from a safetensors file of :func:`save`.

    See :func:`fkd.models.network.load` for what is returned and raised.
    """
    return _load(path, ARCHITECTURES.values())
