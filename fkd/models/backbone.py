"""Networks of the library timm, such as ResNet-50 or MobileNetV2, with a head that is trained.

timm is an extra of this package, and none of its weights is ever fetched.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from fkd.errors import FkdError
from fkd.layouts import OTHERS
from fkd.models.headed import Headed
from fkd.models.pickled import find_state, read_pickled
from fkd.models.weights import check_tensors
from fkd.storage.files import check_file
from fkd.storage.manifest import sha256 as digest_of
from fkd.study.parts import TIMM, refuse_missing_timm

COUNTERS = "num_batches_tracked"
"""The counters of batch norm, which old files lack, and which are not used."""


class Backbone(Headed):
    """A network of timm with global average pooling, and a head.

    Parameters
    ----------
    num_classes : int, optional
        The number of writers that the classifier tells apart; by default, there is no classifier.
    width : float
        Has no meaning here.
    features : int
        The number of elements of the response.
    name : str
        The network's name in timm.
    frozen : bool
        Whether all but the head stays as it is, also the statistics of batch norm.

    Raises
    ------
    FkdError
        If timm is not installed or has no such network, or the network keeps values that are in
        no file of its weights.
    """

    def __init__(
        self,
        num_classes: int | None = None,
        width: float = 1.0,
        features: int = 128,
        name: str = "mobilenetv2_100",
        frozen: bool = False,
    ) -> None:
        super().__init__(num_classes, width, features)
        self.settings |= {"name": name, "frozen": frozen}
        self.architecture = TIMM + name
        self.body = _created(name)
        self.fc = nn.Linear(self.body.num_features, features)
        self._complete()
        if frozen:
            self.freeze()

    def freeze(self) -> None:
        """Keep all but the head as it is."""
        self.is_frozen = self.settings["frozen"] = True
        self.body.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "Backbone":
        """Set the mode; the statistics of a frozen network stay as they are."""
        super().train(mode)
        self.body.train(mode and not self.is_frozen)
        return self

    def trunk(self, images: Tensor) -> Tensor:
        return self.body(self.take(images))

    def load_trunk(self, path: Path | str, sha256: str) -> None:
        """Give all but the head the weights in a file.

        Parameters
        ----------
        path : Path or str
            Weights of timm, ``*.safetensors`` or ``*.pth``. Objects in it are never unpickled. What
            it holds for a classifier is left out.
        sha256 : str
            The digest that the file must have.

        Raises
        ------
        FkdError
            If the file is missing, is another one, or does not fit the network.
        """
        check_file(path, f"Weights of {self.architecture}. {OTHERS['timm'].obtain}")
        if (found := digest_of(Path(path))) != sha256:
            raise FkdError(
                f"{path}: its SHA-256 digest is {found}, not initialize.sha256, {sha256}. It is "
                "damaged or another file: get it again, or correct the digest."
            )
        given = _tensors(path)
        expected = self.body.state_dict()
        counters = {name: v for name, v in expected.items() if name.endswith(COUNTERS)}
        given = counters | {name: v for name, v in given.items() if name in expected}
        check_tensors(self.body, given, path)
        self.body.load_state_dict(given)


def _created(name: str) -> nn.Module:
    """Build a network without weights of others and without its classifier."""
    refuse_missing_timm(TIMM + name)
    import timm  # takes seconds to load

    if not timm.is_model(name):
        raise FkdError(f"{TIMM}{name}: timm {timm.__version__} has no network of this name.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # for layers that `initialize` does not know
        network = timm.create_model(name, pretrained=False, num_classes=0)
    untold = {buffer for buffer, _ in network.named_buffers()} - set(network.state_dict())
    if untold:
        raise FkdError(
            f"{TIMM}{name}: keeps values that no file of weights holds ({min(untold)}). Use another "
            "network, such as resnet50."
        )
    return network


def _tensors(path: Path | str) -> dict[str, Tensor]:
    """Read the tensors of a file of weights."""
    if Path(path).suffix.lower() == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise FkdError(f"{path}: not a safetensors file ({error}).") from None
    state = find_state(path, read_pickled(path, "It is what initialize.weights names."))
    if state is None:
        raise FkdError(f"{path}: holds no weights by their names.")
    return dict(state)
