"""The support vector machines of all writers in one split.

By default the training set of every writer holds the same rows, the references of all writers,
and only the labels differ. Then the scaling, the kernel matrix of the training rows, and that of
the test rows against them are computed once for all writers.

Work is cut into parts by its size alone, and each part is done by one thread, so scores do
not depend on the number of threads.
"""

import gc
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from fkd.verification.row_solver import solve_by_rows, solve_packed
from fkd.verification.scaling import deviations, scaled
from fkd.verification.solver import solve

DECIMALS = 10
"""Decimals to which scores are rounded, so that rows of equal features get equal scores. Error
rates depend on ties, and a matrix product may round equal rows differently by their position.
The solver itself is accurate to about three decimals."""

TILE = 256
"""Rows of a kernel matrix that are computed at a time."""

SQUARE = 16_384
"""Rows up to which a kernel matrix is square: 1 GB. That of more rows is packed, and the writers'
coefficients are kept as sparse as they are."""

SLAB = 1024
"""Rows of a long training set that are brought to double precision at a time."""

Map = Callable[[Callable, Iterable], Iterable]
"""What applies a function to each part of some work: the built-in `map`, or an executor's."""


def rbf(a: np.ndarray, b: np.ndarray, gamma: float) -> np.ndarray:
    """Compute the radial basis function kernel, exp(-gamma ||a_i - b_j||^2).

    Parameters
    ----------
    a, b : ndarray of float64, (m, F) and (n, F)
        The rows to compare. The same object twice gives exact ones on the diagonal.
    gamma : float
        The factor of the squared distances.

    Returns
    -------
    ndarray of float64, (m, n)
        The kernel matrix, C-contiguous.

    Examples
    --------
    >>> import numpy as np
    >>> from fkd.verification.svm import rbf
    >>> rows = np.array([[0.0, 0.0], [3.0, 4.0]])
    >>> rbf(rows, rows, gamma=np.log(2) / 25).round(3).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    # ||a||^2 + ||b||^2 - 2 a.b, in place: one matrix product and no array of differences.
    kernel = a @ b.T
    kernel *= -2
    kernel += np.einsum("ij,ij->i", a, a)[:, None]
    kernel += np.einsum("ij,ij->i", b, b)
    np.maximum(kernel, 0, out=kernel)  # small distances cancel, even to below 0
    if a is b:
        np.fill_diagonal(kernel, 0)
    kernel *= -gamma
    return np.exp(kernel, out=kernel)


def gram_matrix(rows: np.ndarray, gamma: float, each: Map = map) -> np.ndarray:
    """Compute the kernel of all rows with each other; see :func:`rbf`.

    Parameters
    ----------
    rows : ndarray of float, (n, F)
        The rows.
    gamma : float
        The factor of the squared distances.
    each : Map
        What the parts of the work are given to.

    Returns
    -------
    ndarray of float32, (n, n)
        The symmetric matrix: computed in float64, and stored in the precision of libsvm.
    """
    gram = np.empty((len(rows), len(rows)), np.float32)
    tiles = _tiles(len(rows))

    def store(i: int, j: int, kernel: np.ndarray) -> None:
        gram[tiles[i], tiles[j]] = kernel
        if i != j:  # the other triangle is a copy, so the matrix is exactly symmetric
            gram[tiles[j], tiles[i]] = gram[tiles[i], tiles[j]].T

    _fill_tiles(rows, gamma, store, each)
    return gram


def packed_gram_matrix(rows: np.ndarray, gamma: float, each: Map = map) -> np.ndarray:
    """Compute the kernel of all rows with each other, and keep one triangle.

    Parameters
    ----------
    rows, gamma, each
        As for :func:`gram_matrix`.

    Returns
    -------
    ndarray of float32, (tiles, TILE, TILE)
        The values of :func:`gram_matrix`, in tiles; see
        :func:`fkd.verification.row_solver.solve_packed`.
    """
    count = len(_tiles(len(rows)))
    packed = np.zeros((count * (count + 1) // 2, TILE, TILE), np.float32)

    def store(i: int, j: int, kernel: np.ndarray) -> None:
        packed[i * (i + 1) // 2 + j, : kernel.shape[0], : kernel.shape[1]] = kernel

    _fill_tiles(rows, gamma, store, each)
    return packed


def _fill_tiles(
    rows: np.ndarray, gamma: float, store: Callable[[int, int, np.ndarray], None], each: Map
) -> None:
    """Compute the tiles on and below the diagonal of a kernel matrix."""
    tiles = _tiles(len(rows))

    def fill(pair: tuple[int, int]) -> None:
        i, j = pair
        a = rows[tiles[i]].astype(np.float64, copy=False)
        b = a if i == j else rows[tiles[j]].astype(np.float64, copy=False)
        store(i, j, rbf(a, b, gamma))

    # list() waits for all tiles, and raises their errors.
    list(each(fill, [(i, j) for i in range(len(tiles)) for j in range(i + 1)]))


def _tiles(rows: int) -> list[slice]:
    """Cut rows into tiles, whatever the number of threads."""
    return [slice(first, first + TILE) for first in range(0, rows, TILE)]


@dataclass(frozen=True)
class WriterModels:
    """The support vector machines of writers that share scaling and training rows.

    Attributes
    ----------
    deviation : ndarray of float64, (F,)
        The standard deviation of each feature over the training rows, by which it is divided
        (1 where that is 0), without centering, as published.
    rows : ndarray of float64, (n, F)
        The scaled training rows, or only those that are support vectors of a writer.
    dual : ndarray or sparse array of float64, (writers, n)
        The coefficients of each writer, positive for genuine rows, and 0 for all rows that
        are not the writer's support vectors.
    intercept : ndarray of float64, (writers,)
        The offsets of the models.
    gamma : float
        The factor of the squared distances in the kernel.
    """

    deviation: np.ndarray
    rows: np.ndarray
    dual: np.ndarray | sparse.csr_array
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

        decimals = self._decimals()
        scores = np.empty((len(self.intercept), len(x)))

        def score(part: slice) -> None:
            found = self.dual @ rbf(self.rows, self._scale(x[part]), self.gamma)
            scores[:, part] = (found + self.intercept[:, None]).round(decimals)

        list(each(score, _tiles(len(x))))
        return scores

    def decide_own(
        self, x: np.ndarray, rows: Sequence[np.ndarray], each: Map = map
    ) -> list[np.ndarray]:
        """Score rows under the model of one writer each.

        Only the kernel with the writer's support vectors is computed, which takes less than
        :meth:`decide` where each row needs the score of a single model.

        Parameters
        ----------
        x : ndarray, (n, F)
            Features, not scaled.
        rows : sequence of ndarray of int, (writers,) of (m,)
            ``x[rows[w]]`` is scored under the model of writer w.
        each : Map
            What the parts of the work are given to.

        Returns
        -------
        list of ndarray of float64, (writers,) of (m,)
            Signed distances, positive for genuine.
        """

        decimals = self._decimals()

        def score(writer: int) -> np.ndarray:
            if not len(rows[writer]):
                return np.empty(0)
            support, dual = self._own(writer)
            kernel = rbf(self._scale(x[rows[writer]]), self.rows[support], self.gamma)
            scores = kernel @ dual
            return (scores + self.intercept[writer]).round(decimals)

        return list(each(score, range(len(rows))))

    def _decimals(self) -> int:
        """Count the decimals that do not depend on the order of sums, so that equal scores stay so.

        At a low cost C, all coefficients are small, and so are the differences of scores.
        """
        largest = abs(self.dual).max()
        return DECIMALS + (max(0, int(-np.log10(largest)) - 1) if largest else 0)

    def _own(self, writer: int) -> tuple[np.ndarray, np.ndarray]:
        """Name the support vectors of one writer, and their coefficients."""
        if isinstance(self.dual, np.ndarray):
            support = np.flatnonzero(self.dual[writer])
            return support, self.dual[writer, support]
        own = slice(*self.dual.indptr[writer : writer + 2])
        return self.dual.indices[own], self.dual.data[own]

    def _scale(self, x: np.ndarray) -> np.ndarray:
        """Scale features in their own precision, and continue in double precision."""
        return scaled(x, self.deviation).astype(np.float64)


def fit_shared(
    x: np.ndarray, orders: Sequence[np.ndarray], C: float, gamma: float, each: Map = map
) -> WriterModels:
    """Train a model for each writer: its references against those of all other writers.

    Parameters
    ----------
    x : ndarray, (writers * references, F)
        The references of all writers.
    orders : sequence of ndarray of int, (writers,) of (writers * references,)
        For each writer, the order in which the solver sees the rows of `x`, starting with
        the writer's own references; see :func:`fkd.verification.solver.solve`.
    C : float
        The cost of an error. A genuine reference weighs (negatives / positives) times as
        much as one of another writer.
    gamma : float
        The factor of the squared distances in the kernel.
    each : Map
        What the parts of the work are given to.

    Returns
    -------
    WriterModels
        The models, in the order of the writers.
    """
    packed = len(x) > SQUARE
    deviation, rows = _prepare(x, np.float32 if packed else np.float64)
    del x  # of many writers it takes as much memory as `rows`
    if packed:
        dual, intercept = _solve_packed(packed_gram_matrix(rows, gamma, each), orders, C, each)
        gc.collect()  # Numba, when it compiles, leaves cycles that hold the matrix: gigabytes
    else:
        dual, intercept = _solve_square(gram_matrix(rows, gamma, each), orders, C, each)
    return WriterModels(deviation, rows.astype(np.float64, copy=False), dual, intercept, gamma)


def _solve_square(
    gram: np.ndarray, orders: Sequence[np.ndarray], C: float, each: Map
) -> tuple[np.ndarray, np.ndarray]:
    """Train all writers' machines, and return their coefficients and offsets."""
    references = len(gram) // len(orders)

    def fit(writer: int) -> tuple[np.ndarray, float]:
        return solve(gram, orders[writer], references, C)

    dual, intercept = zip(*each(fit, range(len(orders))), strict=True)
    return np.stack(dual), np.array(intercept)


