"""The networks and losses of students that a config may name, each registered once.

An entry describes a network or a loss and names the place of its code. This module does not need
PyTorch: :func:`code_of_part` imports the code when a network is built or a loss is computed. Parts
of one's own are registered by the same calls in a plugin, see :mod:`fkd.plugins`.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple

from fkd.errors import FkdError
from fkd.plugins import fault_of_plugin
from fkd.ranges import Count, Positive, check_fields
from fkd.registry import Registry

FEATURES = 2048
"""The number of elements of the published response, which is the feature of a signature."""


HEAD = 128
"""The number of elements that the head of a network of others has, as in a Keras notebook."""


@dataclass(frozen=True)
class Input:
    """What a network makes of an image before its first layer.

    Attributes
    ----------
    size : (int, int)
        The rows and columns to which images are brought.
    channels : int
        The number of channels, which are all equal.
    scaling : {"unit", "image"}
        Whether gray levels stay in [0, 1] (``unit``), or are standardized by the mean and the
        standard deviation of each image (``image``).
    """

    size: tuple[int, int] = (150, 220)
    channels: int = 1
    scaling: Literal["unit", "image"] = "unit"


Rule = Literal["he", "xavier"]
"""The distribution from which weights are drawn."""


@dataclass(frozen=True)
class Architecture:
    """A network for teachers and students.

    Attributes
    ----------
    label : str
        The network's name in tables and figures.
    network : str
        The dotted name of its class. This is a subclass of :class:`fkd.models.Network`, and its
        attribute ``architecture`` is the key of this entry.
    map_sizes : mapping of str to (int, int)
        Rows and columns of each feature map that the network returns.
    initialization : ({"he", "xavier"}, {"he", "xavier"})
        How the weights of its convolutions and of its fully connected layers are initialized,
        see :func:`fkd.models.network.initialize`.
    connections : mapping of str to str
        For each feature map of a SigNet teacher, the map of this network that is compared with
        it when this network is a student. A network that is never guided by geometry needs none.
    input : Input
        What the network makes of images; see :meth:`fkd.models.Network.take`.
    features : int, optional
        The number of elements of its response in a Siamese network, unless the config says
        another; by default, that of the study's networks.
    options : mapping of str to str
        What the class is called with besides number of classes, width and features.
    """

    label: str
    network: str
    map_sizes: Mapping[str, tuple[int, int]]
    initialization: tuple[Rule, Rule]
    connections: Mapping[str, str] = field(default_factory=dict)
    input: Input = Input()
    features: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)


CELLS = (3, 5)
"""The rows and columns of cells over which a whitened map is averaged, those of SigNet's last map."""

SHRINKAGE = 0.3
"""The share of the mean variance that whitening adds to the variance in each direction."""

ARCHITECTURES = Registry(Architecture, "network")
"""The networks, by their names in a config."""

ARCHITECTURES.register(
    "resnet18",
    Architecture(
        label="ResNet-18",
        network="fkd.models.resnet18.ResNet18",
        map_sizes={
            "stage1": (35, 53),
            "stage2": (17, 26),
            "stage3_block1": (8, 12),
            "stage3": (8, 12),
            "stage4": (3, 5),
        },
        initialization=("xavier", "he"),
        connections={"conv2": "stage2", "conv5": "stage3", "conv3": "stage3_block1"},
    ),
)
ARCHITECTURES.register(
    "signet",
    Architecture(
        label="SigNet",
        network="fkd.models.signet.SigNet",
        map_sizes={
            "conv1": (35, 53),
            "conv2": (17, 26),
            **dict.fromkeys(("conv3", "conv4", "conv5"), (8, 12)),
        },
        initialization=("he", "he"),
        connections={"conv2": "conv2", "conv5": "conv5", "conv3": "conv3"},
    ),
)
ARCHITECTURES.register(
    "custom_cnn",
    Architecture(
        label="custom CNN",
        network="fkd.models.custom_cnn.CustomCNN",
        map_sizes={},
        initialization=("xavier", "xavier"),
        input=Input((224, 224), 3, "image"),
        features=256,
    ),
)
ARCHITECTURES.register(
    "article_cnn",
    Architecture(
        label="article CNN",
        network="fkd.models.article_cnn.ArticleCNN",
        map_sizes={},
        initialization=("xavier", "xavier"),
        input=Input((105, 105)),
        features=2,
    ),
)
ARCHITECTURES.register(
    "dey_signet",
    Architecture(
        label="Dey's SigNet",
        network="fkd.models.dey_signet.DeySigNet",
        map_sizes={},
        initialization=("xavier", "xavier"),
        input=Input((155, 220)),
        features=128,
    ),
)


