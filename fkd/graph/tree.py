"""The minimal spanning tree of a feature map's vectors.

Blank paper gives many identical vectors, so distances tie and the minimal tree is not
unique. Two rules make it unique: edges are ordered by (d_ij, min(i, j), max(i, j)), and
equal vectors are at distance exactly 0 and equally far from any other vector, whatever
rounding does.

A tree is stored as the parents of its vectors: ``tree[i]`` is the next vector on the way
from i to the root, vector 0, which is its own parent. Prim's algorithm grows the tree
from the root.
"""

from functools import cache

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor

from fkd.compiling import compiled
from fkd.errors import FkdError
from fkd.threads import over_rows

MAX_VECTORS = 1 << 16
"""The most vectors of a map: their indices are stored as uint16."""

TREES_AT_ONCE = 1024
"""The number of trees that are checked together, which bounds the memory."""


def spanning_tree(vectors: np.ndarray) -> np.ndarray:
    """Find the minimal spanning tree of the vectors' complete graph, as edges.

    Parameters
    ----------
    vectors : ndarray, (N, D), float
        The vectors, 1 <= N <= 65536.

    Returns
    -------
    ndarray, (N - 1, 2), uint16
        The edges, each with its smaller end first, in lexicographic order.

    Raises
    ------
    FkdError
        Where the array has another shape, or contains NaN or infinity.

    Examples
    --------
    Vectors 0 and 1 are equal, so they are joined first, and vector 2 is equally far from
    both. The tie goes to the edge with the smaller ends, (0, 2).

    >>> import numpy as np
    >>> from fkd.graph import spanning_tree
    >>> spanning_tree(np.array([[0.0, 0.0], [0.0, 0.0], [4.0, 0.0], [4.0, 3.0]])).tolist()
    [[0, 1], [0, 2], [2, 3]]
    """
    vectors = np.asarray(vectors)
    if vectors.ndim != 2:
        raise FkdError(f"a spanning tree needs an array of N x D, not one of shape {vectors.shape}")
    vectors = vectors if vectors.dtype.kind == "f" else vectors.astype(np.float64)
    toward = rooted_trees(torch.from_numpy(np.ascontiguousarray(vectors))[None])[0].numpy()
    edges = np.stack([np.arange(1, len(toward), dtype=np.uint16), toward[1:]], axis=1)
    edges.sort(axis=1)
    return edges[np.lexsort((edges[:, 1], edges[:, 0]))]


def rooted_trees(vectors: Tensor) -> Tensor:
    """Find the minimal spanning trees of the vectors' complete graphs.

    On the CPU, each thread grows one tree after another with compiled code. On a GPU, all
    trees grow together, by one vector in each step.

    Parameters
    ----------
    vectors : Tensor, (B, N, D), float
        The vectors of B maps, 1 <= N <= 65536.

    Returns
    -------
    Tensor, (B, N), uint16
        For each vector the next one on the way to vector 0, on the vectors' device.

    Raises
    ------
    FkdError
        Where there are too many vectors or none, or NaN or infinity in them.

    Examples
    --------
    Vector 1 is reached from vector 0 by way of vector 2.

    >>> import torch
    >>> from fkd.graph import rooted_trees
    >>> rooted_trees(torch.tensor([[[3.0], [0.0], [1.0]]])).tolist()
    [[0, 2, 0]]
    """
    if not 1 <= vectors.shape[1] <= MAX_VECTORS:
        raise FkdError(
            f"a spanning tree needs 1 to {MAX_VECTORS} vectors, not {vectors.shape[1]} "
            f"(shape {tuple(vectors.shape)})"
        )
    vectors = vectors.detach()
    if vectors.dtype not in (torch.float32, torch.float64):
        vectors = vectors.float()
    return grow_together(vectors) if vectors.is_cuda else _grow_each(vectors.contiguous())


