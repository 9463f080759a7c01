"""Which study made a folder of results, so that no other takes them for its own.

Snakemake keeps what it knows of the results, such as the settings that made them, in the folder
``.snakemake`` of the study. Results without it, because they were copied, linked or made by hand,
count as up to date under any settings. So both places hold the same random number here.
"""

import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from fkd.errors import FkdError
from fkd.storage.atomic import writing
from fkd.storage.files import printable

NAME = "fkd-origin.json"
"""The file in the study's records. In the folder of results, its name starts with a dot."""

_PART = re.compile(r"\..+\.(\d+)\.part(\.[^.]+)?")
_DAY = 24 * 3600  # seconds


def refuse_results_of_others(results: Path, records: Path, settings: Callable[[], str]) -> None:
    """Refuse results that were not made by the study whose records these are.

    Parameters
    ----------
    results : Path
        The folder of results.
    records : Path
        Snakemake's records, the folder ``.snakemake`` of the study.
    settings : callable
        Computes a digest of all that determines the results. Results that are complete under the
        same settings are accepted. It is called only if the records are not theirs.

    Raises
    ------
    FkdError
        If there are results, and the records are not theirs.
    """
    # The repository has a README of its own in the folder, so only what lies deeper counts.
    if not any(file.parent != results for file in _files(results)):
        return
    made, known = _read(results / f".{NAME}"), _read(records / NAME)
    if made.get("number"):
        is_ours = made["number"] == known.get("number") or made.get("complete") == settings()
    else:  # made by a version that left no number
        is_ours = any((records / "metadata").glob("*"))
    if not is_ours:
        raise FkdError(
            f"{printable(results)}: these results were not made by runs in this folder, so nobody "
            f"can say whether they are those of this config. Bring {records.name} along from the "
            "folder in which they were made, or move them away, or run with --forceall to make "
            "everything anew."
        )


def claim_results(results: Path, records: Path) -> None:
    """Note that runs of this study make these results, which are not complete yet."""
    number = _read(results / f".{NAME}").get("number") or secrets.token_hex(8)
    _write(results / f".{NAME}", {"number": number})
    _write(records / NAME, {"number": number})


def note_complete(results: Path, settings: str) -> None:
    """Note that all results are there, as these settings make them."""
    place = results / f".{NAME}"
    _write(place, _read(place) | {"complete": settings})


def clear_leftovers(results: Path, is_local: bool) -> None:
    """Remove the unfinished files of processes that were killed.

    Parameters
    ----------
    results : Path
        The folder of results.
    is_local : bool
        Whether all processes run on this machine. Otherwise, only files that are older than a
        day are removed, because a process on another machine may still write.
    """
    for file in _files(results):
        part = _PART.fullmatch(file.name)
        if part is None:
            continue
        is_old = time.time() - file.stat().st_mtime > _DAY
        if is_old or (is_local and not _is_running(int(part[1]))):
            file.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names if name != f".{NAME}")


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _read(place: Path) -> dict[str, str]:
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(place: Path, content: dict[str, str]) -> None:
    with writing(place) as part:
        part.write_text(json.dumps(content), encoding="utf-8")