def _solve_packed(
    packed: np.ndarray, orders: Sequence[np.ndarray], C: float, each: Map
) -> tuple[sparse.csr_array, np.ndarray]:
    """Do the same on a packed kernel matrix."""

    def fit(writer: int) -> tuple[sparse.csr_array, float]:
        order = orders[writer]
        dual, intercept = solve_packed(packed, order, len(order) // len(orders), C)
        return sparse.csr_array(dual[None]), intercept

    dual, intercept = zip(*each(fit, range(len(orders))), strict=True)
    return sparse.vstack(dual, format="csr"), np.array(intercept)


def fit_own(x: np.ndarray, references: int, C: float, gamma: float) -> WriterModels:
    """Train the model of one writer on a training set that no other writer shares.

    Parameters
    ----------
    x : ndarray, (n, F)
        The writer's references, then its negatives in the order in which the solver
        sees them.
    references : int
        How many of the rows are the writer's references.
    C, gamma : float
        As for :func:`fit_shared`.

    Returns
    -------
    WriterModels
        The single model.
    """
    deviation, rows = _prepare(x)
    gram = gram_matrix(rows, gamma)
    dual, intercept = solve(gram, np.arange(len(rows)), references, C)
    support = np.flatnonzero(dual)
    return WriterModels(deviation, rows[support], dual[None, support], np.array([intercept]), gamma)


def fit_long(
    x: np.ndarray, genuine: np.ndarray, C: float, gamma: float, memory: float, each: Map = map
) -> WriterModels:
    """Train one model on a training set that is too long for a kernel matrix of all its rows.

    Parameters
    ----------
    x : ndarray of float, (n, F)
        The training rows, those of the class False first. They are scaled in place.
    genuine : ndarray of bool, (n,)
        The class of each row. Both classes weigh the same.
    C, gamma : float
        As for :func:`fit_shared`.
    memory : float
        The gigabytes of the kernel matrix that are kept; see
        :func:`fkd.verification.row_solver.solve_by_rows`.
    each : Map
        What the parts of the work are given to.

    Returns
    -------
    WriterModels
        The single model, with its support vectors alone.
    """
    slabs = [slice(first, first + SLAB) for first in range(0, len(x), SLAB)]
    deviation = deviations(x[slab] for slab in slabs)
    for slab in slabs:
        x[slab] = scaled(x[slab], deviation)

    def kernel(wanted: np.ndarray) -> np.ndarray:
        rows = x[wanted].astype(np.float64)
        found = np.empty((len(wanted), len(x)), np.float32)

        def fill(slab: slice) -> None:
            found[:, slab] = rbf(rows, x[slab].astype(np.float64), gamma)

        list(each(fill, slabs))
        return found

    dual, intercept = solve_by_rows(kernel, genuine, C, memory)
    support = np.flatnonzero(dual)
    rows = x[support].astype(np.float64)
    return WriterModels(deviation, rows, dual[None, support], np.array([intercept]), gamma)


def _prepare(x: np.ndarray, dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """Return the deviations of all features, and the scaled rows."""
    deviation = deviations([x])
    return deviation, scaled(x, deviation).astype(dtype, copy=False)
