"""The parts that a config may name: networks and response losses, each registered once.

An entry describes its part and says where the code of it stands. Nothing here needs PyTorch:
the code is imported by :func:`code_of_part` alone, when a network is built or a loss computed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

FEATURES = 2048
"""Elements of the published response, the feature by which signatures are compared."""


@dataclass(frozen=True)
class Architecture:
    """A network that teachers and students may have.

    Attributes
    ----------
    label : str
        Its name in tables and figures.
    network : str
        The dotted place of its class, a :class:`fkd.models.Network` whose attribute
        ``architecture`` is the key of this entry.
    map_sizes : mapping of str to (int, int)
        Rows and columns of each feature map that the network gives.
    initialization : (str, str)
        How its convolutions and its fully connected layers start, see
        :func:`fkd.models.network.initialize`.
    connections : mapping of str to str
        Which of its maps answers which map of SigNet, where it is a student guided by
        SigNet's geometry. A network that no geometry guides needs none.
    """

    label: str
    network: str
    map_sizes: Mapping[str, tuple[int, int]]
    initialization: tuple[str, str]
    connections: Mapping[str, str] = field(default_factory=dict)


ARCHITECTURES: dict[str, Architecture] = {
    "resnet18": Architecture(
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
    "signet": Architecture(
        label="SigNet",
        network="fkd.models.signet.SigNet",
        map_sizes={"conv1": (35, 53), "conv2": (17, 26), "conv3": (8, 12), "conv5": (8, 12)},
        initialization=("he", "he"),
        connections={"conv2": "conv2", "conv5": "conv5", "conv3": "conv3"},
    ),
}
"""The networks by the names that a config gives them; a network of your own is an entry here."""


@dataclass(frozen=True)
class ResponseLoss:
    """A loss that compares the student's response with the teacher's.

    Attributes
    ----------
    label : str
        Its short name in tables and figures.
    name : str
        Its name in sentences.
    function : str
        The dotted place of its function. It takes the responses of student and teacher,
        then the parameters.
    parameters : mapping of str to float, bool or None
        The defaults of its parameters, those of the function; None where a config has to
        give a value.
    equal_lengths : bool
        Whether it compares responses of equal length alone.
    """

    label: str
    name: str
    function: str
    parameters: Mapping[str, float | bool | None] = field(default_factory=dict)
    equal_lengths: bool = False


RESPONSE_LOSSES: dict[str, ResponseLoss] = {
    "temperature_cross_entropy": ResponseLoss(
        label="T-CE",
        name="temperature cross-entropy",
        function="fkd.losses.temperature_cross_entropy",
        parameters={"temperature": 10.0, "standardized": False, "scaled": False},
        equal_lengths=True,
    ),
    "barlow_twins": ResponseLoss(
        label="BT",
        name="Barlow Twins",
        function="fkd.losses.barlow_twins",
        parameters={"lambda_": 1e-4},
        equal_lengths=True,
    ),
    "barlow_colleagues": ResponseLoss(
        label="BC",
        name="Barlow Colleagues",
        function="fkd.losses.barlow_colleagues",
        parameters={"lambda_": 1e-4},
    ),
}
"""The response losses by the names that a config gives them; one of your own is an entry here."""


def code_of_part(place: str) -> Any:
    """Import the code of a part.

    Parameters
    ----------
    place : str
        A dotted place, such as ``fkd.losses.barlow_twins``.

    Returns
    -------
    type or callable
        The class of a network, or the function of a loss.
    """
    module, _, name = place.rpartition(".")
    return getattr(import_module(module), name)


@dataclass(frozen=True)
class Networks:
    """What the networks of teacher and students share.

    Attributes
    ----------
    width : float
        Scales the channels of the convolutions.
    features : int
        Elements of the response.
    initialization : {"code", "xavier"}
        How weights start: as in the published code, which each :class:`Architecture` says,
        or by Xavier's rule for all layers, as the paper says.
    """

    width: float = 1.0
    features: int = FEATURES
    initialization: str = "code"