ONNX = "onnx"
"""The network of a Siamese network that is a frozen ONNX model with a head."""

TIMM = "timm:"
"""What the name of a network of the library timm begins with, as in ``timm:resnet50``."""


def architecture_of(name: str) -> Architecture:
    """Describe a network.

    Parameters
    ----------
    name : str
        A key of :data:`ARCHITECTURES`, or the name of a network that only Siamese networks have:
        ``onnx`` or ``timm:NAME``.

    Returns
    -------
    Architecture
        Its entry. Networks of timm are given what a Keras notebook gives them.

    Raises
    ------
    FkdError
        If there is no such network.
    """
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    if name == ONNX:
        return Architecture(
            label="frozen ONNX model",
            network="fkd.models.frozen_onnx.FrozenOnnx",
            map_sizes={},
            initialization=("xavier", "xavier"),
            features=HEAD,
        )
    if name.startswith(TIMM) and name != TIMM:
        return Architecture(
            label=f"{name.removeprefix(TIMM)} (timm)",
            network="fkd.models.backbone.Backbone",
            map_sizes={},
            initialization=("he", "xavier"),
            input=Input((224, 224), 3, "image"),
            features=HEAD,
            options={"name": name.removeprefix(TIMM)},
        )
    raise FkdError(f"expected one of {', '.join(ARCHITECTURES)}, or {TIMM}NAME")


def refuse_missing_timm(name: str) -> None:
    """Say what to install if a network needs timm, and it is missing.

    Parameters
    ----------
    name : str
        The network's name.

    Raises
    ------
    FkdError
        If there is no timm.
    """
    if name.startswith(TIMM) and find_spec("timm") is None:
        raise FkdError(
            f"{name}: the library timm is missing. Install the extra backbones: "
            "pip install 'fkd[backbones]'"
        )


Parameter = float | bool | str
"""The value of a loss's parameter."""


@dataclass(frozen=True)
class ResponseLoss:
    """A loss that compares the student's response with the teacher's.

    Attributes
    ----------
    label : str
        The loss's short name in tables and figures.
    name : str
        The loss's name in sentences.
    function : str
        The dotted name of its function. The function takes the responses of student and
        teacher, then the parameters.
    parameters : mapping of str to float, bool, str or None
        The function's parameters with their defaults. None means that a config has to give a
        value.
    equal_lengths : bool
        Whether the loss requires that student and teacher have responses of equal length.
    """

    label: str
    name: str
    function: str
    parameters: Mapping[str, Parameter | None] = field(default_factory=dict)
    equal_lengths: bool = False


RESPONSE_LOSSES = Registry(ResponseLoss, "response loss")
"""The response losses, by their names in a config."""

RESPONSE_LOSSES.register(
    "temperature_cross_entropy",
    ResponseLoss(
        label="T-CE",
        name="temperature cross-entropy",
        function="fkd.losses.temperature_cross_entropy",
        parameters={"temperature": 10.0, "standardized": False, "scaled": False},
        equal_lengths=True,
    ),
)
RESPONSE_LOSSES.register(
    "barlow_twins",
    ResponseLoss(
        label="BT",
        name="Barlow Twins",
        function="fkd.losses.barlow_twins",
        parameters={"lambda_": 1e-4},
        equal_lengths=True,
    ),
)
RESPONSE_LOSSES.register(
    "barlow_colleagues",
    ResponseLoss(
        label="BC",
        name="Barlow Colleagues",
        function="fkd.losses.barlow_colleagues",
        parameters={"lambda_": 1e-4},
    ),
)


