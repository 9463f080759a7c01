"""The messages of a stage, on the terminal and in its log."""

import logging
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path

from fkd.errors import FkdError
from fkd.plugins import fault_of_plugin, load_plugins
from fkd.storage.atomic import written
from fkd.storage.files import printable, printable_lines
from fkd.storage.manifest import SUFFIX, write_manifest


class _OneLine(logging.Formatter):
    """A format whose messages are one line each, whatever the names in them contain."""

    def format(self, record: logging.LogRecord) -> str:
        shown = copy(record)  # other handlers get the record as it is
        if isinstance(shown.args, tuple):
            shown.args = tuple(printable(a) if isinstance(a, str | Path) else a for a in shown.args)
        return printable_lines(super().format(shown))


@contextmanager
def stage(log: Path | str | None = None, plugins: Iterable[Path | str] = ()) -> Iterator[None]:
    """Run a stage, and report its errors on the terminal and in its log.

    A :class:`~fkd.errors.FkdError` is an error that the user can correct. It ends the process with
    its message and status 1. So does any error in a plugin, with its file and line. Any other error
    is a bug in this project, and is reported with its traceback. Control characters in messages, such as those in names of files, are spelled out.

    Parameters
    ----------
    log : Path or str, optional
        The file for messages; by default, they go to the terminal. Beside it, a manifest of the
        files that the stage wrote is left, see :mod:`fkd.storage.manifest`.
    plugins : iterable of Path or str
        The modules of others that are loaded first, see :func:`fkd.plugins.load_plugins`.
    """
    handler = (
        logging.StreamHandler()
        if log is None
        else logging.FileHandler(log, mode="w", encoding="utf-8")
    )
    handler.setFormatter(_OneLine("%(asctime)s %(name)s: %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("fkd")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    before = len(written())
    try:
        if log is not None:
            manifest = Path(log).with_suffix(SUFFIX)
            manifest.unlink(missing_ok=True)
        load_plugins(plugins)
        yield
        if log is not None:
            write_manifest(manifest, written()[before:])
    except Exception as error:
        message = str(error) if isinstance(error, FkdError) else fault_of_plugin(error)
        if log is not None:
            logger.error(str(error) if isinstance(error, FkdError) else traceback.format_exc())
        if message is None:
            raise
        print(f"error: {printable_lines(message)}", file=sys.stderr)
        sys.exit(1)
    finally:
        logger.removeHandler(handler)
        handler.close()
