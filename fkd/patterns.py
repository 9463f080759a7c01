"""Patterns of file names: which files belong to a data set, and what their names say.

A pattern is a path within the set's folder that ends in the ending of the files. In it,

- ``{writer}`` matches a name of any length, and further ``{writer}`` must repeat the first one,
- ``{writer:3}`` matches a name of three characters,
- ``{writer:1-300}`` matches a number from 1 to 300, and ``{writer:001-300}`` one of at least
  three digits,
- ``*`` matches any characters or none, and ``?`` matches one character, but neither matches ``/``.

All other characters match themselves. The ending may be in upper or lower case, and ``.*``
stands for the endings of all formats that are read. What holds for ``{writer}`` holds for the
other names that a pattern reads, such as ``{sample}``, each of which occurs once.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fkd.errors import FkdError

ENDINGS = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")
"""Endings of the files that are taken from a folder for images."""

Patterns = str | Sequence[str]
"""One pattern, or several alternatives, as a config gives them."""


@dataclass(frozen=True)
class Pattern:
    """A pattern of file names.

    Attributes
    ----------
    text : str
        The pattern as it was written.
    rule : re.Pattern
        A regular expression, with a group for each name.
    ranges : mapping of str to range
        The numbers that a name may be, where the pattern limits it to some.
    """

    text: str
    rule: re.Pattern
    ranges: Mapping[str, range]

    def read(self, file: str) -> dict[str, str] | None:
        """Read the name of a file.

        Parameters
        ----------
        file : str
            The path of the file within the set's folder, with ``/`` between its parts.

        Returns
        -------
        dict of str to str or None
            What each name of the pattern stands for; None if the file does not fit the pattern.

        Examples
        --------
        >>> from fkd.patterns import compile_patterns
        >>> [pattern] = compile_patterns("????{writer:3}_{sample:01-12}.png", "sample")
        >>> pattern.read("0119001_07.PNG")
        {'writer': '001', 'sample': '07'}
        >>> pattern.read("0119001_13.PNG")
        """
        match = self.rule.fullmatch(file)
        if match and all(int(match[name]) in range_ for name, range_ in self.ranges.items()):
            return match.groupdict()
        return None


def compile_patterns(given: Patterns | None, part: str) -> list[Pattern]:
    """Compile the patterns of a set.

    Parameters
    ----------
    given : str, sequence of str or None
        One pattern, several, or none.
    part : str
        The name that the patterns read besides ``writer``, such as ``sample``.

    Returns
    -------
    list of Pattern
        The patterns, in the given order.

    Raises
    ------
    FkdError
        If a pattern cannot be read. The message says where and why.
    """
    texts = [given] if isinstance(given, str) else given or ()
    return [_compile(text, part) for text in texts]


def _compile(text: str, part: str) -> Pattern:
    """Compile one pattern."""
    stem, dot, ending = text.rpartition(".")
    parts: list[str] = []
    written: dict[str, str] = {}  # the first place of each name, as it is written
    ranges: dict[str, range] = {}
    end = 0
    for token in re.finditer(rf"\*|\?|\{{(writer|{part})([^{{}}]*\}}?)", stem):
        parts.append(re.escape(stem[end : token.start()]))
        end = token.end()
        name, limit = token.groups()
        if name is None:
            parts.append({"*": "[^/]*", "?": "[^/]"}[token[0]])
            continue
        if name not in written:
            group, numbers = _limited(limit, lazy=name == part)
            if group is None:
                raise FkdError(
                    f"pattern {text!r}: {token[0]!r} at character {token.start() + 1} is neither "
                    f"{{{name}}} nor a number of characters, as in {{{name}:3}}, nor a range of "
                    f"numbers, as in {{{name}:1-40}}."
                )
            written[name] = token[0]
            parts.append(f"(?P<{name}>{group})")
            ranges |= {name: numbers} if numbers else {}
        elif name == part:
            raise FkdError(
                f"pattern {text!r}: {token[0]!r} at character {token.start() + 1} is the second one. "
                f"It needs {{writer}}, {{{part}}} once and an ending."
            )
        elif token[0] not in (written[name], f"{{{name}}}"):
            raise FkdError(
                f"pattern {text!r}: {token[0]!r} at character {token.start() + 1} contradicts "
                f"{written[name]!r} before it."
            )
        else:
            parts.append(f"(?P={name})")
    if not dot or written.keys() != {"writer", part}:
        raise FkdError(
            f"pattern {text!r}: it needs {{writer}}, {{{part}}} once and an ending, such as "
            f"'genuine/{{writer}}-{{{part}}}.png'."
        )
    parts.append(re.escape(stem[end:]))
    endings = [e.removeprefix(".") for e in ENDINGS] if ending == "*" else [ending]
    any_case = "|".join(map(re.escape, endings))
    return Pattern(text, re.compile("".join(parts) + rf"\.(?i:{any_case})"), ranges)


def _limited(limit: str, lazy: bool) -> tuple[str | None, range | None]:
    """Translate what follows a name in its braces: its regular expression and its numbers."""
    if limit == "}":
        return ("[^/]+?" if lazy else "[^/]+"), None
    if (width := re.fullmatch(r":(\d+)\}", limit)) and int(width[1]) > 0:
        return f"[^/]{{{int(width[1])}}}", None
    if (ends := re.fullmatch(r":(\d+)-(\d+)\}", limit)) and int(ends[1]) <= int(ends[2]):
        return rf"\d{{{len(ends[1])},}}", range(int(ends[1]), int(ends[2]) + 1)
    return None, None