@dataclass(frozen=True)
class MapLoss:
    """A loss that compares feature maps of the student with those of the teacher.

    Attributes
    ----------
    label : str
        The loss's short name in tables and figures.
    name : str
        The loss's name in sentences.
    function : str
        The dotted name of its function. The function takes what `compares` says of student and
        teacher, then the parameters, and is called once for each pair of connected maps.
    compares : {"maps", "contrasts"}
        What is compared: the maps themselves (B, D, H, W), which the teacher computes anew for
        each batch; or their affinity contrasts (B, N) under the teacher's mask, of which the
        teacher's are computed once.
    parameters : mapping of str to float, bool, str or None
        As for a :class:`ResponseLoss`.
    """

    label: str
    name: str
    function: str
    compares: Literal["maps", "contrasts"] = "maps"
    parameters: Mapping[str, Parameter | None] = field(default_factory=dict)


MAP_LOSSES = Registry(MapLoss, "loss between maps")
"""The losses between maps, by their names in a config."""

GEOMETRY = "geometry"
"""The paper's loss between maps, whose weights a config gives under this name."""

MAP_LOSSES.register(
    GEOMETRY,
    MapLoss(
        label="GEOM",
        name="geometry",
        function="fkd.losses.geometry",
        compares="contrasts",
        parameters={"half": True},
    ),
)


class Reached(NamedTuple):
    """A part that a stage reaches through its settings.

    Attributes
    ----------
    place : str
        The dotted name of its code.
    entry : str
        What a plugin registered; empty for the package's own parts, whose tables count as code.
    """

    place: str
    entry: str = ""


def part_of_network(architecture: str) -> Reached:
    """Return the part that a network is, see :func:`architecture_of`."""
    return Reached(architecture_of(architecture).network, ARCHITECTURES.entry(architecture))


def part_of_loss(table: Registry, loss: str) -> Reached:
    """Return the part that a loss is, a key of one of the tables of losses."""
    return Reached(table[loss].function, table.entry(loss))


def code_of_part(place: str, *arguments: Any, **parameters: Any) -> Any:
    """Import the code of a network or of a loss.

    Parameters
    ----------
    place : str
        A dotted name, such as ``fkd.losses.barlow_twins``.
    *arguments, **parameters
        What it is going to be called with, if it is to be checked that it takes this.

    Returns
    -------
    type or callable
        The network's class, or the loss's function.

    Raises
    ------
    FkdError
        If there is no such code, or it does not take the arguments.
    """
    module, _, name = place.rpartition(".")
    try:
        code = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        where = fault_of_plugin(error)
        raise FkdError(f"{place}: no such code. {where or error}") from None
    try:
        if arguments or parameters:
            inspect.signature(code).bind(*arguments, **parameters)
    except TypeError as error:
        raise FkdError(f"{place}: is called with other arguments than it takes: {error}") from None
    return code


@dataclass(frozen=True)
class Networks:
    """The settings that the networks of teacher and students share.

    Attributes
    ----------
    width : float
        The factor by which the channels of the convolutions are scaled.
    features : int
        The number of elements of the response.
    initialization : {"code", "xavier"}
        How weights are initialized. With ``code``, as in the published code, see
        :attr:`Architecture.initialization`. With ``xavier``, by Xavier's rule for all layers, as
        the paper states.
    """

    width: Positive = 1.0
    features: Count = FEATURES
    initialization: Literal["code", "xavier"] = "code"

    def __post_init__(self) -> None:
        check_fields(self)
