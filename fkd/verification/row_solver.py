"""Support vector machines on more rows than a square kernel matrix could hold.

The solver asks for a row of the kernel matrix when it needs it; only rows that become support
vectors, and few others, are ever needed. The steps are those of libsvm, as in
:mod:`fkd.verification.solver`, with its "shrinking".
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fkd.compiling import compiled
from fkd.verification.solver import (
    STEPS,
    TOLERANCE,
    arrange,
    change_pair,
    choose_first,
    choose_second,
    offset,
)

BATCH = 32
"""Rows of the kernel matrix that are computed together: one product of two matrices takes far less
time than many products of a matrix and a vector."""

KEPT = 1024
"""Rows of a packed kernel matrix that are unpacked at the same time, at most."""

STEP, NEXT, ACTIVE, RETURNED = range(4)
"""What is counted: the steps so far, the step before which rows are set aside next, the rows that
are not set aside, and whether all rows have returned once because the end was near."""


def solve_by_rows(
    kernel: Callable[[np.ndarray], np.ndarray], genuine: np.ndarray, C: float, memory: float
) -> tuple[np.ndarray, float]:
    """Train one machine whose kernel matrix is computed row by row.

    Parameters
    ----------
    kernel : callable
        Takes the numbers of rows, (k,) int, and returns these rows of the kernel matrix,
        (k, n) float32, with ones on the matrix's diagonal.
    genuine : ndarray of bool, (n,)
        The class of each row. The rows of the class False stand first, in the order in which
        libsvm would see them. Both classes weigh the same.
    C : float
        The cost of an error.
    memory : float
        The gigabytes of rows that are kept. The row that was not used for the longest time makes
        room for another.

    Returns
    -------
    dual : ndarray of float64, (n,)
        The coefficients, positive for genuine rows and 0 for all that are not support vectors.
    intercept : float
        The offset of the decision function.

    Notes
    -----
    From time to time libsvm sets rows aside that seem to stay at their bounds, and does not update
    their gradients. Here they are updated, since whole rows of the matrix are at hand; rows set
    aside are only not chosen.
    """
    n = len(genuine)
    state = _State.start(genuine, np.full(n, C), np.arange(n), np.arange(n))
    kept = np.empty((max(2, min(n, int(memory * 1e9) // (4 * n))), n), np.float32)
    place = np.full(n, -1)  # in `kept`, of each row
    owner = np.full(len(kept), -1)  # the row in each place
    used = np.full(len(kept), -1)  # the step in which it was used last
    together = min(BATCH, len(kept) // 2)
    while (missing := _walk(kept, place, used, *state.arrays())) >= 0:
        wanted = state.likely(missing, place, together)
        free = np.argsort(used, kind="stable")[: len(wanted)]
        place[owner[free][owner[free] >= 0]] = -1
        kept[free] = kernel(wanted)
        # The walk marks a row that it uses with the next step. So the other row of the present
        # step counts as newer than all that are only likely to be used.
        place[wanted], owner[free], used[free] = free, wanted, state.counts[STEP]
    return -state.rise * state.alpha, offset(state.wish, state.up, state.down)


def solve_packed(
    packed: np.ndarray, order: np.ndarray, references: int, C: float
) -> tuple[np.ndarray, float]:
    """Train one machine on a packed kernel matrix that many machines share.

    Parameters
    ----------
    packed : ndarray of float32, (tiles, t, t)
        The matrix's tiles on and below the diagonal, one row of tiles after the other.
    order, references, C
        As for :func:`fkd.verification.solver.solve`, whose result this is.

    Returns
    -------
    dual : ndarray of float64, (n,)
        The coefficients of all rows.
    intercept : float
        The offset of the decision function.
    """
    n = len(order)
    rows, rank, genuine, weight = arrange(order, references, n)
    state = _State.start(genuine, np.where(genuine, C * weight, C), rows, rank)
    across = len(packed[0]) * int(np.sqrt(2 * len(packed)))  # the width of whole tiles
    kept = np.empty((min(n, KEPT), across), np.float32)
    _walk_packed(packed, kept, *state.arrays())
    dual = np.zeros(n)
    dual[rows] = -state.rise * state.alpha
    return dual, offset(state.wish, state.up, state.down)


@dataclass(frozen=True)
class _State:
    """Where the solver stands; the arrays change in place, see :func:`solver._walk`.

    `rows` are the machine's rows of the kernel matrix. `order` lists the machine's rows as libsvm
    keeps them, those that are set aside last, and `rank` is the place in it of each row of the
    kernel matrix.
    """

    rows: np.ndarray
    limit: np.ndarray
    rise: np.ndarray
    alpha: np.ndarray
    wish: np.ndarray
    up: np.ndarray
    down: np.ndarray
    order: np.ndarray
    rank: np.ndarray
    counts: np.ndarray

    @classmethod
    def start(
        cls, genuine: np.ndarray, limit: np.ndarray, rows: np.ndarray, rank: np.ndarray
    ) -> "_State":
        """Begin, where all coefficients are 0; see :func:`solver._walk`."""
        n = len(genuine)
        return cls(
            rows=rows,
            limit=limit,
            rise=np.where(genuine, -1.0, 1.0),
            alpha=np.zeros(n),
            wish=np.where(genuine, -1.0, 1.0),
            up=~genuine,
            down=genuine.copy(),
            order=np.argsort(rank[rows]),
            rank=rank,
            counts=np.array([0, min(n, STEPS), n, 0]),
        )

    def arrays(self) -> tuple[np.ndarray, ...]:
        """All of them, in order."""
        return tuple(vars(self).values())

    def likely(self, missing: int, place: np.ndarray, count: int) -> np.ndarray:
        """Name the missing row, and before it those that violate optimality most, `count` in all.

        These are not kept yet.
        """
        away = place < 0
        away[missing] = False
        chosen = []
        for side, wish in ((self.up & away, -self.wish), (self.down & away, self.wish)):
            rows = np.flatnonzero(side)
            chosen.append(rows[np.argsort(wish[rows], kind="stable")[: (count - 1) // 2]])
        return np.union1d(np.concatenate(chosen), [missing])


@compiled()
def _walk(
    kept: np.ndarray,
    place: np.ndarray,
    used: np.ndarray,
    rows: np.ndarray,
    limit: np.ndarray,
    rise: np.ndarray,
    alpha: np.ndarray,
    wish: np.ndarray,
    up: np.ndarray,
    down: np.ndarray,
    order: np.ndarray,
    rank: np.ndarray,
    counts: np.ndarray,
) -> int:
    """Take steps until a row's kernels are missing, and return the row; -1 at the optimum."""
    while True:
        if counts[STEP] == counts[NEXT]:
            _set_aside(rows, limit, rise, alpha, wish, up, down, order, rank, counts)
        i, most = choose_first(wish, up, rows, rank)
        j, least = -1, np.inf
        if i >= 0:
            if place[i] < 0:
                return i
            used[place[i]] = counts[STEP] + 1
            j, least = choose_second(wish, down, rows, rank, kept[place[i]], most)
        if most - least < TOLERANCE or j < 0:
            if counts[ACTIVE] == len(wish):
                return -1
            _bring_back(limit, rise, alpha, up, down, counts)
            counts[NEXT] = counts[STEP] + 1
            continue
        if place[j] < 0:
            return j
        used[place[j]] = counts[STEP] + 1
        kernels = kept[place[i]], kept[place[j]]
        change_pair(i, j, *kernels, rows, rise, limit, alpha, wish, up, down)
        counts[STEP] += 1


