"""The loops over vectors and trees on the CPU, compiled by Numba.

Each thread processes its maps one after another: the data of one map stay in the
processor's cache, and no thread waits for another. Functions that call each other are all
in this one file, because a compiled function that is cached on the disk does not notice
when another file changes.
"""

import numpy as np

from fkd.compiling import compiled

REORDERED = {"fastmath": {"reassoc"}}
"""Lets Numba reorder sums, so that they use vector instructions."""

COLUMNS = 72
"""Columns that are summed at once: few enough to stay in the processor's cache."""


@compiled(**REORDERED)
def sum_rows(values: np.ndarray, trees: np.ndarray, radius: int, sums: np.ndarray) -> None:
    """Sum over neighborhoods on each of B trees: :func:`sum_one`, map after map.

    Parameters
    ----------
    values : ndarray, (B, N, D)
        The values of B maps.
    trees : ndarray, (B, N)
        The rooted trees.
    radius : int
        The largest number of hops between neighbors.
    sums : ndarray, (B, N, D)
        Where the result is written.
    """
    room = working_room(values[0], radius)
    for at in range(len(values)):
        sum_one(values[at], trees[at], room, sums[at])


@compiled(**REORDERED)
def working_room(x: np.ndarray, radius: int) -> np.ndarray:
    """Allocate the tables of :func:`sum_one` once, to be reused for every map."""
    # below_0 to below_radius, then two tables that take turns as above_k and above_(k-1).
    return np.empty((radius + 3, len(x), COLUMNS), x.dtype)


