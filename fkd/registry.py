"""Tables of the parts that a config may name: networks, losses and layouts.

A part enters its table by one call, ``TABLE.register(name, part)``. The package's own parts do so
beside their tables, and parts of others in a module that the config lists in ``plugins``, see
:mod:`fkd.plugins`.
"""

from pathlib import Path
from typing import ClassVar, TypeVar

from fkd.errors import FkdError
from fkd.ranges import check_fields

Part = TypeVar("Part")


class Registry(dict[str, Part]):
    """The parts of one kind, by their names in a config.

    Parameters
    ----------
    kind : type
        The dataclass that describes a part.
    title : str
        What a part is called in messages, such as ``network``.

    Attributes
    ----------
    origins : dict of str to Path
        The plugin of each part that is not the package's own.
    """

    loading: ClassVar[Path | None] = None
    """The plugin that is being loaded."""

    def __init__(self, kind: type[Part], title: str) -> None:
        super().__init__()
        self.kind, self.title = kind, title
        self.origins: dict[str, Path] = {}

    def register(self, name: str, part: Part) -> None:
        """Add a part.

        Parameters
        ----------
        name : str
            The part's name in a config.
        part : object
            The part, of the type of this table.

        Raises
        ------
        FkdError
            If the part is of another type, one of its fields has an impossible value, or the
            table has a part of this name.
        """
        if not isinstance(part, self.kind):
            raise FkdError(
                f"{name}: a {self.title} is registered as {self.kind.__name__}(...), found "
                f"{type(part).__name__}"
            )
        check_fields(part)
        if name in self:
            whose = self.origins[name].name if name in self.origins else "fkd"
            raise FkdError(f"{name}: {whose} has a {self.title} of this name; take another")
        self[name] = part
        if Registry.loading is not None:
            self.origins[name] = Registry.loading

    def plugin(self, name: str) -> str:
        """Name the plugin of a part in words, such as `` of my_parts.py``; empty for own parts."""
        return f" of {self.origins[name].name}" if name in self.origins else ""

    def entry(self, name: str) -> str:
        """Describe the part of a plugin in full, for digests; empty for the package's own parts."""
        return f"{self.title} {name}: {self[name]!r}" if name in self.origins else ""
