"""The minimal spanning tree of a feature map's vectors.

Blank paper gives many identical vectors, so distances tie and the minimal tree is
not unique. Edges are ordered by (d_ij, min(i, j), max(i, j)), which makes it so;
equal vectors are at distance exactly 0, and equally far from any other.

A tree is held as its root sees it: ``tree[i]`` is the next vector on the way from i
to vector 0, which stands for itself. Prim's algorithm grows it from there.
"""

from functools import cache

import numba
import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor

from fkd.errors import FkdError
from fkd.threads import over_rows

MAX_VECTORS = 1 << 16


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
        Where the array has another shape, or NaN or infinity in it.
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

    On the CPU each thread grows one tree after another, by compiled code; on a GPU
    all trees grow together, by one vector a step.

    Parameters
    ----------
    vectors : Tensor, (B, N, D), float
        The vectors of B maps, 1 <= N <= 65536.

    Returns
    -------
    Tensor, (B, N), uint16
        For each vector the next one on the way to vector 0; on the vectors' device.

    Raises
    ------
    FkdError
        Where there are too many vectors or none, or NaN or infinity in them.
    """
    if not 1 <= vectors.shape[1] <= MAX_VECTORS:
        raise FkdError(
            f"a spanning tree needs 1 to {MAX_VECTORS} vectors, not {vectors.shape[1]} "
            f"(shape {tuple(vectors.shape)})"
        )
    vectors = vectors.detach()
    if vectors.dtype not in (torch.float32, torch.float64):
        vectors = vectors.float()
    return _grow_together(vectors) if vectors.is_cuda else _grow_each(vectors.contiguous())


def _refuse() -> None:
    raise FkdError("a spanning tree needs finite vectors; there is NaN or infinity in these")


_ODD = 0x2545F4914F6CDD1D
"""A vector's mark is the sum of its bits times odd numbers, multiples of this one: a sum
of whole numbers does not depend on its order, so equal vectors have equal marks."""


def _grow_each(vectors: Tensor) -> Tensor:
    trees = np.zeros(vectors.shape[:2], np.uint16)
    maps = vectors.numpy()
    odd = np.arange(1, maps.shape[2] + 1, dtype=np.uint64) * np.uint64(_ODD) | np.uint64(1)

    def grow(start: int, stop: int) -> None:
        for x, tree in zip(maps[start:stop], trees[start:stop], strict=True):
            x = x + 0  # makes -0 and 0 the same
            distinct, place = _distinct(x, x.view(f"u{x.itemsize}"), odd)
            own = x[distinct].astype(np.float64)
            if not np.isfinite(own).all():
                _refuse()
            own -= own[0].copy()  # keeps what cancels small, and whole numbers exact
            _prim(own @ own.T, place, tree)

    with _blas().limit(limits=1, user_api="blas"):
        over_rows(grow, len(maps))
    return torch.from_numpy(trees)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


@numba.njit(cache=True, nogil=True, boundscheck=False)
def _distinct(x: np.ndarray, bits: np.ndarray, odd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the distinct vectors, by where they first stand, and the place of each among them."""
    n, d = x.shape
    distinct, place, marks = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.uint64)
    count = 0
    for i in range(n):
        mark = np.uint64(0)
        for c in range(d):
            mark += np.uint64(bits[i, c]) * odd[c]
        for k in range(count):
            if marks[k] == mark and (x[distinct[k]] == x[i]).all():
                place[i] = k
                break
        else:
            distinct[count], marks[count], place[i] = i, mark, count
            count += 1
    return distinct[:count], place


@numba.njit(cache=True, nogil=True, boundscheck=False)
def _prim(gram: np.ndarray, place: np.ndarray, tree: np.ndarray) -> None:
    """Grow one tree; ``gram[place[i], place[j]]`` is the product of vectors i and j."""
    n = len(place)
    # Of the vectors outside the tree, one after another: which, its place, its norm, and
    # its least edge to the tree. Edge (i, j) is the number min * n + max, by which edges
    # of one length are ordered.
    outside, at = np.arange(1, n), place[1:].copy()
    norm = np.array([gram[k, k] for k in at])
    length, edge = np.full(n - 1, np.inf), np.zeros(n - 1, np.int64)
    u, place_u = 0, place[0]
    for size in range(n - 1, 0, -1):
        to_u, norm_u = gram[place_u], gram[place_u, place_u]
        best = 0
        for k in range(size):
            d = max(0.0, norm_u + norm[k] - 2 * to_u[at[k]])
            if d <= length[k]:
                edge_u = min(u, outside[k]) * n + max(u, outside[k])
                if d < length[k] or edge_u < edge[k]:
                    length[k], edge[k] = d, edge_u
            if length[k] < length[best] or (length[k] == length[best] and edge[k] < edge[best]):
                best = k
        u, place_u = outside[best], at[best]
        tree[u] = edge[best] // n + edge[best] % n - u
        last = size - 1
        outside[best], at[best], norm[best] = outside[last], at[last], norm[last]
        length[best], edge[best] = length[last], edge[last]


def _grow_together(vectors: Tensor) -> Tensor:
    b, n, _ = vectors.shape
    if not vectors.isfinite().all():
        _refuse()
    first = _first_equal(vectors + 0)  # which makes -0 and 0 the same
    x = vectors.double()
    x = x - x[:, :1]
    gram = x @ x.mT
    norms = gram.diagonal(dim1=1, dim2=2)
    d = (norms[:, :, None] + norms[:, None, :] - gram - gram.mT).clamp_(min=0)
    d = d.gather(1, first[:, :, None].expand(b, n, n)).gather(2, first[:, None, :].expand(b, n, n))
    d.masked_fill_(first[:, :, None] == first[:, None, :], 0)
    row = torch.arange(b, device=x.device)
    v = torch.arange(n, device=x.device).expand(b, n)
    outside, length, tree = v > 0, d[:, 0], torch.zeros_like(v)
    # Edge (i, j) as the number min * N + max, by which edges of one length are ordered.
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
    """Find for each vector the first one that equals it, (B, N)."""
    b, n, d = vectors.shape
    bits = vectors.view(torch.int32 if vectors.dtype == torch.float32 else torch.int64)
    odd = torch.arange(1, d + 1, device=vectors.device) * _ODD | 1
    mark = (bits * odd).sum(-1)
    first = (mark[:, :, None] == mark[:, None, :]).to(torch.uint8).argmax(-1)
    equal = (vectors == vectors.gather(1, first[..., None].expand(b, n, d))).all(-1)
    return torch.where(equal, first, torch.arange(n, device=vectors.device))
