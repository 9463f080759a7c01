"""What comes from outside: whether data is as it was, two places are one, a config says a thing twice."""

import os
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

import yaml

from fkd.errors import FkdError
from fkd.storage.files import files_below, printable


def state_of(place: Path) -> str:
    """Digest what lies at a place, so that a change of it can be noticed.

    Of a file its content counts. Of a folder the names, sizes and dates of all files count, at
    any depth: reading many images for their content would take minutes at each start.

    Parameters
    ----------
    place : Path
        A file or folder.

    Returns
    -------
    str
        16 hexadecimal digits; "missing" where nothing lies there.
    """
    place = Path(place)
    state = blake2b(digest_size=8)
    if place.is_dir():
        for file in sorted(files_below(place)):
            try:
                status = file.stat()
                about = (status.st_size, status.st_mtime_ns)
            except OSError:  # a link to nowhere, which the stage will name
                about = (0, 0)
            name = printable(file.relative_to(place))
            state.update(f"{name}\0{about[0]}\0{about[1]}\n".encode())
    elif place.is_file():
        with place.open("rb") as stream:
            while part := stream.read(1 << 20):
                state.update(part)
    else:
        return "missing"
    return state.hexdigest()


def same_place(one: Path | str, other: Path | str) -> bool:
    """Tell whether two paths lead to one place, once links and slashes at the end are followed."""
    first, second = (os.path.realpath(Path(path).expanduser()) for path in (one, other))
    return first == second


def refuse_double_keys(files: Iterable[Path]) -> None:
    """Refuse YAML files in which a key stands twice: of two, YAML keeps the last without a word.

    Parameters
    ----------
    files : iterable of Path
        Configs; what is no YAML is left to those who read it.

    Raises
    ------
    FkdError
        Naming each file, key and the lines on which it stands.
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
    """Name the keys that stand twice in a mapping, at any depth."""
    if isinstance(node, yaml.SequenceNode):
        for place, inner in enumerate(node.value):
            yield from _double_keys(inner, f"{above}{place}.")
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, inner in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in lines and name != "<<":  # a mapping may merge several others
                yield f"{above}{name} stands twice (lines {lines[name]} and {line})"
            lines.setdefault(name, line)
            yield from _double_keys(inner, f"{above}{name}.")