@compiled()
def _walk_packed(
    packed: np.ndarray,
    kept: np.ndarray,
    rows: np.ndarray,
    limit: np.ndarray,
    rise: np.ndarray,
    alpha: np.ndarray,
    wish: np.ndarray,
    up: np.ndarray,
    down: np.ndarray,
    order: np.ndarray,
    rank: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Take steps to the optimum, and unpack rows of the kernel matrix into `kept` on the way."""
    place, used = np.full(len(wish), -1), np.zeros(len(kept), np.int64)
    filled = 0
    while True:
        missing = _walk(
            kept, place, used, rows, limit, rise, alpha, wish, up, down, order, rank, counts
        )
        if missing < 0:
            return
        if filled == len(kept):  # make room for all that is needed next
            place[:] = -1
            filled = 0
        unpack(packed, rows[missing], kept[filled])
        place[missing] = filled
        filled += 1


@compiled()
def unpack(packed: np.ndarray, row: int, out: np.ndarray) -> None:
    """Copy one row of a packed symmetric matrix; `out` has the width of whole tiles."""
    side = packed.shape[1]
    tile, within = row // side, row % side
    for other in range(len(out) // side):
        to = other * side
        if other <= tile:
            out[to : to + side] = packed[tile * (tile + 1) // 2 + other, within]
        else:
            out[to : to + side] = packed[other * (other + 1) // 2 + tile, :, within]


@compiled()
def _set_aside(
    rows: np.ndarray,
    limit: np.ndarray,
    rise: np.ndarray,
    alpha: np.ndarray,
    wish: np.ndarray,
    up: np.ndarray,
    down: np.ndarray,
    order: np.ndarray,
    rank: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Set rows aside that lie at a bound beyond the wishes of all rows that could move."""
    most, least = -np.inf, np.inf
    for k in range(len(wish)):
        if up[k]:
            most = max(most, wish[k])
        if down[k]:
            least = min(least, wish[k])
    if not counts[RETURNED] and most - least <= 10 * TOLERANCE:
        counts[RETURNED] = 1
        _bring_back(limit, rise, alpha, up, down, counts)
    fixed = (down & ~up & (wish > most)) | (up & ~down & (wish < least))
    # Rows set aside change places with the last ones that are not, as in libsvm. This decides
    # later ties: two writers may have paired the same two signatures.
    active, k = counts[ACTIVE], 0
    while k < active:
        if fixed[order[k]]:
            active -= 1
            while active > k and fixed[order[active]]:
                active -= 1
            order[k], order[active] = order[active], order[k]
        k += 1
    for k in range(len(order)):
        rank[rows[order[k]]] = k
        if k >= active:
            up[order[k]] = down[order[k]] = False
    counts[ACTIVE], counts[NEXT] = active, counts[STEP] + min(len(wish), STEPS)


@compiled()
def _bring_back(
    limit: np.ndarray,
    rise: np.ndarray,
    alpha: np.ndarray,
    up: np.ndarray,
    down: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Let rows that were set aside be chosen again."""
    for k in range(len(alpha)):
        rises, falls = alpha[k] < limit[k], alpha[k] > 0
        up[k], down[k] = (rises, falls) if rise[k] > 0 else (falls, rises)
    counts[ACTIVE] = len(alpha)
