"""The check of how many pages and text crops were set aside."""

import csv
from pathlib import Path

from fkd.ranges import Share, checked
from fkd.storage import shards
from fkd.storage.files import printable
from fkd.storage.quarantine import Quarantine


@checked
def check_text(
    *,
    pages: Path,
    crops: list[Path],
    page_lists: list[Path],
    crop_lists: list[Path],
    out: Path,
    max_share: Share,
) -> None:
    """Join the lists of pages and text crops that were set aside, and stop if they are too many.

    Parameters
    ----------
    pages : Path
        The list of pages written by :func:`fkd.text.pages.list_pages`.
    crops : list of Path
        The shards of kind "crops".
    page_lists : list of Path
        The lists of pages that were set aside.
    crop_lists : list of Path
        The lists of crops that were set aside.
    out : Path
        The CSV file to write, with the entries of all lists.
    max_share : float
        The largest share that may be set aside, for pages and for crops separately; see
        :meth:`Quarantine.check`.
    """
    pages_aside, crops_aside = Quarantine.read(*page_lists), Quarantine.read(*crop_lists)
    both = Quarantine(pages_aside.rows + crops_aside.rows)
    both.passed_over = pages_aside.passed_over + crops_aside.passed_over
    both.write(out)
    with Path(pages).open(newline="", encoding="utf-8") as stream:
        listed = {printable(row["file"]) for row in csv.DictReader(stream)}
    # A page may be listed and set aside later, or set aside without being listed.
    count = len(listed | {file for file, _ in pages_aside.rows})
    pages_aside.check(count, max_share, "pages", out)
    kept = sum(len(shards.read(path, "crops", ["line"])["line"]) for path in crops)
    crops_aside.check(kept + len(crops_aside), max_share, "text crops", out)
