"""Which signatures train and which test: the random stream of the published evaluation."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fkd.verification.protocol import Protocol

ByWriter = np.ndarray | list[np.ndarray]
"""Rows or scores by writer: a matrix, or a list of arrays if writers differ in their number."""


@dataclass(frozen=True)
class Split:
    """The rows of one split. All arrays have one row for each writer, in ascending order.

    Attributes
    ----------
    train : ndarray of int, (writers, references)
        The genuine references.
    negatives : ndarray of int, (writers, writers - 1, negatives)
        The random forgeries with which each writer's model is trained: references of every
        other writer, in ascending order of the writers.
    test : ndarray of int, (writers, test_genuine), or list of ndarray
        The genuine signatures to test; a list by writer if the protocol says ``rest``.
    forged : ndarray of int, (writers, test_skilled), or list of ndarray
        The skilled forgeries to test; a list by writer if the protocol says ``all``.
    """

    train: np.ndarray
    negatives: np.ndarray
    test: ByWriter
    forged: ByWriter


def draw_splits(
    genuine: list[np.ndarray], skilled: list[np.ndarray], protocol: Protocol
) -> Iterator[Split]:
    """Draw splits as the published evaluation does.

    Parameters
    ----------
    genuine, skilled : list of ndarray of int
        The rows of each writer's genuine signatures and skilled forgeries.
    protocol : Protocol
        How many rows of a writer to draw, how many splits, and the seed of the one random
        stream from which all splits are drawn.

    Yields
    ------
    Split
        The rows of one split.

    Examples
    --------
    Two writers, with two references of four genuine signatures, and one test of each kind.

    >>> import numpy as np
    >>> from fkd.verification import Protocol
    >>> from fkd.verification.splits import draw_splits
    >>> genuine, skilled = [np.arange(4), np.arange(4, 8)], [np.arange(8, 10), np.arange(10, 12)]
    >>> protocol = Protocol(references=2, test_genuine=1, test_skilled=1, splits=3)
    >>> [split.negatives.shape for split in draw_splits(genuine, skilled, protocol)]
    [(2, 1, 2), (2, 1, 2), (2, 1, 2)]
    >>> first = next(draw_splits(genuine, skilled, protocol))
    >>> sorted(first.negatives[0, 0]) == sorted(first.train[1])
    True
    """
    # The published code's generator. Every draw below moves the stream on as that code does,
    # so that the splits are the published ones.
    stream = np.random.RandomState(protocol.seed)
    uneven = isinstance(protocol.test_genuine, str)
    for _ in range(protocol.splits):
        train, test = [], []
        for rows in genuine:
            rows = rows.copy()  # shuffled in place
            stream.shuffle(rows)
            train.append(rows[: protocol.references])
            # The published code takes references from the front and tests from the end.
            first = protocol.references if uneven else -protocol.test_genuine
            test.append(rows[first:])
        train = np.stack(train)
        # Negatives come before forgeries in the published order. The published code chooses
        # among the scores of forgeries, which takes the same draws as choosing rows.
        yield Split(
            train=train,
            negatives=_draw_negatives(stream, train, protocol.refused),
            test=test if uneven else np.stack(test),
            forged=_draw_forged(stream, skilled, protocol.test_skilled),
        )


def _draw_negatives(stream: np.random.RandomState, train: np.ndarray, negatives: int) -> np.ndarray:
    """Draw each writer's negatives from the references of every other writer.

    Parameters
    ----------
    stream : numpy.random.RandomState
        The random stream.
    train : ndarray of int, (writers, references)
        The references of all writers.
    negatives : int
        How many references of each other writer to draw.

    Returns
    -------
    ndarray of int, (writers, writers - 1, negatives)
        The negatives, by the other writers in ascending order.
    """
    # The published code calls RandomState.choice without replacement, which shuffles all
    # rows and takes the first ones. A shuffle gives the same rows and moves the stream on
    # in the same way. Where all rows are taken it is still needed: it sets their order.
    # Thousands of writers have gigabytes of them, hence the small numbers.
    drawn = np.empty((len(train), len(train) - 1, negatives), np.int32)
    for writer in range(len(train)):
        others = np.delete(train, writer, axis=0)
        for block in others:
            stream.shuffle(block)
        drawn[writer] = others[:, :negatives]
    return drawn


def _draw_forged(
    stream: np.random.RandomState, skilled: list[np.ndarray], count: int | str
) -> ByWriter:
    """Draw `count` of each writer's skilled forgeries, or take all."""
    if isinstance(count, str):
        return list(skilled)
    return np.stack([stream.choice(rows, count, replace=False) for rows in skilled])