def check_rooted(trees: np.ndarray, place: str) -> None:
    """Check that arrays of unknown origin are rooted trees, before compiled code follows them.

    Parameters
    ----------
    trees : ndarray, (B, N), uint16
        For each vector its parent, as :func:`rooted_trees` returns it.
    place : str
        Where the trees come from, for the message.

    Raises
    ------
    FkdError
        If the array has another type or shape, an index is out of range, or a way does not end
        at vector 0. If all ways end there, the tree has N - 1 edges, and no circle.

    Examples
    --------
    >>> import numpy as np
    >>> from fkd.graph import check_rooted
    >>> check_rooted(np.array([[0, 2, 0]], np.uint16), "a")
    >>> check_rooted(np.array([[0, 2, 1]], np.uint16), "a")
    Traceback (most recent call last):
    ...
    fkd.errors.FkdError: a: tree 0 is no spanning tree: not all vectors are connected with vector 0
    """
    if trees.ndim != 2 or trees.dtype != np.uint16 or not 1 <= trees.shape[1] <= MAX_VECTORS:
        raise FkdError(f"{place}: no trees, but an array of {trees.dtype}, shape {trees.shape}")
    n = trees.shape[1]
    for start in range(0, len(trees), TREES_AT_ONCE):
        ends = trees[start : start + TREES_AT_ONCE].astype(np.int64)
        outside = (ends >= n).any(axis=1)
        ends[outside] = 0
        # Each pass doubles the length of the ways that are followed.
        for _ in range(int(n - 1).bit_length()):
            ends = np.take_along_axis(ends, ends, axis=1)
        wrong = np.flatnonzero(outside | ends.any(axis=1))
        if len(wrong):
            reason = (
                f"it names vectors beyond the last of {n}"
                if outside[wrong[0]]
                else "not all vectors are connected with vector 0"
            )
            raise FkdError(f"{place}: tree {start + wrong[0]} is no spanning tree: {reason}")


def _refuse() -> None:
    raise FkdError("a spanning tree needs finite vectors; there is NaN or infinity in these")


_ODD = 0x2545F4914F6CDD1D
"""The multiplier of a hash by which equal vectors are found (it is that of xorshift64*).

A vector's hash, its "mark", is the sum modulo 2^64 of its elements' bits, each times an odd
number made from this one. A sum of integers does not depend on the order of its terms, so
equal vectors have equal marks on every device.
"""


def _grow_each(vectors: Tensor) -> Tensor:
    trees = np.zeros(vectors.shape[:2], np.uint16)
    maps = vectors.numpy()
    odd = np.arange(1, maps.shape[2] + 1, dtype=np.uint64) * np.uint64(_ODD) | np.uint64(1)

    def grow(start: int, stop: int) -> None:
        for x, tree in zip(maps[start:stop], trees[start:stop], strict=True):
            x = x + 0  # turns -0 into 0, which has other bits
            distinct, place = _distinct(x, x.view(f"u{x.itemsize}"), odd)
            unique = x[distinct].astype(np.float64)
            if not np.isfinite(unique).all():
                _refuse()
            # A near origin keeps small what cancels in a distance, and integers exact. The
            # copy is needed: row 0 itself becomes 0 while it is being subtracted.
            unique -= unique[0].copy()
            _prim(unique @ unique.T, place, tree)

    # The threads are taken by the maps, so each matrix product has one.
    with _blas().limit(limits=1, user_api="blas"):
        over_rows(grow, len(maps))
    return torch.from_numpy(trees)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


