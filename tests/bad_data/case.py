"""One bad input, and a payload that would show if code in it ran."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXECUTED = "executed"
"""The file that a payload would leave in the working directory."""


class Payload:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Callable, tuple[str, str]]:
        return (open, (EXECUTED, "w"))


class SystemPayload:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Callable, tuple[str]]:
        return (os.system, (f"touch {EXECUTED}",))


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes
    ----------
    group : str
        What is wrong with it, in short.
    name : str
        Which of the group it is.
    make : callable
        Writes it below an empty folder and gives what `read` takes.
    read : callable
        The reader under test.
    refused : str or None
        Regular expression of the error; None where it must be accepted.
    check : callable, optional
        Asserts that what `read` gives is right.
    may : bool
        It is read or refused, as chance has it; but nothing else may happen.
    """

    group: str
    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    refused: str | None
    check: Callable[[Any], None] = lambda found: None
    may: bool = False

    def __str__(self) -> str:
        return f"{self.group}: {self.name}"
