"""Lists of the files that a stage wrote, with their digests, beside the stage's log.

A list has the format of ``sha256sum``, so ``sha256sum --check`` reads it, too. Its paths start
from its own folder, so a folder of results can be moved.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from fkd.errors import FkdError
from fkd.storage.files import files_below, printable

SUFFIX = ".sha256"
"""The ending of a manifest's name, in place of that of the log."""


def write_manifest(manifest: Path, files: Iterable[Path]) -> None:
    """List files with their digests.

    Parameters
    ----------
    manifest : Path
        The file to write.
    files : iterable of Path
        The files that a stage wrote. Those that it removed again, such as checkpoints, are left
        out.
    """
    folder = os.path.abspath(manifest.parent)
    lines = [
        f"{sha256(file)}  {os.path.relpath(file, folder)}\n"
        for file in sorted(set(files))
        if file.is_file()
    ]
    manifest.write_text("".join(lines), encoding="utf-8")


def read_manifests(folder: Path) -> dict[Path, str]:
    """Read all manifests below a folder.

    Parameters
    ----------
    folder : Path
        The folder of a study's results.

    Returns
    -------
    dict of Path to str
        The SHA-256 digest of each listed file, by its path below `folder`. If several stages
        wrote a file, the latest list counts.

    Raises
    ------
    FkdError
        If a line of a manifest cannot be read.
    """
    found: dict[Path, str] = {}
    manifests = [file for file in files_below(folder) if file.suffix == SUFFIX]
    for manifest in sorted(manifests, key=lambda file: file.stat().st_mtime_ns):
        for digest, place in _lines(manifest):
            path = os.path.normpath(os.path.join(os.path.relpath(manifest.parent, folder), place))
            found[folder / path] = digest
    return found


def sha256(file: Path) -> str:
    """Compute the SHA-256 digest of a file, as 64 hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _lines(manifest: Path) -> Iterator[tuple[str, str]]:
    for line in manifest.read_text(encoding="utf-8", errors="replace").splitlines():
        digest, separator, place = line.partition("  ")
        if not separator or len(digest) != 64:
            raise FkdError(
                f"{printable(manifest)}: not a list of digests. Remove it, and run the workflow "
                "with --forceall to write all files anew."
            )
        yield digest, place
