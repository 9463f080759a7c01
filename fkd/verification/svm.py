"""All writers' support vector machines of one split, from one kernel matrix.

Every writer's training set holds the same rows, the references of all writers:
only the labels differ. So the scaling, the kernel matrix of the training rows and
the one of the test rows against them are made once for all writers.
"""

from dataclasses import dataclass

import numpy as np
from sklearn import config_context
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

DECIMALS = 10
"""To which scores are rounded, so that rows of equal features tie: error rates count
ties, and matrix products round by position. The solver is good for three decimals."""


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


@dataclass(frozen=True)
class WriterModels:
    """One support vector machine a writer, all on the same training rows.

    Attributes
    ----------
    scaler : StandardScaler
        Divides each feature by its standard deviation over the training rows
        (by 1 where that is 0), without centering.
    rows : ndarray of float64, (n, F)
        The scaled training rows.
    support : list of ndarray of int
        The support vectors of each writer's model, as positions in `rows`.
    dual : list of ndarray of float64
        Their coefficients, positive for genuine.
    intercept : ndarray of float64, (writers,)
        The models' offsets.
    gamma : float
        Inverse width of the kernel.
    """

    scaler: StandardScaler
    rows: np.ndarray
    support: list[np.ndarray]
    dual: list[np.ndarray]
    intercept: np.ndarray
    gamma: float

    def decide(self, x: np.ndarray) -> np.ndarray:
        """Score every row under every writer's model.

        Parameters
        ----------
        x : ndarray, (m, F)
            Features, not scaled.

        Returns
        -------
        ndarray of float64, (writers, m)
            Signed distances, positive for genuine.
        """
        dual = np.zeros((len(self.support), len(self.rows)))
        for row, support, coefficients in zip(dual, self.support, self.dual, strict=True):
            row[support] = coefficients
        scores = dual @ rbf(self.rows, self._scale(x), self.gamma) + self.intercept[:, None]
        return scores.round(DECIMALS)

    def decide_own(self, x: np.ndarray) -> np.ndarray:
        """Score rows under the model of one writer each, against its support vectors alone.

        Parameters
        ----------
        x : ndarray, (writers, m, F)
            Features, not scaled; the rows of the first axis go to that writer's model.

        Returns
        -------
        ndarray of float64, (writers, m)
            Signed distances, positive for genuine.
        """
        scaled = self._scale(x.reshape(-1, x.shape[-1])).reshape(x.shape)
        scores = [
            rbf(rows, self.rows[support], self.gamma) @ dual
            for rows, support, dual in zip(scaled, self.support, self.dual, strict=True)
        ]
        return (np.stack(scores) + self.intercept[:, None]).round(DECIMALS)

    def _scale(self, x: np.ndarray) -> np.ndarray:
        return self.scaler.transform(x).astype(np.float64)


def fit(x: np.ndarray, orders: np.ndarray, C: float, gamma: float) -> WriterModels:
    """Train one model a writer: its references against all other writers' references.

    Parameters
    ----------
    x : ndarray, (writers * references, F)
        References of all writers.
    orders : ndarray of int, (writers, writers * references)
        For each writer, the order in which its solver sees the rows of `x`: its own
        references first. The solver stops at a tolerance of 1e-3, so the order shows
        in the scores' fourth digit, and now and then in a rate.
    C : float
        Cost of an error; a genuine reference weighs (negatives / positives) times as
        much as one of another writer.
    gamma : float
        Inverse width of the radial basis function.

    Returns
    -------
    WriterModels
        The models, in the order of the writers.
    """
    scaler = StandardScaler(with_mean=False).fit(x)
    rows = scaler.transform(x).astype(np.float64)
    gram = rbf(rows, rows, gamma)
    by_row, ordered = np.empty_like(gram), np.empty_like(gram)
    genuine = np.arange(len(rows)) < len(rows) // len(orders)
    support, dual, intercept = [], [], []
    # The features were checked once; not again for every writer.
    with config_context(assume_finite=True, skip_parameter_validation=True):
        for order in orders:
            model = SVC(C=C, kernel="precomputed", class_weight={True: len(orders) - 1})
            np.take(gram, order, axis=0, out=by_row, mode="clip")
            np.take(by_row, order, axis=1, out=ordered, mode="clip")
            model.fit(ordered, genuine)
            support.append(order[model.support_])
            dual.append(model.dual_coef_[0])
            intercept.append(model.intercept_[0])
    return WriterModels(scaler, rows, support, dual, np.array(intercept), gamma)
