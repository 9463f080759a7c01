"""All writers' support vector machines of one split.

Where every writer's training set holds the same rows, the references of all writers,
only the labels differ. Then the scaling, the kernel matrix of the training rows and the
one of the test rows against them are made once for all writers.

Work is cut into parts by its size alone, and each part is done by one thread, so that
scores do not depend on the number of threads.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from sklearn.preprocessing import StandardScaler

from fkd.verification.solver import solve

DECIMALS = 10
"""To which scores are rounded, so that rows of equal features tie: error rates count
ties, and matrix products round by position. The solver is good for three decimals."""

TILE = 256
"""Rows of a part of a kernel matrix."""

Map = Callable[[Callable, Iterable], Iterable]
"""Applies a function to each part of some work: the built-in `map`, or an executor's."""


def rbf(a: np.ndarray, b: np.ndarray, gamma: float) -> np.ndarray:
    """Radial basis function kernel, exp(-gamma ||a_i - b_j||^2).

    Parameters
    ----------
    a, b : ndarray of float64, (m, F) and (n, F)
        Rows to compare; the same object twice gives ones on the diagonal.
    gamma : float
        Inverse width of the kernel.

    Returns
    -------
    ndarray of float64, (m, n)
        The kernel matrix, C-contiguous.
    """
    kernel = a @ b.T
    kernel *= -2
    kernel += np.einsum("ij,ij->i", a, a)[:, None]
    kernel += np.einsum("ij,ij->i", b, b)
    np.maximum(kernel, 0, out=kernel)  # squared distances cancel near 0
    if a is b:
        np.fill_diagonal(kernel, 0)
    kernel *= -gamma
    return np.exp(kernel, out=kernel)


def gram_matrix(rows: np.ndarray, gamma: float, each: Map = map) -> np.ndarray:
    """Kernel of all rows with each other, see :func:`rbf`.

    Returns
    -------
    ndarray of float32, (n, n)
        Symmetric; computed in float64, and kept as the solver takes it.
    """
    gram = np.empty((len(rows), len(rows)), np.float32)
    tiles = [(part, rows[part]) for part in _tiles(len(rows))]

    def fill(pair: tuple[tuple[slice, np.ndarray], tuple[slice, np.ndarray]]) -> None:
        (down, a), (across, b) = pair
        gram[down, across] = rbf(a, b, gamma)
        if a is not b:
            gram[across, down] = gram[down, across].T

    # list() waits for all, and lets errors out.
    list(each(fill, [(one, other) for i, one in enumerate(tiles) for other in tiles[: i + 1]]))
    return gram


def _tiles(rows: int) -> list[slice]:
    return [slice(first, first + TILE) for first in range(0, rows, TILE)]


@dataclass(frozen=True)
class WriterModels:
    """Support vector machines of writers that share the scaling and the training rows.

    Attributes
    ----------
    scaler : StandardScaler
        Divides each feature by its standard deviation over the training rows
        (by 1 where that is 0), without centering.
    rows : ndarray of float64, (n, F)
        The scaled training rows, or those that are any writer's support vectors.
    dual : ndarray of float64, (writers, n)
        Each writer's coefficients, positive for genuine, 0 off its support vectors.
    intercept : ndarray of float64, (writers,)
        The models' offsets.
    gamma : float
        Inverse width of the kernel.
    """

    scaler: StandardScaler
    rows: np.ndarray
    dual: np.ndarray
    intercept: np.ndarray
    gamma: float

    def decide(self, x: np.ndarray, each: Map = map) -> np.ndarray:
        """Score every row under every writer's model.

        Parameters
        ----------
        x : ndarray, (m, F)
            Features, not scaled.
        each : Map
            What the parts of the work are given to.

        Returns
        -------
        ndarray of float64, (writers, m)
            Signed distances, positive for genuine.
        """

        def score(part: slice) -> np.ndarray:
            return self.dual @ rbf(self.rows, self._scale(x[part]), self.gamma)

        scores = np.concatenate(list(each(score, _tiles(len(x)))), axis=1)
        return (scores + self.intercept[:, None]).round(DECIMALS)

    def decide_own(self, x: np.ndarray, each: Map = map) -> np.ndarray:
        """Score rows under the model of one writer each, against its support vectors alone.

        Parameters
        ----------
        x : ndarray, (writers, m, F)
            Features, not scaled; the rows of the first axis go to that writer's model.
        each : Map
            What the parts of the work are given to.

        Returns
        -------
        ndarray of float64, (writers, m)
            Signed distances, positive for genuine.
        """
        scaled = self._scale(x.reshape(-1, x.shape[-1])).reshape(x.shape)

        def score(writer: int) -> np.ndarray:
            support = np.flatnonzero(self.dual[writer])
            kernel = rbf(scaled[writer], self.rows[support], self.gamma)
            return kernel @ self.dual[writer, support]

        scores = np.stack(list(each(score, range(len(x)))))
        return (scores + self.intercept[:, None]).round(DECIMALS)

    def _scale(self, x: np.ndarray) -> np.ndarray:
        return self.scaler.transform(x).astype(np.float64)


def fit_shared(
    x: np.ndarray, orders: np.ndarray, C: float, gamma: float, each: Map = map
) -> WriterModels:
    """Train one model a writer: its references against all other writers' references.

    Parameters
    ----------
    x : ndarray, (writers * references, F)
        References of all writers.
    orders : ndarray of int, (writers, writers * references)
        For each writer, the order in which its solver sees the rows of `x`: its own
        references first; see :func:`fkd.verification.solver.solve`.
    C : float
        Cost of an error; a genuine reference weighs (negatives / positives) times as
        much as one of another writer.
    gamma : float
        Inverse width of the radial basis function.
    each : Map
        What the parts of the work are given to.

    Returns
    -------
    WriterModels
        The models, in the order of the writers.
    """
    scaler, rows, gram = _prepare(x, gamma, each)
    references = len(rows) // len(orders)
    solved = each(lambda order: solve(gram, order, references, C), orders)
    dual, intercept = zip(*solved, strict=True)
    return WriterModels(scaler, rows, np.stack(dual), np.array(intercept), gamma)


def fit_own(x: np.ndarray, references: int, C: float, gamma: float) -> WriterModels:
    """Train the model of one writer on a training set of its own.

    Parameters
    ----------
    x : ndarray, (n, F)
        The writer's references, then its negatives in the order in which the solver
        sees them.
    references : int
        How many of the rows are the writer's.
    C, gamma : float
        As of :func:`fit_shared`.

    Returns
    -------
    WriterModels
        The one model.
    """
    scaler, rows, gram = _prepare(x, gamma)
    dual, intercept = solve(gram, np.arange(len(rows)), references, C)
    support = np.flatnonzero(dual)
    return WriterModels(scaler, rows[support], dual[None, support], np.array([intercept]), gamma)


def _prepare(
    x: np.ndarray, gamma: float, each: Map = map
) -> tuple[StandardScaler, np.ndarray, np.ndarray]:
    """Fit the scaler; give it with the scaled rows and their kernel matrix."""
    scaler = StandardScaler(with_mean=False).fit(x)
    rows = scaler.transform(x).astype(np.float64)
    return scaler, rows, gram_matrix(rows, gamma, each)
