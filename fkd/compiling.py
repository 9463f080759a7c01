"""Loops compiled to machine code, which is kept on the disk where there is a place for it."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(**options: Any) -> Callable[[Callable], Callable]:
    """Let a function be compiled when it is first called, without Python's global lock.

    Numba keeps machine code beside the module, or below the user's home. In a checkout that
    cannot be written, by a user without such a home (in a container, a daemon, a cluster's
    job), each process compiles anew.

    Parameters
    ----------
    **options
        Further options of ``numba.njit``, such as ``fastmath``.

    Returns
    -------
    callable
        Decorates a function of arrays and numbers. No index in it is checked.
    """
    options |= {"nogil": True, "boundscheck": False}

    def decorate(function: Callable) -> Callable:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # Numba finds no place for its cache
            return numba.njit(**options)(function)

    return decorate