@compiled()
def _distinct(x: np.ndarray, bits: np.ndarray, odd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the distinct vectors, and which of them each vector equals.

    Parameters
    ----------
    x : ndarray, (N, D), float
        The vectors.
    bits : ndarray, (N, D), unsigned integer
        The same memory, read as integers.
    odd : ndarray, (D,), uint64
        The factors of the hash.

    Returns
    -------
    distinct : ndarray, (K,), int64
        Where each distinct vector comes first, ascending.
    place : ndarray, (N,), int64
        For each vector, which of the K it equals.
    """
    n, d = x.shape
    distinct, place, marks = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.uint64)
    count = 0
    for i in range(n):
        mark = np.uint64(0)
        for c in range(d):
            mark += np.uint64(bits[i, c]) * odd[c]
        for k in range(count):
            # Unequal marks spare the comparison; equal marks may be a coincidence.
            if marks[k] == mark and (x[distinct[k]] == x[i]).all():
                place[i] = k
                break
        else:
            distinct[count], marks[count], place[i] = i, mark, count
            count += 1
    return distinct[:count], place


@compiled()
def _prim(gram: np.ndarray, place: np.ndarray, tree: np.ndarray) -> None:
    """Grow one tree by Prim's algorithm.

    Parameters
    ----------
    gram : ndarray, (K, K), float64
        The inner products of the distinct vectors.
    place : ndarray, (N,), int64
        For each vector, which of the distinct ones it equals.
    tree : ndarray, (N,), uint16
        Where the tree is written; 0 at the root.
    """
    n = len(place)
    # The vectors outside the tree, in parallel arrays: the vector, its row of `gram`, its
    # squared norm, and its shortest edge to the tree. Edge (i, j) is the number
    # min * n + max, by which edges of equal length are ordered.
    outside, at = np.arange(1, n), place[1:].copy()
    norm = np.array([gram[k, k] for k in at])
    length, edge = np.full(n - 1, np.inf), np.zeros(n - 1, np.int64)
    u, place_u = 0, place[0]
    for size in range(n - 1, 0, -1):
        to_u, norm_u = gram[place_u], gram[place_u, place_u]
        best = 0
        for k in range(size):
            # Exactly 0 for equal vectors, which share a row of `gram`.
            d = max(0.0, norm_u + norm[k] - 2 * to_u[at[k]])
            if d <= length[k]:
                edge_u = min(u, outside[k]) * n + max(u, outside[k])
                if d < length[k] or edge_u < edge[k]:
                    length[k], edge[k] = d, edge_u
            if length[k] < length[best] or (length[k] == length[best] and edge[k] < edge[best]):
                best = k
        u, place_u = outside[best], at[best]
        tree[u] = edge[best] // n + edge[best] % n - u  # min + max - u: the other end
        # The last vector takes the free place, so those outside stay in front.
        last = size - 1
        outside[best], at[best], norm[best] = outside[last], at[last], norm[last]
        length[best], edge[best] = length[last], edge[last]


def grow_together(vectors: Tensor) -> Tensor:
    """Grow all trees at once, by one vector in each step: what a GPU does, on any device.

    Parameters
    ----------
    vectors : Tensor, (B, N, D), float32 or float64
        The vectors of B maps, as :func:`rooted_trees` checks and converts them.

    Returns
    -------
    Tensor, (B, N), uint16
        For each vector the next one on the way to vector 0, on the vectors' device.

    Raises
    ------
    FkdError
        Where there is NaN or infinity in the vectors.
    """
    b, n, _ = vectors.shape
    if not vectors.isfinite().all():
        _refuse()
    first = _first_equal(vectors + 0)  # adding 0 turns -0 into 0
    x = vectors.double()
    x = x - x[:, :1]  # a near origin keeps small what cancels in a distance
    gram = x @ x.mT  # (B, N, N)
    norms = gram.diagonal(dim1=1, dim2=2)
    # A product may round differently in each triangle of `gram`, so both are subtracted:
    # d_ij and d_ji come out equal.
    d = (norms[:, :, None] + norms[:, None, :] - gram - gram.mT).clamp_(min=0)
    # Equal vectors take the distances of the first of them, so that ties are exact.
    d = d.gather(1, first[:, :, None].expand(b, n, n)).gather(2, first[:, None, :].expand(b, n, n))
    d.masked_fill_(first[:, :, None] == first[:, None, :], 0)
    row = torch.arange(b, device=x.device)
    v = torch.arange(n, device=x.device).expand(b, n)
    outside, length, tree = v > 0, d[:, 0], torch.zeros_like(v)
    # Edge (i, j) is the number min * N + max, by which edges of equal length are ordered.
    # At first each vector's shortest edge leads to the root: 0 * N + v.
    edge, no_edge = v, n * n
    for _ in range(n - 1):
        reach = length.masked_fill(~outside, torch.inf)
        least = outside & (reach == reach.amin(1, keepdim=True))
        u = edge.masked_fill(~least, no_edge).argmin(1)  # (B,)
        outside = outside & (v != u[:, None])
        length_u = d[row, u]  # (B, N)
        edge_u = torch.minimum(v, u[:, None]) * n + torch.maximum(v, u[:, None])
        closer = outside & ((length_u < length) | ((length_u == length) & (edge_u < edge)))
        length = torch.where(closer, length_u, length)
        edge = torch.where(closer, edge_u, edge)
        tree = torch.where(closer, u[:, None], tree)
    return tree.to(torch.uint16)


def _first_equal(vectors: Tensor) -> Tensor:
    """Find for each vector the first one that equals it, (B, N), by a hash; see :data:`_ODD`."""
    b, n, d = vectors.shape
    bits = vectors.view(torch.int32 if vectors.dtype == torch.float32 else torch.int64)
    odd = torch.arange(1, d + 1, device=vectors.device) * _ODD | 1
    mark = (bits * odd).sum(-1)
    first = (mark[:, :, None] == mark[:, None, :]).to(torch.uint8).argmax(-1)
    # Where a mark is shared by coincidence, a vector stands for itself.
    equal = (vectors == vectors.gather(1, first[..., None].expand(b, n, d))).all(-1)
    return torch.where(equal, first, torch.arange(n, device=vectors.device))
