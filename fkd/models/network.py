"""What both networks share: maps, feature, classifier, initialization, files."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from fkd.errors import FkdError
from fkd.storage.atomic import writing
from fkd.storage.files import check_file

FEATURES = 2048
"""Elements of the response, the feature by which signatures are compared."""


def scaled(channels: int, width: float) -> int:
    """Scale a layer's number of channels by the network's width, to 1 at least."""
    return max(1, round(channels * width))


class Network(nn.Module):
    """A feature extractor for images of 150 x 220 pixels, with or without classifier.

    A subclass builds its layers, calls :meth:`_complete` and defines :meth:`describe`.

    Attributes
    ----------
    settings : dict
        The arguments that built the network, as JSON can hold them.
    map_sizes : dict of str to (int, int)
        Rows and columns of each feature map that :meth:`describe` gives.
    initialization : (str, str)
        How convolutions and fully connected layers start, see :func:`initialize`.
    """

    map_sizes: dict[str, tuple[int, int]]
    initialization: tuple[str, str]

    def __init__(self, num_classes: int | None, width: float, features: int) -> None:
        super().__init__()
        self.settings = {"num_classes": num_classes, "width": width, "features": features}

    def _complete(self) -> None:
        """Add the classifier, where there is one, and draw the weights."""
        classes = self.settings["num_classes"]
        self.classifier = (
            None if classes is None else nn.Linear(self.settings["features"], classes, bias=False)
        )
        initialize(self, *self.initialization)

    def describe(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Describe images by feature maps and by the response.

        Parameters
        ----------
        images : Tensor, (B, 1, 150, 220), float32
            Grey levels in [0, 1], ink bright on black.

        Returns
        -------
        maps : dict of str to Tensor, (B, D, H, W)
            The maps of :attr:`map_sizes`, after batch norm and ReLU.
        feature : Tensor, (B, features)
            The response, after batch norm and ReLU.
        """
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Give the logits, or the feature where there is no classifier.

        Parameters
        ----------
        images : Tensor, (B, 1, 150, 220), float32
            Grey levels in [0, 1].

        Returns
        -------
        Tensor, (B, num_classes) or (B, features)
        """
        _, feature = self.describe(images)
        return feature if self.classifier is None else self.classifier(feature)


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


def initialize(
    network: Network, convolution: str, linear: str, generator: torch.Generator | None = None
) -> None:
    """Draw a network's weights anew.

    Parameters
    ----------
    network : Network
        Changed in place; batch norm is reset as well.
    convolution, linear : {"he", "xavier"}
        Normal with variance 2 / fan-in, or uniform as Glorot and Bengio propose,
        for the convolutions and for the fully connected layers.
    generator : torch.Generator, optional
        The source of the draws.
    """
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


def save(network: Network, path: Path | str, about: dict | None = None) -> None:
    """Write a network's weights as safetensors.

    Parameters
    ----------
    network : Network
        What to write.
    path : Path or str
        The file; its metadata say how to build the network.
    about : dict, optional
        How the weights came about, as JSON can hold it.
    """
    metadata = {
        "architecture": type(network).__name__,
        "settings": json.dumps(network.settings),
        "about": json.dumps(about or {}),
    }
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    with writing(path) as part:
        part.write_bytes(_in_order(to_bytes(tensors, metadata)))


def _in_order(content: bytes) -> bytes:
    """Sort the metadata, which stand in any order, so that equal weights are equal files."""
    data = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:data])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[data:]


def load(path: Path | str, architectures: Iterable[type[Network]]) -> tuple[Network, dict]:
    """Build the network that :func:`save` wrote, without its classifier, for evaluation.

    Parameters
    ----------
    path : Path or str
        A safetensors file; no code in it is ever run.
    architectures : iterable of type
        The network classes it may name.

    Returns
    -------
    network : Network
        In evaluation mode, ``num_classes=None``.
    about : dict
        What :func:`save` was told of the weights.

    Raises
    ------
    FkdError
        Where the file is missing, damaged, or not one of ours.
    """
    known = {architecture.__name__: architecture for architecture in architectures}
    check_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise FkdError(f"{path}: not a safetensors file ({error}).") from None
    if metadata.get("architecture") not in known:
        raise FkdError(f"{path}: its metadata name none of the networks {', '.join(known)}.")
    try:
        settings = json.loads(metadata["settings"]) | {"num_classes": None}
        about = json.loads(metadata["about"])
        # Without memory, until the tensors are seen to have the sizes that it names.
        with torch.device("meta"):
            network = known[metadata["architecture"]](**settings)
    except Exception as error:  # metadata of others can say anything
        raise FkdError(f"{path}: its metadata build no network ({error!r}).") from None
    tensors.pop("classifier.weight", None)
    check_tensors(network, tensors, path)
    network.to_empty(device="cpu")
    network.load_state_dict(tensors)
    return network.eval(), about


def check_tensors(network: Network, tensors: dict[str, Tensor], source: Path | str) -> None:
    """Say which tensors do not fit a network.

    Parameters
    ----------
    network : Network
        It may lie on the device ``meta``.
    tensors : dict of str to Tensor
        One for each entry of its state.
    source : Path or str
        Where they come from, for the message.

    Raises
    ------
    FkdError
        Listing the missing and surplus keys, the wrong shapes, and what is not finite.
    """
    expected = network.state_dict()
    faults = [f"  {name}: missing" for name in expected if name not in tensors]
    faults += [f"  {name}: not expected" for name in tensors if name not in expected]
    faults += [
        f"  {name}: shape {tuple(tensors[name].shape)}, expected {tuple(value.shape)}"
        for name, value in expected.items()
        if name in tensors and tensors[name].shape != value.shape
    ]
    faults = faults or [
        f"  {name}: not finite real numbers" for name in expected if not _is_real(tensors[name])
    ]
    if faults:
        name = type(network).__name__
        raise FkdError(f"{source}: these weights do not fit {name}:\n" + "\n".join(faults))


def _is_real(tensor: Tensor) -> bool:
    """Tell whether a tensor of any origin holds finite real numbers, and all of them."""
    is_plain = tensor.layout == torch.strided and tensor.device.type == "cpu"
    is_plain = is_plain and not (tensor.is_complex() or tensor.is_quantized)
    return is_plain and bool(torch.isfinite(tensor).all())


def checksum(network: Network) -> str:
    """Digest a network's state.

    Parameters
    ----------
    network : Network
        Any device, any memory layout.

    Returns
    -------
    str
        16 hexadecimal digits, equal for equal weights.
    """
    digest = hashlib.blake2b(digest_size=8)
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
