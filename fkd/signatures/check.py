"""The check of a study's sets of signatures together, before any network learns from them."""

import csv
from pathlib import Path

from fkd.errors import FkdError
from fkd.ranges import Share, checked
from fkd.storage import shards
from fkd.storage.atomic import writing
from fkd.storage.quarantine import Quarantine

COLUMNS = ("development", "judged", "copies", "signatures")

MOST_SHARED = 0.5
"""The share of a judged set's signatures above which their copies in a development set mean that
both are one set."""


@checked
def check_signatures(
    *,
    signatures: list[Path],
    quarantine: list[Path],
    development: list[str],
    judged: list[str],
    out: Path,
    max_share: Share,
) -> None:
    """Stop if too many signatures were set aside, or if sets that must differ are the same.

    Signatures are compared by the content of their prepared images, so copies under other names
    or in other folders are found.

    Parameters
    ----------
    signatures : list of Path
        The shards of kind "signatures" of all sets.
    quarantine : list of Path
        For each of `signatures`, the list of the files that were set aside.
    development : list of str
        The sets that the teacher learns from.
    judged : list of str
        The sets on which models are judged.
    out : Path
        The CSV file to write, with one row for each pair of a development set and a judged set:
        how many of the judged ``signatures`` are ``copies`` of development signatures.
    max_share : float
        The largest share of a set's files that may be set aside, see :meth:`Quarantine.check`.

    Raises
    ------
    FkdError
        If a share is exceeded, if more than half of a judged set's signatures are among the
        development signatures, or if two development sets share more than half of theirs.
    """
    images: dict[str, list[str]] = {}
    for path, listed in zip(signatures, quarantine, strict=True):
        shard = shards.read(path, "signatures", ["image"])
        name = shard.attributes["set"]
        images[name] = [shards.digest(image) for image in shard["image"]]
        aside = Quarantine.read(listed)
        aside.check(len(images[name]) + len(aside), max_share, f"signatures of {name}")
    rows = []
    for learned in development:
        for other in judged:
            copies = _copies(images[other], images[learned])
            if copies > MOST_SHARED * len(images[other]):
                raise FkdError(
                    f"teacher.development: {copies} of the {len(images[other])} signatures of "
                    f"evaluation.sets.{other} are also in {learned}. What a teacher has learned "
                    "from cannot judge it: take another set."
                )
            rows.append((learned, other, copies, len(images[other])))
        for other in development[: development.index(learned)]:
            copies = _copies(images[learned], images[other])
            if copies > MOST_SHARED * len(images[learned]):
                raise FkdError(
                    f"teacher.development: {copies} of the {len(images[learned])} signatures of "
                    f"{learned} are also in {other}, so one person would be two classes. Name one "
                    "of the two sets."
                )
    with writing(out) as part, part.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(COLUMNS)
        table.writerows(rows)


def read_copies(path: Path) -> list[tuple[str, str, int, int]]:
    """Read the rows of the table of :func:`check_signatures`, which has :data:`COLUMNS`."""
    with path.open(newline="", encoding="utf-8") as stream:
        return [
            (row["development"], row["judged"], int(row["copies"]), int(row["signatures"]))
            for row in csv.DictReader(stream)
        ]


def _copies(images: list[str], others: list[str]) -> int:
    """Count the images that are also among others."""
    known = set(others)
    return sum(image in known for image in images)
