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
from sklearn import config_context
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

DECIMALS = 10
"""To which scores are rounded, so that rows of equal features tie: error rates count
ties, and matrix products round by position. The solver is good for three decimals."""

TILE = 512
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
    """Kernel of all rows with each other, see :func:`rbf`; (n, n) and symmetric."""
    gram = np.empty((len(rows), len(rows)))
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

        def score(writer: int) -> np.ndarray:
            support = np.flatnonzero(self.dual[writer])
            kernel = rbf(self._scale(x[writer]), self.rows[support], self.gamma)
            return kernel @ self.dual[writer, support]

        scores = np.stack(list(each(score, range(len(x)))))
        return (scores + self.intercept[:, None]).round(DECIMALS)

    def _scale(self, x: np.ndarray) -> np.ndarray:
        return self.scaler.transform(x).astype(np.float64)


def fit_shared(
    x: np.ndarray, last: np.ndarray, C: float, gamma: float, each: Map = map
) -> WriterModels:
    """Train one model a writer: its references against all other writers' references.

    Parameters
    ----------
    x : ndarray, (writers * references, F)
        References of all writers, writer by writer.
    last : ndarray of int, (writers,)
        Which row of `x` each writer's solver sees last, one of the last other writer's.
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

    Notes
    -----
    The published evaluation puts each other writer's references into an order drawn for
    each model. The solver (libsvm) stops at a tolerance of 1e-3, so its path shows in
    the scores' fourth digit, and now and then in a rate. The path depends on the order
    where gradients are equal, of which the solver takes the last. At the start those of
    all negatives are, so the last row is where it starts; later only those of equal
    rows are, and it does not matter which of these serves. So one exchange of two rows
    of the kernel matrix, in place, does for all writers that start from the same row
    what a reordered copy would do for each.
    """
    scaler = StandardScaler(with_mean=False).fit(x)
    rows = scaler.transform(x).astype(np.float64)
    gram = gram_matrix(rows, gamma, each)
    references = len(rows) // len(last)
    dual, intercept = np.zeros((len(last), len(rows))), np.empty(len(last))

    def train(writer: int) -> None:
        genuine = np.arange(len(rows)) // references == writer
        support, coefficients, intercept[writer] = _solve(gram, genuine, C)
        dual[writer, support] = coefficients

    for start in np.unique(last):
        starting = np.flatnonzero(last == start)
        end = (start // references + 1) * references - 1  # of the writer whose row it is
        _exchange(gram, start, end)
        list(each(train, starting))
        _exchange(gram, start, end)
        dual[np.ix_(starting, [start, end])] = dual[np.ix_(starting, [end, start])]
    return WriterModels(scaler, rows, dual, intercept, gamma)


def _exchange(gram: np.ndarray, one: int, other: int) -> None:
    """Let two rows of the data change places in their kernel matrix."""
    gram[[one, other]] = gram[[other, one]]
    gram[:, [one, other]] = gram[:, [other, one]]


def fit_own(x: np.ndarray, references: int, C: float, gamma: float) -> WriterModels:
    """Train the model of one writer on a training set of its own.

    Parameters
    ----------
    x : ndarray, (n, F)
        The writer's references, then its negatives in the order in which the solver
        shall see them, see :func:`fit_shared`.
    references : int
        How many of the rows are the writer's.
    C, gamma : float
        As of :func:`fit_shared`.

    Returns
    -------
    WriterModels
        The one model.
    """
    scaler = StandardScaler(with_mean=False).fit(x)
    rows = scaler.transform(x).astype(np.float64)
    support, dual, intercept = _solve(
        gram_matrix(rows, gamma), np.arange(len(rows)) < references, C
    )
    return WriterModels(scaler, rows[support], dual[None], np.array([intercept]), gamma)


def _solve(gram: np.ndarray, genuine: np.ndarray, C: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Support vectors, their coefficients and the offset of one machine."""
    weight = np.count_nonzero(~genuine) / np.count_nonzero(genuine)
    # The features were checked once; not again for every writer.
    with config_context(assume_finite=True, skip_parameter_validation=True):
        model = SVC(C=C, kernel="precomputed", class_weight={True: weight}).fit(gram, genuine)
    return model.support_, model.dual_coef_[0], model.intercept_[0]
