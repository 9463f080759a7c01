"""PyTorch's own files (``*.pth``, ``*.pt``) of unknown origin: tensors are read, and no code is run."""

import logging
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fkd.errors import FkdError
from fkd.storage.files import check_file, printable
from fkd.storage.sizes import refuse_unfolding, unfolded_size

MOST_SHARED = 4
"""How many times larger than the file its tensors may be: several can share the same numbers."""

FIRST_LAYER = "conv_layers.conv1.conv.weight"
"""A name by which SigNet's weights are recognized."""

_log = logging.getLogger(__name__)


def read_pickled(path: Path | str, remedy: str = "") -> Any:
    """Read what PyTorch has saved, without unpickling any objects.

    Parameters
    ----------
    path : Path or str
        The file.
    remedy : str, optional
        What the user should do where there is no such file, for the message.

    Returns
    -------
    Any
        Tensors, numbers, texts, and lists, tuples and dicts of them.

    Raises
    ------
    FkdError
        If the file is missing or damaged, holds other objects, or tensors that take much more
        memory than the file. A tensor may repeat one number as often as its shape says.
    """
    check_file(path, remedy)
    too_large = "Weights do not shrink so much. Save them anew, as copies (tensor.clone())."
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                refuse_unfolding(Path(path), unfolded_size(archive), MOST_SHARED, too_large)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings about how the file was pickled
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (FkdError, MemoryError):
        raise
    except Exception as error:  # unpickling an unknown file can raise any error
        raise FkdError(
            f"{printable(path)}: cannot be loaded as weights alone, and code in it is never run "
            f"({_reason(str(error))})."
        ) from None
    size = sum(tensor.numel() * tensor.element_size() for tensor in _tensors(content))
    refuse_unfolding(Path(path), size, MOST_SHARED, too_large)
    return content


def find_state(path: Path | str, content: Any) -> Mapping[str, Tensor] | None:
    """Find the tensors of a network, by their names, in what PyTorch has saved.

    They may be in a tuple that begins with them, in an entry of a checkpoint, and have longer names
    because the network was wrapped, such as ``module.`` by DataParallel. Whatever is unwrapped for
    SigNet is logged.

    Parameters
    ----------
    path : Path or str
        The file, for messages.
    content : Any
        What :func:`read_pickled` returned.

    Returns
    -------
    mapping of str to Tensor
        The tensors; None if there is no such mapping.
    """
    state = content[0] if isinstance(content, tuple | list) and content else content
    if not isinstance(state, dict):
        return None
    if not _is_state(state):
        entries = {str(key): value for key, value in state.items() if _is_state(value) and value}
        of_signet = [key for key, value in entries.items() if any(map(_is_first, value))]
        chosen = next(iter([*of_signet, *entries]), None)
        if chosen is None:
            return None
        _log.info("%s: of this checkpoint, the entry %r is read", printable(path), chosen)
        state = entries[chosen]
    first = next(filter(_is_first, state), FIRST_LAYER)
    wrapper = first.removesuffix(FIRST_LAYER)
    if wrapper:
        _log.info("%s: the names of the weights are read without %r", printable(path), wrapper)
        state = {str(name).removeprefix(wrapper): value for name, value in state.items()}
    return state


def _is_state(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(v, Tensor) for v in value.values())


def _is_first(name: Any) -> bool:
    """Tell whether a name is that of SigNet's first layer, as it is or in a wrapper."""
    return isinstance(name, str) and f".{name}".endswith(f".{FIRST_LAYER}")


def _tensors(content: Any) -> Iterator[Tensor]:
    """Yield all tensors in nested containers, as often as they occur in them."""
    waiting, entered = [content], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, dict | list | tuple | set) and id(value) not in entered:
            entered.add(id(value))
            waiting += value.values() if isinstance(value, dict) else value


def _reason(message: str) -> str:
    """Say in a few words why PyTorch refused a file; its own messages advise to trust the file."""
    if found := re.search(r"GLOBAL ([\w.]+)", message):
        return f"it holds {found[1]} besides tensors"
    if "TorchScript" in message:
        return "it holds a network as code"
    return "it is damaged, cut short, or no file of PyTorch"
