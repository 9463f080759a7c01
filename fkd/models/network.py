"""The common base of all networks: feature maps, response, classifier and initialization."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from fkd.errors import FkdError
from fkd.preprocess import INPUT, resampling_matrix
from fkd.seeding import entropy
from fkd.study.parts import ARCHITECTURES, Networks, architecture_of, code_of_part

STD_FLOOR = 1e-12
"""Added to the variance of an image when it is standardized, for blank images."""


def scaled(channels: int, width: float) -> int:
    """Scale a layer's number of channels by the network's width, to at least 1."""
    return max(1, round(channels * width))


class Network(nn.Module):
    """A feature extractor for images of 150 x 220 pixels, with or without a classifier.

    A subclass builds its layers, calls :meth:`_complete` and defines :meth:`describe`.

    Attributes
    ----------
    architecture : str
        The network's name, see :func:`fkd.study.parts.architecture_of`.
    settings : dict
        The arguments with which the network was built, in a form that JSON can represent.
    """

    architecture: str

    def __init__(self, num_classes: int | None, width: float, features: int) -> None:
        super().__init__()
        self.settings = {"num_classes": num_classes, "width": width, "features": features}

    def _complete(self) -> None:
        """Add the classifier, if the network has one, and draw the weights."""
        classes = self.settings["num_classes"]
        self.classifier = (
            None if classes is None else nn.Linear(self.settings["features"], classes, bias=False)
        )
        initialize(self, *architecture_of(self.architecture).initialization)

    @property
    def parameter_count(self) -> int:
        """The number of parameters."""
        return sum(values.numel() for values in self.parameters())

    @property
    def map_sizes(self) -> Mapping[str, tuple[int, int]]:
        """The rows and columns of each feature map that :meth:`describe` returns."""
        return architecture_of(self.architecture).map_sizes

    def take(self, images: Tensor) -> Tensor:
        """Bring images to the size, channels and scale of the network's input.

        Parameters
        ----------
        images : Tensor, (B, 1, H, W), float32
            Gray levels in [0, 1], with bright ink. Other sizes than the network's own are brought
            to it along each axis as :func:`fkd.preprocess.resampling_matrix` says.

        Returns
        -------
        Tensor, (B, channels, rows, columns)
            As the :class:`fkd.study.parts.Input` of the architecture says.
        """
        given = architecture_of(self.architecture).input
        if images.shape[-2:] != given.size:
            rows, columns = (
                torch.tensor(resampling_matrix(source, target)).to(images)
                for source, target in zip(images.shape[-2:], given.size, strict=True)
            )
            images = rows @ images @ columns.T
        if given.scaling == "image":
            images = images - images.mean(dim=(1, 2, 3), keepdim=True)
            variance = images.square().mean(dim=(1, 2, 3), keepdim=True)
            images = images / (variance + STD_FLOOR).sqrt()
        return images.expand(-1, given.channels, -1, -1)

    def describe(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Compute the feature maps and the response of images.

        Parameters
        ----------
        images : Tensor, (B, 1, 150, 220), float32
            Gray levels in [0, 1], with bright ink on black.

        Returns
        -------
        maps : dict of str to Tensor, (B, D, H, W)
            The feature maps named in :attr:`map_sizes`, after batch norm and ReLU.
        feature : Tensor, (B, features)
            The response, after batch norm and ReLU.
        """
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits, or the response if the network has no classifier.

        Parameters
        ----------
        images : Tensor, (B, 1, 150, 220), float32
            Gray levels in [0, 1].

        Returns
        -------
        Tensor, (B, num_classes) or (B, features)
        """
        _, feature = self.describe(images)  # (B, features)
        return feature if self.classifier is None else self.classifier(feature)


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
        The network's name, see :func:`fkd.study.parts.architecture_of`.
    num_classes : int, optional
        The number of writers that the classifier tells apart; by default, the network has no
        classifier.
    networks : Networks
        Width, features and initialization.
    seed : int
        The study's seed. Networks of one architecture start from the same weights.

    Returns
    -------
    Network
        The network, in training mode.

    Raises
    ------
    FkdError
        If there is no such network, or that of a plugin is not what it was registered as.
    """
    try:
        known = architecture_of(architecture)
    except FkdError as error:
        raise FkdError(
            f"{architecture!r} is no network; {error}, or name the plugin that has it"
        ) from None
    sizes = (num_classes, networks.width, networks.features)
    network = code_of_part(known.network, *sizes, **known.options)(*sizes, **known.options)
    if architecture in ARCHITECTURES.origins:
        _refuse_misfit(network, architecture)
    xavier = ("xavier", "xavier")
    rules = xavier if networks.initialization == "xavier" else known.initialization
    # PyTorch's generators accept seeds of 63 bits.
    generator = torch.Generator().manual_seed(entropy(seed, "weights", architecture) >> 1)
    initialize(network, *rules, generator)
    return network


