"""What was set aside on the way from pages to text crops, joined and weighed."""

import csv
from pathlib import Path

from fkd.storage import shards
from fkd.storage.quarantine import Quarantine


def check_text(
    *,
    pages: Path,
    crops: list[Path],
    page_lists: list[Path],
    crop_lists: list[Path],
    out: Path,
    max_share: float,
) -> None:
    """Join what was set aside on the way from pages to crops, and stop where it is too much.

    Parameters
    ----------
    pages : Path
        The list of pages of :func:`fkd.text.pages.list_pages`.
    crops : list of Path
        The shards of kind "crops".
    page_lists : list of Path
        What was set aside of the pages.
    crop_lists : list of Path
        What was set aside of the crops.
    out : Path
        CSV of both.
    max_share : float
        See :meth:`Quarantine.check`; held for pages and for crops.
    """
    of_pages, of_crops = Quarantine.read(*page_lists), Quarantine.read(*crop_lists)
    both = Quarantine(of_pages.rows + of_crops.rows)
    both.passed_over = of_pages.passed_over + of_crops.passed_over
    both.write(out)
    with Path(pages).open(newline="", encoding="utf-8") as stream:
        named = {row["file"] for row in csv.DictReader(stream)}
    of_pages.check(len(named | {file for file, _ in of_pages.rows}), max_share, "pages")
    kept = sum(len(shards.read(path, "crops", ["line"])["line"]) for path in crops)
    of_crops.check(kept + len(of_crops), max_share, "text crops")
