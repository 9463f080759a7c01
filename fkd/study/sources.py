"""Checks of a study's external input: changed data, identical paths, duplicate keys in configs."""

import os
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

import yaml

from fkd.errors import FkdError
from fkd.storage.files import files_below, printable


def state_of(place: Path) -> str:
    """Compute a digest of a file or folder, so that a change can be noticed.

    The digest of a file depends on its content. The digest of a folder depends on the names,
    sizes and dates of all files at any depth, but not on their content: reading thousands of
    images would take minutes at each start.

    Parameters
    ----------
    place : Path
        A file or folder.

    Returns
    -------
    str
        16 hexadecimal digits; "missing" if there is neither a file nor a folder.
    """
    place = Path(place)
    state = blake2b(digest_size=8)
    if place.is_dir():
        for file in sorted(files_below(place)):
            try:
                status = file.stat()
                stamp = (status.st_size, status.st_mtime_ns)
            except OSError:  # a broken link, which the stage will report
                stamp = (0, 0)
            name = printable(file.relative_to(place))
            state.update(f"{name}\0{stamp[0]}\0{stamp[1]}\n".encode())
    elif place.is_file():
        with place.open("rb") as stream:
            while part := stream.read(1 << 20):
                state.update(part)
    else:
        return "missing"
    return state.hexdigest()


def expanded(path: Path | str) -> Path:
    """Replace ``~`` and ``~name`` at the start of a path by the home folder that they stand for.

    Raises
    ------
    FkdError
        If there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise FkdError(f"{printable(path)}: {error} Write the path without ~.") from None


def same_place(one: Path | str, other: Path | str) -> bool:
    """Tell whether two paths lead to the same file or folder, after following all links."""
    first, second = (os.path.realpath(expanded(path)) for path in (one, other))
    return first == second


def refuse_double_keys(files: Iterable[Path]) -> None:
    """Refuse YAML files that contain a key twice.

    Otherwise, only the last value of such a key would be used, without any warning.

    Parameters
    ----------
    files : iterable of Path
        The configs. Files that are not valid YAML are skipped here, because reading them
        raises an error of its own.

    Raises
    ------
    FkdError
        If a key occurs twice in a mapping. The message names file, key and lines.
    """
    problems = []
    for file in map(Path, files):
        try:
            root = yaml.compose(file.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            continue
        problems += [f"{file}: {fault}" for fault in _double_keys(root, "")]
    if problems:
        raise FkdError("\n".join([*problems, "Join or remove the entries of a key that repeats."]))


def _double_keys(node: yaml.Node | None, above: str) -> Iterator[str]:
    """Report the keys that occur twice in a mapping, at any depth."""
    if isinstance(node, yaml.SequenceNode):
        for place, inner in enumerate(node.value):
            yield from _double_keys(inner, f"{above}{place}.")
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, inner in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in lines and name != "<<":  # a mapping may merge several others by "<<"
                yield f"{above}{name} occurs twice (lines {lines[name]} and {line})"
            lines.setdefault(name, line)
            yield from _double_keys(inner, f"{above}{name}.")
