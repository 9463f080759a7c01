"""The list of the input files that a stage set aside, each with the reason."""

import csv
import logging
import shutil
from collections.abc import Iterable
from pathlib import Path

from fkd.errors import FkdError
from fkd.storage.atomic import writing
from fkd.storage.files import printable

PASSED_OVER = "passed over: "
"""The prefix of the reason for files that are listed but not counted."""

_log = logging.getLogger(__name__)


class Quarantine:
    """The files that one job of a stage set aside.

    Attributes
    ----------
    rows : list of (str, str)
        The files that were set aside, or parts of files such as ``page.png line 3``, each with
        the reason. Both are made printable by :func:`printable`.
    passed_over : list of (str, str)
        Files that are not input of the stage, as their names show, each with the reason. They
        are listed, too, but :meth:`check` does not count them.
    """

    def __init__(self, rows: Iterable[tuple[str, str]] = ()) -> None:
        self.rows = [(printable(file), printable(reason)) for file, reason in rows]
        self.passed_over: list[tuple[str, str]] = []

    def __len__(self) -> int:
        return len(self.rows)

    def set_aside(self, file: Path | str, reason: str) -> None:
        """Record that `file` is not used because of `reason`."""
        self.rows.append((printable(file), printable(reason)))

    def pass_over(self, file: Path | str, reason: str) -> None:
        """Record that `file` is not input of this stage because of `reason`."""
        self.passed_over.append((printable(file), PASSED_OVER + printable(reason)))

    def write(self, path: Path | str) -> None:
        """Write the list as CSV with the columns file and reason, and to the stage's log.

        If the stage fails later, Snakemake removes the CSV, but neither the log nor the copy
        that :meth:`check` makes. A copy of an earlier attempt is removed here.
        """
        _copy_of(path).unlink(missing_ok=True)
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
        """Read and concatenate one or more lists that :meth:`write` has written."""
        rows = []
        for path in paths:
            with Path(path).open(newline="", encoding="utf-8") as stream:
                rows += [(row["file"], row["reason"]) for row in csv.DictReader(stream)]
        joined = cls(row for row in rows if not row[1].startswith(PASSED_OVER))
        joined.passed_over = [row for row in rows if row[1].startswith(PASSED_OVER)]
        return joined

    def check(
        self, total: int, max_share: float, what: str, listed: Path | str | None = None
    ) -> None:
        """Raise an error if too many files were set aside.

        Parameters
        ----------
        total : int
            The number of files that were examined, including those set aside.
        max_share : float
            The largest share that may be set aside, from 0 to 1
            (``quarantine.max_share`` in the config).
        what : str
            A plural noun for the files, used in the message.
        listed : Path, optional
            The CSV in which :meth:`write` listed these files. If the share is exceeded, a copy
            is made beside it, ``NAME.stopped.csv``, which is no output of the stage and stays.

        Raises
        ------
        FkdError
            If the share is exceeded. The message names the first ten files and the copy. Call
            :meth:`write` before this method, so that the log names all of them.
        """
        if len(self) <= max_share * total:
            return
        first = "\n".join(f"  {file}: {reason}" for file, reason in self.rows[:10])
        more = f"\n  and {len(self) - 10} more" if len(self) > 10 else ""
        also = ""
        if listed is not None:
            shutil.copyfile(listed, _copy_of(listed))
            also = f", as does {printable(_copy_of(listed))}"
        raise FkdError(
            f"{len(self)} of {total} {what} were set aside, more than "
            f"quarantine.max_share = {max_share:g} allows:\n{first}{more}\n"
            f"The log of this stage lists them all{also}. Correct or remove these files, or raise "
            "quarantine.max_share."
        )


def _copy_of(path: Path | str) -> Path:
    """Give the place of the copy of a list that stays when its stage fails."""
    return Path(path).with_suffix(".stopped.csv")
