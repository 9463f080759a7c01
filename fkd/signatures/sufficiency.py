"""Whether the writers of a set have enough signatures for a protocol, told from the list of files."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fkd.layouts import LAYOUTS, list_files, of_writers
from fkd.storage.files import files_below, natural_order, printable
from fkd.verification.protocol import Protocol

MOST_NAMED = 5
"""Writers that a message names."""


def too_few(name: str, entry: Mapping[str, Any], protocols: Iterable[Protocol]) -> list[str]:
    """Say which writers have too few signatures, before anything is prepared or trained.

    Parameters
    ----------
    name : str
        The set's name in the config.
    entry : mapping of str to Any
        Its ``layout`` and ``path``, and where the config gives them ``genuine``, ``skilled`` and
        ``writers``.
        A set of the layout ``npz`` is known once it is read, so that nothing is said of it.
    protocols : iterable of Protocol
        The protocols under which it is judged.

    Returns
    -------
    list of str
        A message for each protocol that the set does not satisfy.
    """
    layout = LAYOUTS[entry["layout"]]
    genuine, skilled = (entry.get(key) or getattr(layout, key) for key in ("genuine", "skilled"))
    if genuine is None:
        return []
    listed = list_files(Path(entry["path"]), genuine, skilled)
    rows = of_writers(listed, entry.get("writers"), name)
    counts = Counter((row.writer, row.forgery) for row in rows)
    writers = sorted({row.writer for row in rows}, key=natural_order)
    unfit = _files_that_fit_no_pattern(Path(entry["path"]), {row.file for row in listed})
    messages = []
    for protocol in protocols:
        if protocol.writers == "enough":
            continue
        needed = protocol.needed
        short = [
            f"writer {printable(writer)} has {counts[writer, False]} and {counts[writer, True]}"
            for writer in writers
            if counts[writer, False] < needed[0] or counts[writer, True] < needed[1]
        ]
        if short:
            more = len(short) - MOST_NAMED
            named = ", ".join(short[:MOST_NAMED]) + (f" and {more} writers more" * (more > 0))
            messages.append(
                f"evaluation.sets.{name}: {protocol.references} references and the tests need "
                f"{needed[0]} genuine signatures and {needed[1]} forgeries of every writer of "
                f"signatures.{name}; {named}. Complete these writers, lower the numbers, "
                f"or leave the writers out by writers: enough in the protocol.{unfit}"
            )
    return messages


def _files_that_fit_no_pattern(folder: Path, listed: set[str]) -> str:
    """Say how many files are no part of the set by their names: the reason may lie there."""
    files = [path.relative_to(folder).as_posix() for path in files_below(folder)]
    others = sorted(set(files) - listed)
    if not others:
        return ""
    first = printable(others[0])
    return f" {len(others)} of {len(files)} files there fit no pattern, the first is {first}."
