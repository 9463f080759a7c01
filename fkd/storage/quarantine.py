"""Input that a stage set aside, each with the reason, never dropped in silence."""

import csv
import logging
from collections.abc import Iterable
from pathlib import Path

from fkd.errors import FkdError
from fkd.storage.atomic import writing
from fkd.storage.files import printable

PASSED_OVER = "passed over: "
"""How the reason of a file begins that is listed but not counted."""

_log = logging.getLogger(__name__)


class Quarantine:
    """The files that one job of a stage set aside.

    Attributes
    ----------
    rows : list of (str, str)
        File (or part of one, such as ``page.png line 3``), as :func:`printable`, and reason.
    passed_over : list of (str, str)
        The same for files that are no input of the stage by their name. They are listed
        too, but :meth:`check` does not count them.
    """

    def __init__(self, rows: Iterable[tuple[str, str]] = ()) -> None:
        self.rows = [(printable(file), printable(reason)) for file, reason in rows]
        self.passed_over: list[tuple[str, str]] = []

    def __len__(self) -> int:
        return len(self.rows)

    def set_aside(self, file: Path | str, reason: str) -> None:
        """Note that `file` is not used because of `reason`."""
        self.rows.append((printable(file), printable(reason)))

    def pass_over(self, file: Path | str, reason: str) -> None:
        """Note that `file` is no input of this stage because of `reason`."""
        self.passed_over.append((printable(file), PASSED_OVER + printable(reason)))

    def write(self, path: Path | str) -> None:
        """Write the list as CSV with the columns file and reason, and to the stage's log.

        Where the stage fails after this, a workflow removes the CSV but keeps the log.
        """
        for file, reason in self.rows:
            _log.warning("set aside: %s: %s", file, reason)
        if self.passed_over:
            count, (file, reason) = len(self.passed_over), self.passed_over[0]
            _log.warning("%d files are no input, the first is %s: %s", count, file, reason)
        with writing(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
            table = csv.writer(stream)
            table.writerow(("file", "reason"))
            table.writerows(self.rows + self.passed_over)

    @classmethod
    def read(cls, *paths: Path | str) -> "Quarantine":
        """Read one or more lists written by :meth:`write`, joined in order."""
        rows = []
        for path in paths:
            with Path(path).open(newline="", encoding="utf-8") as stream:
                rows += [(row["file"], row["reason"]) for row in csv.DictReader(stream)]
        read = cls(row for row in rows if not row[1].startswith(PASSED_OVER))
        read.passed_over = [row for row in rows if row[1].startswith(PASSED_OVER)]
        return read

    def check(self, total: int, max_share: float, what: str) -> None:
        """Refuse to go on where too much was set aside.

        Parameters
        ----------
        total : int
            How many files were looked at, those set aside included.
        max_share : float
            The largest share that may be set aside, 0 to 1
            (``quarantine.max_share`` in the config).
        what : str
            What was looked at, in the plural, for the message.

        Raises
        ------
        FkdError
            Where the share is exceeded; the message names the first ten. :meth:`write`
            first, so that the log names all.
        """
        if len(self) <= max_share * total:
            return
        first = "\n".join(f"  {file}: {reason}" for file, reason in self.rows[:10])
        more = f"\n  and {len(self) - 10} more" if len(self) > 10 else ""
        raise FkdError(
            f"{len(self)} of {total} {what} were set aside, more than "
            f"quarantine.max_share = {max_share:g} allows:\n{first}{more}\n"
            "The log of this stage lists them all. Mend or remove these files, or raise "
            "quarantine.max_share."
        )
