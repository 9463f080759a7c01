"""Pairs that are drawn from a set of signatures, writer by writer."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fkd.errors import FkdError
from fkd.ranges import Count, Share, check_fields

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Draw:
    """How many pairs are drawn of each writer, and of which kinds.

    Attributes
    ----------
    pairs : int
        The number of pairs of each writer. Writers with few signatures have fewer.
    genuine : float
        The share of pairs of two genuine signatures of the writer. The others are forged.
    skilled : float
        The share of pairs of a genuine signature and a skilled forgery of it.
    random : float
        The share of pairs of a genuine signature and one of another writer, a random forgery.

    Raises
    ------
    FkdError
        If a value is out of its range, or the shares do not add up to 1.
    """

    pairs: Count = 40
    genuine: Share = 0.5
    skilled: Share = 0.5
    random: Share = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
        total = self.genuine + self.skilled + self.random
        if abs(total - 1) > 1e-6:
            raise FkdError(
                f"draw: the shares of genuine, skilled and random add up to {total:g}, expected 1"
            )


def draw_pairs(
    genuine: Sequence[np.ndarray],
    skilled: Sequence[np.ndarray],
    draw: Draw,
    stream: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw pairs of the signatures of writers.

    Parameters
    ----------
    genuine, skilled : sequence of ndarray of int
        The rows of each writer's genuine signatures and of the skilled forgeries of them.
    draw : Draw
        The number of pairs and their kinds.
    stream : numpy.random.Generator
        The source of the random numbers.

    Returns
    -------
    first, second : ndarray of int32, (n,)
        The rows of each pair. The first is a genuine signature of the writer.
    forged : ndarray of bool, (n,)
        Whether the second one is a forgery.

    Examples
    --------
    >>> import numpy as np
    >>> from fkd.pairs.drawing import Draw, draw_pairs
    >>> genuine, skilled = np.arange(6).reshape(2, 3), np.arange(6, 10).reshape(2, 2)
    >>> stream = np.random.default_rng(0)
    >>> first, second, forged = draw_pairs(genuine, skilled, Draw(pairs=4), stream)
    >>> len(first), forged.sum().item(), bool((first < 6).all()), bool((second[forged] >= 6).all())
    (8, 4, True, True)
    """
    drawn: list[tuple[np.ndarray, np.ndarray, bool]] = []
    short = 0
    for writer, (own, imitated) in enumerate(zip(genuine, skilled, strict=True)):
        upper = np.triu_indices(len(own), 1)
        within = np.stack([own[upper[0]], own[upper[1]]], axis=1)
        against = np.stack(np.meshgrid(own, imitated, indexing="ij"), axis=-1).reshape(-1, 2)
        for share, all_pairs, is_forged in (
            (draw.genuine, within, False),
            (draw.skilled, against, True),
        ):
            wanted = round(draw.pairs * share)
            short += max(0, wanted - len(all_pairs))
            chosen = stream.permutation(len(all_pairs))[:wanted]
            drawn.append((*all_pairs[chosen].T, is_forged))
        wanted = round(draw.pairs * draw.random)
        others = [rows for at, rows in enumerate(genuine) if at != writer and len(rows)]
        if wanted and len(own) and others:
            partners = [
                stream.choice(others[at]) for at in stream.integers(len(others), size=wanted)
            ]
            drawn.append((stream.choice(own, wanted), np.array(partners), True))
        elif wanted:
            short += wanted
    if short:
        _log.warning("%d pairs fewer than wanted: writers have too few signatures", short)
    if not drawn:
        return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, bool)
    first, second, forged = zip(*drawn, strict=True)
    counts = [len(rows) for rows in first]
    return (
        np.concatenate(first).astype(np.int32),
        np.concatenate(second).astype(np.int32),
        np.repeat(forged, counts),
    )
