"""Modules of others that register networks, losses and layouts, without an edit of the package.

A config lists them in ``plugins``. They are code of the study's own, which runs as soon as the
config is read, so a config of strangers deserves the same look as a program of strangers.
"""

import importlib.util
import sys
import traceback
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from fkd.errors import FkdError
from fkd.registry import Registry
from fkd.storage.files import printable

_loaded: dict[str, Path] = {}
"""The files of the plugins that were loaded, by the names of their modules."""


def load_plugins(files: Iterable[Path | str]) -> None:
    """Import plugins, whose parts a config may then name.

    The module's name is that of its file. Modules that lie beside a plugin can be imported, too.

    Parameters
    ----------
    files : iterable of Path or str
        Python files. Relative paths start from the current folder, which is that of the study.
        One that was loaded before is not loaded again.

    Raises
    ------
    FkdError
        If a file is missing, has the name of another module, or raises an error. The message then
        names file and line.
    """
    for file in files:
        path, name = Path(file).expanduser().resolve(), Path(file).stem
        if _loaded.get(name) == path:
            continue
        if not path.is_file():
            raise FkdError(f"plugins: {printable(path)} is not there; expected a Python file")
        if path.suffix != ".py" or not name.isidentifier():
            raise FkdError(
                f"plugins: {printable(path)}: name the file as a module, with letters, digits and _ "
                "before .py"
            )
        if str(path.parent) not in sys.path:
            sys.path.append(str(path.parent))
        _refuse_taken(name, path)
        _loaded[name] = path
        Registry.loading = path
        try:
            import_module(name)
        except Exception as error:
            del _loaded[name]
            place = _line_of_syntax(error) or _last_place(error, set(path.parent.glob("*.py")))
            raise FkdError(f"plugins: {place or printable(path)}: {_in_words(error)}") from None
        finally:
            Registry.loading = None


def loaded_plugins() -> list[Path]:
    """List the files of the plugins that were loaded."""
    return list(_loaded.values())


def sources_of_plugins() -> list[Path]:
    """List the files of the plugins and of the modules beside them that were imported."""
    folders = {path.parent for path in _loaded.values()}
    modules = [module for name, module in list(sys.modules.items()) if name != "__main__"]
    files = (getattr(module, "__file__", None) for module in modules)
    # PyTorch has modules whose files are made-up names, as if they lay in the current folder.
    found = {Path(file).resolve() for file in files if file and Path(file).is_absolute()}
    return sorted(file for file in found if file.parent in folders)


def fault_of_plugin(error: BaseException) -> str | None:
    """Say where in a plugin an error was raised, by it or by what it called.

    Parameters
    ----------
    error : BaseException
        An error that was caught.

    Returns
    -------
    str or None
        File, line, function and the error; None if no plugin was at work.
    """
    place = _last_place(error, set(sources_of_plugins()))
    return place and f"{place}: {_in_words(error)}"


def _refuse_taken(name: str, path: Path) -> None:
    """Refuse a plugin whose name already stands for another module."""
    known = sys.modules.get(name)
    found = getattr(known, "__spec__", None) or importlib.util.find_spec(name)
    if found is None or found.origin is None or Path(found.origin).resolve() != path:
        other = f" ({found.origin})" if found is not None and found.origin else ""
        raise FkdError(
            f"plugins: {printable(path)}: {name} is the name of another module{other}; rename the "
            "file"
        )


def _last_place(error: BaseException, files: set[Path]) -> str | None:
    """Find the last line of some files that led to an error."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path in files:
            where = f", in {frame.name}" if frame.name != "<module>" else ""
            return f"{printable(path)}:{frame.lineno}{where}"
    return None


def _line_of_syntax(error: Exception) -> str | None:
    """Give the place of a mistake in the language itself."""
    is_placed = isinstance(error, SyntaxError) and error.filename
    return f"{printable(error.filename)}:{error.lineno}" if is_placed else None


def _in_words(error: BaseException) -> str:
    """Name an error; what the user can correct is said in its own words."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return text if isinstance(error, FkdError) else f"{type(error).__name__}: {text}".rstrip(": ")