@compiled(**REORDERED)
def sum_one(x: np.ndarray, tree: np.ndarray, room: np.ndarray, sums: np.ndarray) -> None:
    """Sum over neighborhoods on one tree.

    The formulas of ``below`` and ``above`` are those of
    :func:`fkd.graph.neighbors.sum_over_neighbors`.

    Parameters
    ----------
    x : ndarray, (N, D)
        The values.
    tree : ndarray, (N,)
        The rooted tree.
    room : ndarray, (radius + 3, N, COLUMNS)
        The tables of :func:`working_room`, which set the radius.
    sums : ndarray, (N, D)
        Where the result is written.
    """
    n, d = x.shape
    radius = len(room) - 3
    below, above, last = room[: radius + 1], room[radius + 1], room[radius + 2]
    # The columns are independent. They are cut into parts of nearly equal width, none of
    # them wider than COLUMNS.
    parts = -(-d // COLUMNS)
    for part in range(parts):
        left = d * part // parts
        width = d * (part + 1) // parts - left
        for i in range(n):
            for c in range(width):
                below[0, i, c] = x[i, left + c]
        # below_k needs below_(k-1) alone, so the vectors of a level may come in any order,
        # children before parents or after. The root, vector 0, is nobody's child.
        for k in range(1, radius + 1):
            below[k] = below[0]
            for i in range(1, n):
                p = tree[i]
                for c in range(width):
                    below[k, p, c] += below[k - 1, i, c]
        above[0] = 0  # the root has no parent
        for i in range(1, n):
            above[i] = below[0, tree[i]]
        # What below_k(p) reaches through i itself is taken out again.
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


@compiled(**REORDERED)
def _center(vectors: np.ndarray, y: np.ndarray) -> None:
    """Write the centered vectors, then s_i = ||x_i||^2 and 1, as the columns of y, (N, D + 2).

    Summed over neighborhoods, the last two columns give (M s)_i and the degree of i.
    """
    # Distances do not depend on the origin, but rounding does. The mean as origin keeps
    # small what cancels later. Vector 0 is subtracted before, so that equal vectors
    # become exactly 0 whatever the mean rounds to.
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


@compiled(**REORDERED)
def _contrast_one(
    vectors: np.ndarray,
    tree: np.ndarray,
    y: np.ndarray,
    room: np.ndarray,
    ratios: np.ndarray,
    total: np.ndarray,
    m_y: np.ndarray,
) -> None:
    """Do the work of :func:`contrast` on one map, with room for what :func:`_center` writes."""
    n, d = vectors.shape
    _center(vectors, y)
    sum_one(y, tree, room, m_y)
    all_s = y[:, d].sum()
    for i in range(n):
        product = 0.0
        for c in range(d):
            product += y[i, c] * m_y[i, c]
        # deg_i s_i + (M s)_i - 2 x_i . (M X)_i, which rounding can leave just below 0.
        near = m_y[i, d + 1] * y[i, d] + m_y[i, d] - 2 * product
        # The third term of the closed form is 0, as the centered vectors sum to 0.
        total[i] = n * y[i, d] + all_s
        ratios[i] = max(0.0, near) / total[i] if total[i] > 0 else 0.0


@compiled(**REORDERED)
def contrast(
    vectors: np.ndarray,
    trees: np.ndarray,
    ratios: np.ndarray,
    total: np.ndarray,
    sums: np.ndarray,
    radius: int,
) -> None:
    """Compute :func:`fkd.graph.nac` of B maps, and what its gradient needs.

    Parameters
    ----------
    vectors : ndarray, (B, N, D)
        The vectors of B maps.
    trees : ndarray, (B, N)
        The rooted trees.
    ratios : ndarray, (B, N)
        Where the contrasts are written.
    total : ndarray, (B, N)
        Where the denominators, sum_j d_ij, are written.
    sums : ndarray, (B, N, D + 2)
        Where the sums over neighborhoods M Y are written, Y from :func:`_center`.
    radius : int
        The largest number of hops between neighbors.
    """
    n, d = vectors.shape[1:]
    y = np.empty((n, d + 2), vectors.dtype)
    room = working_room(y, radius)
    for at in range(len(vectors)):
        _contrast_one(vectors[at], trees[at], y, room, ratios[at], total[at], sums[at])


@compiled(**REORDERED)
def contrast_of_bfloat16(
    bits: np.ndarray,
    trees: np.ndarray,
    ratios: np.ndarray,
    total: np.ndarray,
    sums: np.ndarray,
    radius: int,
) -> None:
    """Compute the same of vectors in bfloat16, whose `bits` are uint16; all else is float32."""
    n, d = bits.shape[1:]
    vectors, y = np.empty((n, d), np.float32), np.empty((n, d + 2), np.float32)
    room = working_room(y, radius)
    for at in range(len(bits)):
        _widen(bits[at], vectors)
        _contrast_one(vectors, trees[at], y, room, ratios[at], total[at], sums[at])


@compiled(**REORDERED)
def _widen(bits: np.ndarray, values: np.ndarray) -> None:
    """Widen bfloat16, (N, D), to float32: the first half of its bits, and zeros."""
    wide = values.view(np.uint32)
    for i in range(bits.shape[0]):
        for c in range(bits.shape[1]):
            wide[i, c] = np.uint32(bits[i, c]) << np.uint32(16)


@compiled(**REORDERED)
def _narrow(values: np.ndarray, bits: np.ndarray) -> None:
    """Round finite float32, (N, D), to the nearest bfloat16, and to the even one between two."""
    wide = values.view(np.uint32)
    for i in range(bits.shape[0]):
        for c in range(bits.shape[1]):
            odd = (wide[i, c] >> np.uint32(16)) & np.uint32(1)
            bits[i, c] = np.uint16((wide[i, c] + np.uint32(0x7FFF) + odd) >> np.uint32(16))


@compiled(**REORDERED)
def _gradient_of_one(
    vectors: np.ndarray,
    tree: np.ndarray,
    room: np.ndarray,
    tables: np.ndarray,
    ratios: np.ndarray,
    total: np.ndarray,
    m_y: np.ndarray,
    gradient: np.ndarray,
    of_x: np.ndarray,
) -> None:
    """Do the work of :func:`contrast_gradient` on one map, with `tables` of (3, N, D + 2)."""
    n, d = vectors.shape
    y, a_y, m_ay = tables[0], tables[1], tables[2]
    a, b, b_x = np.empty(n), np.empty(n), np.zeros(d)
    _center(vectors, y)
    for i in range(n):
        # A contrast of 0 is at its least or degenerate, and has no gradient.
        a[i] = gradient[i] / total[i] if ratios[i] > 0 else 0.0
        b[i] = a[i] * ratios[i]
        for c in range(d + 2):
            a_y[i, c] = a[i] * y[i, c]
        for c in range(d):
            b_x[c] += b[i] * y[i, c]
    sum_one(a_y, tree, room, m_ay)
    all_b = b.sum()
    for k in range(n):
        weight = m_y[k, d + 1] * a[k] + m_ay[k, d + 1] - n * b[k] - all_b
        for c in range(d):
            of_x[k, c] = 2 * (weight * y[k, c] - a[k] * m_y[k, c] - m_ay[k, c] + b_x[c])


@compiled(**REORDERED)
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
    """Compute the gradient of sum_i g_i NAC_i for B maps.

    With a_i = g_i / total_i and b_i = a_i NAC_i, the derivative by x_k is

        2 [(deg_k a_k + (M a)_k) x_k - a_k (M X)_k - (M a X)_k]
        - 2 [(N b_k + sum_j b_j) x_k - sum_j b_j x_j]

    Parameters
    ----------
    vectors, trees, ratios, total, sums, radius
        As given to :func:`contrast` and written by it.
    gradient : ndarray, (B, N)
        The g_i.
    of_x : ndarray, (B, N, D)
        Where the result is written.
    """
    n, d = vectors.shape[1:]
    tables = np.empty((3, n, d + 2), vectors.dtype)
    room = working_room(tables[0], radius)
    for at in range(len(vectors)):
        _gradient_of_one(
            vectors[at],
            trees[at],
            room,
            tables,
            ratios[at],
            total[at],
            sums[at],
            gradient[at],
            of_x[at],
        )


@compiled(**REORDERED)
def contrast_gradient_of_bfloat16(
    bits: np.ndarray,
    trees: np.ndarray,
    ratios: np.ndarray,
    total: np.ndarray,
    sums: np.ndarray,
    gradient: np.ndarray,
    of_bits: np.ndarray,
    radius: int,
) -> None:
    """Compute the same of :func:`contrast_of_bfloat16`, and round it to bfloat16."""
    n, d = bits.shape[1:]
    vectors, of_x = np.empty((n, d), np.float32), np.empty((n, d), np.float32)
    tables = np.empty((3, n, d + 2), np.float32)
    room = working_room(tables[0], radius)
    for at in range(len(bits)):
        _widen(bits[at], vectors)
        _gradient_of_one(
            vectors,
            trees[at],
            room,
            tables,
            ratios[at],
            total[at],
            sums[at],
            gradient[at],
            of_x,
        )
        _narrow(of_x, of_bits[at])
