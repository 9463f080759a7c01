"""A support vector machine on rows of a kernel matrix that many machines share.

scikit-learn's solver (libsvm) needs a separate kernel matrix for each machine, in the order
of the machine's rows. Most machines are solved here instead, on the shared matrix. The steps
are those of libsvm, so the coefficients are libsvm's to the last digits. Machines that take
too many steps are left to libsvm itself.
"""

import numpy as np

from fkd.compiling import compiled

TOLERANCE = 1e-3
"""The violation of optimality at which libsvm stops, by default and in the published evaluation."""

STEPS = 1000
"""After this many steps, or as many as there are rows if these are fewer, libsvm starts to set
rows aside ("shrinking"), and would take other steps than the ones here."""

TAU = 1e-12
"""libsvm's replacement for a curvature that is not positive, as between equal rows."""


def solve(
    gram: np.ndarray, order: np.ndarray, references: int, C: float
) -> tuple[np.ndarray, float]:
    """Train one machine: the genuine rows of one writer against those of other writers.

    Parameters
    ----------
    gram : ndarray of float32, (n, n)
        The kernel matrix, with ones on its diagonal. Single precision is what libsvm keeps.
    order : ndarray of int, (m,)
        The rows of the machine in the order in which libsvm would see them, the genuine
        ones first.
    references : int
        How many of the rows are genuine. Each of them weighs (m - references) / references
        times as much as one of the others.
    C : float
        The cost of an error.

    Returns
    -------
    dual : ndarray of float64, (n,)
        The coefficients of all rows, positive for genuine ones and 0 for all that are not
        support vectors.
    intercept : float
        The offset of the decision function.

    Notes
    -----
    The solver stops at a tolerance, so the path that it takes shows in the fourth digit of a
    score, and now and then in an error rate. Where gradients are equal, libsvm takes the last
    of its rows, so the path depends on their order. Hence `order` matters here too.
    """
    dual = np.zeros(len(gram))
    rows, rank, genuine, weight = arrange(order, references, len(gram))
    found, alpha, intercept = _walk(gram, rows, rank, genuine, C, C * weight, min(STEPS, len(rows)))
    if found:
        dual[rows] = alpha
        return dual, intercept
    from sklearn import config_context  # few machines need them, and they take long to load
    from sklearn.svm import SVC

    # The features were checked once, and need no check for every writer.
    with config_context(assume_finite=True, skip_parameter_validation=True):
        model = SVC(C=C, kernel="precomputed", class_weight={True: weight}, tol=TOLERANCE)
        model.fit(gram[np.ix_(order, order)], np.arange(len(order)) < references)
    dual[order[model.support_]] = model.dual_coef_[0]
    return dual, model.intercept_[0]


