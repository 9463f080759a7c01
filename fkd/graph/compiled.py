"""The loops over vectors and trees on the CPU, compiled, map after map.

All of a map stays in the processor's cache, and no thread waits for another. What calls
one another stands in this one file: a compiled function that is kept on the disk does not
notice when another file changes.
"""

import numba
import numpy as np

COMPILED = {"cache": True, "nogil": True, "boundscheck": False, "fastmath": {"reassoc"}}
"""Sums may be reordered, so that they run in vectors."""

COLUMNS = 72
"""So many columns are summed at once that they stay in the processor's cache."""


@numba.njit(**COMPILED)
def sum_rows(values: np.ndarray, trees: np.ndarray, radius: int, sums: np.ndarray) -> None:
    room = working_room(values[0], radius)
    for at in range(len(values)):
        sum_one(values[at], trees[at], room, sums[at])


@numba.njit(**COMPILED)
def working_room(x: np.ndarray, radius: int) -> np.ndarray:
    """Room for :func:`sum_one`, used over and over."""
    return np.empty((radius + 3, len(x), COLUMNS), x.dtype)


@numba.njit(**COMPILED)
def sum_one(x: np.ndarray, tree: np.ndarray, room: np.ndarray, sums: np.ndarray) -> None:
    """Sum over neighborhoods on one tree: :func:`fkd.graph.neighbors.sum_over_neighbors`, compiled.

    Parameters
    ----------
    x : ndarray, (N, D)
        The values.
    tree : ndarray, (N,)
        The rooted tree.
    room : ndarray
        From :func:`working_room`.
    sums : ndarray, (N, D)
        The result.
    """
    n, d = x.shape
    radius = len(room) - 3
    below, above, last = room[: radius + 1], room[radius + 1], room[radius + 2]
    parts = -(-d // COLUMNS)
    for part in range(parts):
        left = d * part // parts
        width = d * (part + 1) // parts - left
        for i in range(n):
            for c in range(width):
                below[0, i, c] = x[i, left + c]
        for k in range(1, radius + 1):
            below[k] = below[0]
            for i in range(1, n):
                p = tree[i]
                for c in range(width):
                    below[k, p, c] += below[k - 1, i, c]
        above[0] = 0
        for i in range(1, n):
            above[i] = below[0, tree[i]]
        for k in range(1, radius):
            above, last = last, above
            above[0] = 0
            for i in range(1, n):
                p = tree[i]
                for c in range(width):
                    above[i, c] = below[k, p, c] - below[k - 1, i, c] + last[p, c]
        for i in range(n):
            for c in range(width):
                sums[i, left + c] = below[radius, i, c] - below[0, i, c] + above[i, c]


@numba.njit(**COMPILED)
def _center(vectors: np.ndarray, y: np.ndarray) -> None:
    """Write the centered vectors, then s_i and 1, as the columns of y."""
    n, d = vectors.shape
    mean = np.zeros(d)
    for i in range(n):
        for c in range(d):
            y[i, c] = vectors[i, c] - vectors[0, c]
            mean[c] += y[i, c]
    mean /= n
    for i in range(n):
        s = 0.0
        for c in range(d):
            y[i, c] -= mean[c]
            s += y[i, c] * y[i, c]
        y[i, d] = s
        y[i, d + 1] = 1


@numba.njit(**COMPILED)
def contrast(
    vectors: np.ndarray,
    trees: np.ndarray,
    ratios: np.ndarray,
    total: np.ndarray,
    sums: np.ndarray,
    radius: int,
) -> None:
    """:func:`fkd.graph.nac` of some maps, its denominator, and the sums M Y that its gradient takes."""
    n, d = vectors.shape[1:]
    y = np.empty((n, d + 2), vectors.dtype)
    room = working_room(y, radius)
    for at in range(len(vectors)):
        m_y = sums[at]
        _center(vectors[at], y)
        sum_one(y, trees[at], room, m_y)
        all_s = y[:, d].sum()
        for i in range(n):
            product = 0.0
            for c in range(d):
                product += y[i, c] * m_y[i, c]
            near = m_y[i, d + 1] * y[i, d] + m_y[i, d] - 2 * product
            # The centered vectors sum to 0.
            total[at, i] = n * y[i, d] + all_s
            ratios[at, i] = max(0.0, near) / total[at, i] if total[at, i] > 0 else 0.0


@numba.njit(**COMPILED)
def contrast_gradient(
    vectors: np.ndarray,
    trees: np.ndarray,
    ratios: np.ndarray,
    total: np.ndarray,
    sums: np.ndarray,
    gradient: np.ndarray,
    of_x: np.ndarray,
    radius: int,
) -> None:
    """The gradient of sum_i g_i NAC_i, with a_i = g_i / total_i and b_i = a_i NAC_i:

    2 [(deg_k a_k + (M a)_k) x_k - a_k (M X)_k - (M a X)_k]
    - 2 [(N b_k + sum_j b_j) x_k - sum_j b_j x_j]
    """
    n, d = vectors.shape[1:]
    y = np.empty((n, d + 2), vectors.dtype)
    a_y, m_ay = np.empty_like(y), np.empty_like(y)
    room, a, b = working_room(y, radius), np.empty(n), np.empty(n)
    for at in range(len(vectors)):
        m_y = sums[at]
        _center(vectors[at], y)
        b_x = np.zeros(d)
        for i in range(n):
            a[i] = gradient[at, i] / total[at, i] if ratios[at, i] > 0 else 0.0
            b[i] = a[i] * ratios[at, i]
            for c in range(d + 2):
                a_y[i, c] = a[i] * y[i, c]
            for c in range(d):
                b_x[c] += b[i] * y[i, c]
        sum_one(a_y, trees[at], room, m_ay)
        all_b = b.sum()
        for k in range(n):
            own = m_y[k, d + 1] * a[k] + m_ay[k, d + 1] - n * b[k] - all_b
            for c in range(d):
                of_x[at, k, c] = 2 * (own * y[k, c] - a[k] * m_y[k, c] - m_ay[k, c] + b_x[c])
