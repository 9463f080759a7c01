"""Who trains and who tests: the published random stream of writer-dependent verification."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fkd.verification.protocol import Protocol


@dataclass(frozen=True)
class Split:
    """Rows of one split; all arrays have one row a writer, in ascending order.

    Attributes
    ----------
    train : ndarray of int, (writers, references)
        Genuine references.
    negatives : ndarray of int, (writers, writers - 1, negatives)
        Each writer's random forgeries to train with, by the other writers in ascending
        order.
    test : ndarray of int, (writers, test_genuine)
        Genuine signatures to test with.
    forged : ndarray of int, (writers, test_skilled)
        Skilled forgeries to test with.
    """

    train: np.ndarray
    negatives: np.ndarray
    test: np.ndarray
    forged: np.ndarray


def draw_splits(
    genuine: list[np.ndarray], skilled: list[np.ndarray], protocol: Protocol
) -> Iterator[Split]:
    """Draw splits as the published evaluation does.

    Parameters
    ----------
    genuine, skilled : list of ndarray of int
        Rows of each writer's genuine signatures and skilled forgeries.
    protocol : Protocol
        How many to draw of a writer, and how many splits.

    Yields
    ------
    Split
        The rows of one split.
    """
    stream = np.random.RandomState(protocol.seed)  # the published stream
    for _ in range(protocol.splits):
        train, test = [], []
        for rows in genuine:
            rows = rows.copy()
            stream.shuffle(rows)
            train.append(rows[: protocol.references])
            test.append(rows[-protocol.test_genuine :])
        train = np.stack(train)
        yield Split(
            train=train,
            negatives=_draw_negatives(stream, train, protocol.refused),
            test=np.stack(test),
            forged=np.stack(
                [stream.choice(rows, protocol.test_skilled, replace=False) for rows in skilled]
            ),
        )


def _draw_negatives(stream: np.random.RandomState, train: np.ndarray, negatives: int) -> np.ndarray:
    """Draw each writer's negatives from each other writer's references.

    A choice without replacement is the start of a shuffle of all, and moves the stream
    so; the draw is made even where it takes all, and then gives their order.
    """
    drawn = np.empty((len(train), len(train) - 1, negatives), train.dtype)
    for writer in range(len(train)):
        others = np.delete(train, writer, axis=0)
        for block in others:
            stream.shuffle(block)
        drawn[writer] = others[:, :negatives]
    return drawn
