"""Which writers of a set are judged, and which of its rows are theirs."""

from collections.abc import Sequence

import numpy as np

from fkd.errors import FkdError
from fkd.verification.protocol import PairProtocol, Protocol

KINDS = ("genuine signatures", "skilled forgeries")
"""Kinds of signatures of a writer, for messages."""


def judged_writers(
    y: np.ndarray, yforg: np.ndarray, protocol: Protocol | PairProtocol
) -> np.ndarray:
    """Tell which writers of a set a protocol judges.

    Parameters
    ----------
    y : ndarray of int, (n,)
        The writer of each row.
    yforg : ndarray of int or bool, (n,)
        Whether each row is a skilled forgery.
    protocol : Protocol or PairProtocol
        The protocol.

    Returns
    -------
    ndarray of int, (writers,)
        The values of `y` in ascending order: all, or, where the protocol says so, those of writers
        with enough signatures. The others are left out, and serve as nobody's negatives.

    Examples
    --------
    Writer 1 has one genuine signature, and writer 2 no forgery.

    >>> import numpy as np
    >>> from fkd.verification import Protocol, judged_writers
    >>> y, yforg = np.array([0, 0, 0, 1, 1, 2, 2]), np.array([0, 0, 1, 0, 1, 0, 0])
    >>> protocol = Protocol(1, test_genuine=1, test_skilled="all", writers="enough")
    >>> judged_writers(y, yforg, protocol).tolist()
    [0, 2]
    """
    writers, of = np.unique(y, return_inverse=True)
    if protocol.writers == "all":
        return writers
    forged = np.asarray(yforg).astype(bool)
    counts = [np.bincount(of[kind], minlength=len(writers)) for kind in (~forged, forged)]
    enough = [count >= least for count, least in zip(counts, protocol.needed, strict=True)]
    return writers[enough[0] & enough[1]]


def rows_of_writers(
    y: np.ndarray,
    yforg: np.ndarray,
    writers: np.ndarray,
    protocol: Protocol | PairProtocol,
    names: Sequence[object] | None = None,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Find the rows of the writers that a protocol judges.

    Parameters
    ----------
    y : ndarray of int, (n,)
        The writer of each row.
    yforg : ndarray of int or bool, (n,)
        Whether each row is a skilled forgery.
    writers : ndarray of int, (k,)
        The writers in question, values of `y` in ascending order.
    protocol : Protocol or PairProtocol
        The protocol.
    names : sequence, optional
        The names of `writers`, for messages; by default, their values.

    Returns
    -------
    genuine, skilled : list of ndarray of int
        The rows of each judged writer, ascending.

    Raises
    ------
    FkdError
        If one of the writers has too few signatures and the protocol does not leave it out, or
        there are no writers or forgeries to judge.
    """
    yforg = np.asarray(yforg).astype(bool)
    judged, named = writers, writers if names is None else names
    if protocol.writers == "enough":
        kept = np.isin(writers, judged_writers(y, yforg, protocol))
        judged, named = writers[kept], [name for name, one in zip(named, kept, strict=True) if one]
    order = np.argsort(y, kind="stable")
    first, last = (np.searchsorted(y[order], judged, side) for side in ("left", "right"))
    own = [order[a:b] for a, b in zip(first, last, strict=True)]
    kinds = [rows[~yforg[rows]] for rows in own], [rows[yforg[rows]] for rows in own]
    for what, rows, needed in zip(KINDS, kinds, protocol.needed, strict=True):
        check_counts(what, rows, named, needed)
    if len(judged) < 2:
        left = f" with enough signatures; {len(writers)} are there" * (len(judged) < len(writers))
        raise FkdError(
            f"Verification needs at least 2 writers, found {len(judged)}{left}: the others' "
            "signatures are each writer's random forgeries."
        )
    if not any(map(len, kinds[1])):
        raise FkdError(
            "No writer has a skilled forgery, so that there are no equal error rates to compute."
        )
    return kinds


def check_counts(what: str, rows: list[np.ndarray], names: Sequence[object], needed: int) -> None:
    """Check that every writer has enough signatures of a kind.

    Parameters
    ----------
    what : str
        The kind, for the message.
    rows : list of ndarray
        The rows of each writer.
    names : sequence
        The writers' names.
    needed : int
        The least number.

    Raises
    ------
    FkdError
        If a writer has fewer.
    """
    short = [
        f"writer {name} has {len(writer_rows)}"
        for name, writer_rows in zip(names, rows, strict=True)
        if len(writer_rows) < needed
    ]
    if short:
        more = f" and {len(short) - 10} writers more" if len(short) > 10 else ""
        raise FkdError(
            f"The protocol needs {needed} {what} of every writer; {', '.join(short[:10])}{more}. "
            "Lower references or the tests of this set, complete the set, or leave these writers "
            "out by `writers: enough`. Files of theirs may have been set aside, see "
            "results/quarantine."
        )


def check_arrays(x: np.ndarray, y: np.ndarray, yforg: np.ndarray) -> None:
    """Refuse features, writers and forgery flags that do not fit together.

    Raises
    ------
    FkdError
        If their shapes differ from (n, F), (n,) and (n,), or a feature is NaN or infinite.
    """
    x, y, yforg = np.asarray(x), np.asarray(y), np.asarray(yforg)
    if x.ndim != 2 or y.shape != (len(x),) or yforg.shape != (len(x),):
        raise FkdError(
            "Features must have shape (n, F) and writers and forgery flags shape (n,), found "
            f"{x.shape}, {y.shape} and {yforg.shape}. Extract the features again."
        )
    broken = np.flatnonzero(~np.isfinite(x).all(axis=1))
    if len(broken):
        raise FkdError(
            f"{len(broken)} of {len(x)} rows of features hold NaN or infinity, the first is row "
            f"{broken[0]}. Check the training of the model that made them."
        )
