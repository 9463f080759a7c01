"""A support vector machine on rows of a kernel matrix that many machines share.

scikit-learn's solver (libsvm) wants a kernel matrix of its own for each machine, in the
order of its rows. Most machines are found here, on the matrix as it stands: by the same
steps, so that the coefficients are libsvm's to the last digits. The others go to libsvm.
"""

import numpy as np

from fkd.compiling import compiled

TOLERANCE = 1e-3
"""libsvm's, at which the published evaluation stops."""

STEPS = 1000
"""After so many steps, or as many as there are rows, libsvm sets rows aside ("shrinking")."""


def solve(
    gram: np.ndarray, order: np.ndarray, references: int, C: float
) -> tuple[np.ndarray, float]:
    """Train one machine.

    Parameters
    ----------
    gram : ndarray of float32, (n, n)
        The kernel matrix, ones on its diagonal. libsvm, too, keeps four bytes of each.
    order : ndarray of int, (m,)
        The machine's rows, first the genuine ones, in the order in which libsvm would
        see them.
    references : int
        How many are genuine; each weighs (m - references) / references times as much
        as one of the others.
    C : float
        Cost of an error.

    Returns
    -------
    dual : ndarray of float64, (n,)
        Coefficients, positive for genuine; 0 off the support vectors.
    intercept : float
        The offset.

    Notes
    -----
    The solver stops at a tolerance, so its path shows in the scores' fourth digit, and
    now and then in a rate; and the path depends on the order of the rows where gradients
    are equal, of which the last counts.
    """
    dual = np.zeros(len(gram))
    others = np.sort(order[references:])
    rows = np.append(others, order[:references])  # runs through memory, in the main
    rank = np.empty(len(gram), np.int64)
    rank[np.roll(order, -references)] = np.arange(len(order))  # libsvm puts genuine rows last
    genuine = np.arange(len(rows)) >= len(others)
    weight = len(others) / references
    found, alpha, intercept = _walk(gram, rows, rank, genuine, C, C * weight, min(STEPS, len(rows)))
    if found:
        dual[rows] = alpha
        return dual, intercept
    from sklearn import config_context  # few machines need them, and they take long to load
    from sklearn.svm import SVC

    # The features were checked once; not again for every writer.
    with config_context(assume_finite=True, skip_parameter_validation=True):
        model = SVC(C=C, kernel="precomputed", class_weight={True: weight}, tol=TOLERANCE)
        model.fit(gram[np.ix_(order, order)], np.arange(len(order)) < references)
    dual[order[model.support_]] = model.dual_coef_[0]
    return dual, model.intercept_[0]


@compiled()
def clip_step(
    one: float, other: float, change: float, change_other: float, limit: float, limit_other: float
) -> tuple[float, float]:
    """Change two coefficients together, as far as the box of 0 and the limits lets them.

    Of two classes both change by as much, so that their difference stays; of one class
    they change by opposite amounts, so that their sum stays. Steps are the same as libsvm's.

    Parameters
    ----------
    one, other : float
        The coefficients, each from 0 to its limit.
    change, change_other : float
        The wished changes, of equal size. Equal signs say that the classes differ.
    limit, limit_other : float
        The upper limits; those of one class are equal.

    Returns
    -------
    (float, float)
        The changed coefficients.
    """
    new, new_other = one + change, other + change_other
    if change * change_other > 0:  # of two classes: the difference stays
        difference = one - other
        if difference > 0:
            if new_other < 0:
                new, new_other = difference, 0.0
        elif new < 0:
            new, new_other = 0.0, -difference
        if difference > limit - limit_other:
            if new > limit:
                new, new_other = limit, limit - difference
        elif new_other > limit_other:
            new, new_other = limit_other + difference, limit_other
    else:  # of one class: the sum stays, and the limits are equal
        total = one + other
        if total > limit:
            if new > limit:
                new, new_other = limit, total - limit
        elif new_other < 0:
            new, new_other = total, 0.0
        if total > limit_other:
            if new_other > limit_other:
                new, new_other = total - limit_other, limit_other
        elif new < 0:
            new, new_other = 0.0, total
    return new, new_other


@compiled()
def _offset(wish: np.ndarray, up: np.ndarray, down: np.ndarray) -> float:
    """The mean over free support vectors, or without any the middle of what is allowed."""
    free = up & down
    if free.any():
        return -wish[free].mean()
    return -(wish[up].max() + wish[down].min()) / 2


@compiled()
def _walk(
    gram: np.ndarray,
    rows: np.ndarray,
    rank: np.ndarray,
    genuine: np.ndarray,
    cost: float,
    genuine_cost: float,
    steps: int,
) -> tuple[bool, np.ndarray, float]:
    """Sequential minimal optimization with second-order choice of pairs (Fan, Chen, Lin 2005).

    Each step moves the coefficients of two rows: `i`, which most wants to turn away from
    genuine, and `j`, with which that gains most. Says whether the optimum was reached.
    """
    n = len(rows)
    rise = np.where(genuine, -1.0, 1.0)  # libsvm's label: it takes genuine for the second class
    limit = np.where(genuine, genuine_cost, cost)
    alpha = np.zeros(n)
    wish = rise.copy()  # minus label times gradient
    up, down = ~genuine, genuine.copy()  # whose label times alpha may still rise, or fall
    for _ in range(steps):
        i, j, most, least, gain = -1, -1, -np.inf, np.inf, -np.inf
        for k in range(n):
            if up[k] and (wish[k] > most or (wish[k] == most and rank[rows[k]] > rank[rows[i]])):
                i, most = k, wish[k]
        kernel_i = gram[rows[i]]
        for k in range(n):
            if down[k]:
                least = min(least, wish[k])
                gap = most - wish[k]
                if gap > 0:
                    curve = 2.0 - 2.0 * kernel_i[rows[k]]
                    gained = gap * gap / (curve if curve > 0 else 1e-12)
                    if gained > gain or (gained == gain and rank[rows[k]] > rank[rows[j]]):
                        j, gain = k, gained
        if most - least < TOLERANCE or j < 0:
            return True, -rise * alpha, _offset(wish, up, down)
        kernel_j = gram[rows[j]]
        curve = 2.0 - 2.0 * kernel_i[rows[j]]
        step = (most - wish[j]) / (curve if curve > 0 else 1e-12)
        old_i, old_j = alpha[i], alpha[j]
        alpha[i], alpha[j] = clip_step(
            old_i, old_j, rise[i] * step, -rise[j] * step, limit[i], limit[j]
        )
        for k in (i, j):
            rises, falls = alpha[k] < limit[k], alpha[k] > 0
            up[k], down[k] = (falls, rises) if genuine[k] else (rises, falls)
        by_i, by_j = rise[i] * (alpha[i] - old_i), rise[j] * (alpha[j] - old_j)
        for k in range(n):
            wish[k] -= by_i * kernel_i[rows[k]] + by_j * kernel_j[rows[k]]
    return False, alpha, 0.0