def arrange(
    order: np.ndarray, references: int, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Arrange the rows of one machine.

    Parameters
    ----------
    order : ndarray of int, (m,)
        The rows in the order in which libsvm would see them, the genuine ones first.
    references : int
        How many of the rows are genuine.
    n : int
        The rows of the kernel matrix.

    Returns
    -------
    rows : ndarray of int, (m,)
        The same rows in the order of memory, for speed, the genuine ones last.
    rank : ndarray of int, (n,)
        The place of each row in libsvm's order, which has the genuine class last. It decides ties.
    genuine : ndarray of bool, (m,)
        Which of `rows` are genuine.
    weight : float
        How much more a genuine row weighs.
    """
    others = np.sort(order[references:])
    rows = np.append(others, order[:references])
    rank = np.empty(n, np.int64)
    rank[np.roll(order, -references)] = np.arange(len(order))
    return rows, rank, np.arange(len(rows)) >= len(others), len(others) / references


@compiled()
def clip_step(
    one: float, other: float, change: float, change_other: float, limit: float, limit_other: float
) -> tuple[float, float]:
    """Change two coefficients together, as far as their bounds, 0 and the limits, allow.

    Coefficients of two classes change by the same amount, so their difference stays.
    Coefficients of one class change by opposite amounts, so their sum stays. The steps are
    those of libsvm.

    Parameters
    ----------
    one, other : float
        The coefficients, each from 0 to its limit.
    change, change_other : float
        The desired changes, of equal size. They have equal signs where the classes differ.
    limit, limit_other : float
        The upper limits, which are equal for coefficients of one class.

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
def choose_first(
    wish: np.ndarray, up: np.ndarray, rows: np.ndarray, rank: np.ndarray
) -> tuple[int, float]:
    """Choose the row of `up` with the highest wish, and return it with its wish; see `_walk`."""
    i, most = -1, -np.inf
    for k in range(len(rows)):
        if up[k] and (wish[k] > most or (wish[k] == most and rank[rows[k]] > rank[rows[i]])):
            i, most = k, wish[k]
    return i, most


@compiled()
def choose_second(
    wish: np.ndarray,
    down: np.ndarray,
    rows: np.ndarray,
    rank: np.ndarray,
    kernel_i: np.ndarray,
    most: float,
) -> tuple[int, float]:
    """Choose the row with which a step lowers the objective most, or -1 where there is none.

    It is returned with the lowest wish of `down`; see `_walk`.
    """
    j, least, gain = -1, np.inf, -np.inf
    for k in range(len(rows)):
        if down[k]:
            least = min(least, wish[k])
            gap = most - wish[k]
            if gap > 0:
                # K_ii + K_kk - 2 K_ik, the curvature along this pair.
                curve = 2.0 - 2.0 * kernel_i[rows[k]]
                gained = gap * gap / (curve if curve > 0 else TAU)
                if gained > gain or (gained == gain and rank[rows[k]] > rank[rows[j]]):
                    j, gain = k, gained
    return j, least


@compiled()
def change_pair(
    i: int,
    j: int,
    kernel_i: np.ndarray,
    kernel_j: np.ndarray,
    rows: np.ndarray,
    rise: np.ndarray,
    limit: np.ndarray,
    alpha: np.ndarray,
    wish: np.ndarray,
    up: np.ndarray,
    down: np.ndarray,
) -> None:
    """Change the coefficients of two rows, and in place all that depends on them; see `_walk`."""
    curve = 2.0 - 2.0 * kernel_i[rows[j]]
    step = (wish[i] - wish[j]) / (curve if curve > 0 else TAU)
    old_i, old_j = alpha[i], alpha[j]
    alpha[i], alpha[j] = clip_step(
        old_i, old_j, rise[i] * step, -rise[j] * step, limit[i], limit[j]
    )
    for k in (i, j):
        # For genuine rows y is -1, so y alpha rises as alpha falls.
        rises, falls = alpha[k] < limit[k], alpha[k] > 0
        up[k], down[k] = (rises, falls) if rise[k] > 0 else (falls, rises)
    by_i, by_j = rise[i] * (alpha[i] - old_i), rise[j] * (alpha[j] - old_j)
    for k in range(len(rows)):
        wish[k] -= by_i * kernel_i[rows[k]] + by_j * kernel_j[rows[k]]


@compiled()
def offset(wish: np.ndarray, up: np.ndarray, down: np.ndarray) -> float:
    """Compute the offset: minus the mean `wish` of the free support vectors.

    Where no coefficient lies strictly between its bounds, the optimum allows an interval, and its
    middle is taken.
    """
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
    """Solve one machine by sequential minimal optimization with second-order choice of pairs.

    The method is that of R.-E. Fan, P.-H. Chen and C.-J. Lin, Working set selection using
    second order information for training support vector machines, JMLR 6, 2005. Each step
    changes the coefficients of two rows, so that sum_k y_k alpha_k stays 0: `i` is the row that
    violates the conditions of optimality most, and `j` the one with which the step lowers the
    objective most.

    Parameters
    ----------
    gram : ndarray of float32, (n, n)
        The kernel matrix, with ones on its diagonal.
    rows : ndarray of int, (m,)
        The machine's rows of `gram`.
    rank : ndarray of int, (n,)
        The place of a row of `gram` in libsvm's order, which decides ties.
    genuine : ndarray of bool, (m,)
        Which of `rows` are genuine.
    cost, genuine_cost : float
        The upper bounds of the coefficients of other and of genuine rows.
    steps : int
        How many steps to take at most.

    Returns
    -------
    reached : bool
        Whether the optimum was reached. If not, the other results are of no use.
    coefficients : ndarray of float64, (m,)
        The coefficients of `rows`, positive for genuine ones.
    intercept : float
        The offset.
    """
    n = len(rows)
    # libsvm's label y. It takes genuine for the second class, hence the signs.
    rise = np.where(genuine, -1.0, 1.0)
    limit = np.where(genuine, genuine_cost, cost)
    alpha = np.zeros(n)
    # Minus y times the gradient of the objective: how much y alpha "wishes" to rise. All
    # coefficients start at 0, where the gradient is -1.
    wish = rise.copy()
    # Whether y alpha may still rise and fall; at the optimum no wish of `up` exceeds one of
    # `down` by more than the tolerance.
    up, down = ~genuine, genuine.copy()
    for _ in range(steps):
        i, most = choose_first(wish, up, rows, rank)
        j, least = choose_second(wish, down, rows, rank, gram[rows[i]], most)
        if most - least < TOLERANCE or j < 0:
            return True, -rise * alpha, offset(wish, up, down)
        kernels = gram[rows[i]], gram[rows[j]]
        change_pair(i, j, *kernels, rows, rise, limit, alpha, wish, up, down)
    return False, alpha, 0.0
