"""Files of weights: writing, reading with checks, and a checksum."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from fkd.errors import FkdError
from fkd.models.network import Network
from fkd.storage.atomic import writing
from fkd.storage.files import check_file
from fkd.study.parts import architecture_of, code_of_part

METADATA = "fkd"
"""The only key of a file's metadata.

Its value is a JSON object with the keys ``architecture``, ``settings`` and ``about``.
"""


BESIDE = ("classifier.", "comparison.")
"""What the names of weights begin with that are no part of the feature extractor."""


def save(
    network: Network,
    path: Path | str,
    about: dict | None = None,
    beside: dict[str, Tensor] | None = None,
) -> None:
    """Write a network's weights as safetensors.

    Parameters
    ----------
    network : Network
        The network whose weights are written.
    path : Path or str
        The file to write. Its metadata describe how to build the network.
    about : dict, optional
        The origin of the weights, in a form that JSON can represent.
    beside : dict of str to Tensor, optional
        Weights that belong to the network but are no part of it, such as those by which a Siamese
        network compares. Their names have a prefix of their own, see :data:`BESIDE`.
    """
    description = {
        "architecture": network.architecture,
        "settings": network.settings,
        "about": about or {},
    }
    tensors = network.state_dict() | (beside or {})
    tensors = {name: value.contiguous() for name, value in tensors.items()}
    # The order of several metadata keys would be random. With one key, the same weights always
    # give the same file.
    metadata = {METADATA: json.dumps(description, sort_keys=True)}
    with writing(path) as part:
        part.write_bytes(to_bytes(tensors, metadata))


def load(path: Path | str) -> tuple[Network, dict]:
    """Build a network from a file that :func:`save` has written, without what is beside it.

    Parameters
    ----------
    path : Path or str
        A safetensors file. No code in it is ever run.

    Returns
    -------
    network : Network
        The network, in evaluation mode and with ``num_classes=None``.
    about : dict
        The origin of the weights, as given to :func:`save`.

    Raises
    ------
    FkdError
        If the file is missing, damaged, or was not written by :func:`save`.
    """
    check_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            description = json.loads((file.metadata() or {}).get(METADATA, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, ValueError) as error:
        raise FkdError(f"{path}: not a safetensors file of a study ({error}).") from None
    name = description.get("architecture") if isinstance(description, dict) else None
    try:
        known = architecture_of(str(name))
    except FkdError as error:
        raise FkdError(
            f"{path}: its metadata name none of the networks; {error}. One of your own is known "
            "where its plugin is named."
        ) from None
    try:
        settings = description["settings"] | {"num_classes": None}
        about = description["about"]
        # No memory is allocated until the tensors are known to have the sizes in the metadata.
        with torch.device("meta"):
            network = code_of_part(known.network)(**settings)
    except FkdError as error:
        raise FkdError(f"{path}: {error}") from None
    except Exception as error:  # unknown metadata can cause any error
        raise FkdError(f"{path}: its metadata build no network ({error!r}).") from None
    tensors = {name: v for name, v in tensors.items() if not name.startswith(BESIDE)}
    check_tensors(network, tensors, path)
    types = {name: value.dtype for name, value in network.state_dict().items()}
    tensors = {name: value.to(types[name], copy=True) for name, value in tensors.items()}
    network.load_state_dict(tensors, assign=True)
    return network.eval(), about


def load_beside(path: Path | str, prefix: str) -> dict[str, Tensor]:
    """Read the weights beside a network from a file that :func:`load` can read.

    Parameters
    ----------
    path : Path or str
        A safetensors file.
    prefix : str
        What their names begin with, one of :data:`BESIDE`.

    Returns
    -------
    dict of str to Tensor
        The weights, by their names without the prefix.
    """
    with safe_open(path, framework="pt") as file:
        names = [name for name in file.keys() if name.startswith(prefix)]
        return {name.removeprefix(prefix): file.get_tensor(name) for name in names}


def check_tensors(network: Network, tensors: dict[str, Tensor], source: Path | str) -> None:
    """Check that tensors fit a network.

    Parameters
    ----------
    network : Network
        The network, which may be on the device ``meta``.
    tensors : dict of str to Tensor
        The tensors, one for each entry of the network's state.
    source : Path or str
        The file of the tensors, for the message.

    Raises
    ------
    FkdError
        If they do not fit. The message lists missing and unexpected keys, wrong shapes and
        tensors with values that are not finite.
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
    """Tell whether a tensor is dense, and all of its numbers are real and finite."""
    is_plain = tensor.layout == torch.strided and tensor.device.type == "cpu"
    is_plain = is_plain and not (tensor.is_complex() or tensor.is_quantized)
    return is_plain and bool(torch.isfinite(tensor).all())


def checksum(network: Network) -> str:
    """Compute a digest of a network's state.

    Parameters
    ----------
    network : Network
        The network, on any device and in any memory layout.

    Returns
    -------
    str
        16 hexadecimal digits, which are equal for equal weights.
    """
    digest = hashlib.blake2b(digest_size=8)
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