@torch.no_grad()
def _refuse_misfit(network: Network, architecture: str) -> None:
    """Refuse a network of others whose maps or response are not those that it promises."""
    place = ARCHITECTURES[architecture].network
    if not isinstance(network, Network) or network.architecture != architecture:
        raise FkdError(
            f"{place}: expected a subclass of fkd.models.Network whose attribute architecture is "
            f"{architecture!r}"
        )
    maps, feature = network.eval().describe(torch.zeros(2, 1, *INPUT))
    network.train()
    found = {name: tuple(values.shape[2:]) for name, values in maps.items()}
    promised = {name: tuple(size) for name, size in network.map_sizes.items()}
    if found != promised:
        raise FkdError(f"{place}: returns maps of {found}, but map_sizes promises {promised}")
    length = network.settings["features"]
    if feature.shape != (2, length):
        raise FkdError(
            f"{place}: returns a response {tuple(feature.shape)} of two images, expected (2, {length})"
        )


def as_input(images: np.ndarray | Tensor) -> Tensor:
    """Convert gray images into a network's input.

    Parameters
    ----------
    images : ndarray or Tensor, (B, H, W), uint8
        Preprocessed images, with bright ink on black.

    Returns
    -------
    Tensor, (B, 1, H, W), float32
        Gray levels in [0, 1].

    Raises
    ------
    FkdError
        If the images have another type or shape. Those in [0, 1] would be divided by 255 again.
    """
    images = torch.as_tensor(images)
    if images.dtype != torch.uint8 or images.ndim != 3:
        raise FkdError(
            f"images of the type {images.dtype} and shape {tuple(images.shape)}; expected gray "
            "levels as uint8, (B, H, W)."
        )
    return images.unsqueeze(1).to(torch.float32).div(255)


def initialize(
    network: Network, convolution: str, linear: str, generator: torch.Generator | None = None
) -> None:
    """Draw all weights of a network again. Biases become 0.

    Parameters
    ----------
    network : Network
        The network, which is changed in place. Batch norm is reset, too.
    convolution, linear : {"he", "xavier"}
        The distribution of the weights of the convolutions and of the fully connected layers:
        normal with variance 2 / fan-in (He), or uniform as proposed by Glorot and Bengio.
    generator : torch.Generator, optional
        The source of the random numbers.
    """
    if any(weight.is_meta for weight in network.parameters()):
        return  # there is nothing to draw, and PyTorch would load its compiler for it
    draw = {
        "he": lambda weight: nn.init.kaiming_normal_(
            weight, nonlinearity="relu", generator=generator
        ),
        "xavier": lambda weight: nn.init.xavier_uniform_(weight, generator=generator),
    }
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            draw[convolution](module.weight)
        elif isinstance(module, nn.Linear):
            draw[linear](module.weight)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_parameters()
            module.reset_running_stats()
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
