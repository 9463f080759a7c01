"""The geometry of a feature map: spanning tree, neighborhoods, affinity contrast.

A map of H x W x D is a set of N = H W vectors x_i in R^D with the squared
distances d_ij = ||x_i - x_j||^2. The minimal spanning tree of its complete graph
says which vectors are neighbors, and the Neighborhood Affinity Contrast

    NAC_i = sum_j m_ij d_ij / sum_j d_ij

says how close a vector is to its neighbors, measured by its distance to all.
"""

import numba
import numpy as np
import torch
from torch import Tensor

from fkd.errors import FkdError

RADIUS = 5
"""Hops on the tree within which two vectors are neighbors."""

MAX_VECTORS = 1 << 16


def squared_distances(vectors: np.ndarray) -> np.ndarray:
    """Compute all squared Euclidean distances between vectors.

    Parameters
    ----------
    vectors : ndarray, (N, D), float
        The vectors.

    Returns
    -------
    ndarray, (N, N), float64
        Symmetric; exactly 0 between identical vectors, and exactly equal wherever
        the vectors at both ends are.
    """
    # Blank paper gives many identical vectors. Distances between the distinct
    # ones alone make their ties exact, whatever the matrix product rounds to.
    distinct, index = np.unique(vectors, axis=0, return_inverse=True)
    # One of them as origin keeps what cancels small, and integers exact.
    x = distinct.astype(np.float64)
    x -= x[0].copy()
    gram = x @ x.T
    norms = np.diagonal(gram)
    d = norms[:, None] + norms[None, :] - gram - gram.T
    np.maximum(d, 0, out=d)
    np.fill_diagonal(d, 0)
    return d[np.ix_(index, index)]


@numba.njit(cache=True)
def _prim(d: np.ndarray) -> np.ndarray:
    """Grow the tree from vector 0, edges ordered by (d, smaller end, larger end)."""
    n = d.shape[0]
    near = np.zeros(n, np.int64)  # the end in the tree of the least edge to each vector outside
    outside = np.arange(1, n)
    edges = np.empty((n - 1, 2), np.uint16)
    for count in range(n - 1):
        best = 0
        for k in range(outside.size - count):
            if k > 0:
                v, b = outside[k], outside[best]
                dv, db = d[v, near[v]], d[b, near[b]]
                if dv < db or (dv == db and _before(v, near[v], b, near[b])):
                    best = k
        u = outside[best]
        edges[count, 0] = min(u, near[u])
        edges[count, 1] = max(u, near[u])
        outside[best] = outside[outside.size - count - 1]
        for k in range(outside.size - count - 1):
            v = outside[k]
            du, dv = d[v, u], d[v, near[v]]
            if du < dv or (du == dv and _before(v, u, v, near[v])):
                near[v] = u
    return edges


@numba.njit(cache=True)
def _before(a: int, b: int, c: int, e: int) -> bool:
    """Whether edge (a, b) comes before edge (c, e) of the same length."""
    return (min(a, b), max(a, b)) < (min(c, e), max(c, e))


def spanning_tree(vectors: np.ndarray) -> np.ndarray:
    """Find the minimal spanning tree of the vectors' complete graph.

    Edges are ordered by squared distance, then by their smaller and their larger
    end, which makes the tree unique where distances tie.

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
    if vectors.ndim != 2 or not 1 <= len(vectors) <= MAX_VECTORS:
        raise FkdError(
            f"a spanning tree needs an array of N x D with 1 <= N <= {MAX_VECTORS}, "
            f"not one of shape {vectors.shape}"
        )
    if not np.isfinite(vectors).all():
        raise FkdError("a spanning tree needs finite vectors; there is NaN or infinity in these")
    edges = _prim(squared_distances(vectors))
    return edges[np.lexsort((edges[:, 1], edges[:, 0]))]


@numba.njit(cache=True)
def _mark_within(tree: np.ndarray, radius: int, mask: np.ndarray) -> None:
    """Mark, by a breadth-first search from each node, the nodes within radius hops."""
    n = mask.shape[0]
    start = np.zeros(n + 1, np.int64)
    for edge in range(len(tree)):
        start[tree[edge, 0] + 1] += 1
        start[tree[edge, 1] + 1] += 1
    start = np.cumsum(start)
    adjacent = np.empty(2 * len(tree), np.int64)
    fill = start[:-1].copy()
    for edge in range(len(tree)):
        a, b = tree[edge, 0], tree[edge, 1]
        adjacent[fill[a]] = b
        adjacent[fill[b]] = a
        fill[a] += 1
        fill[b] += 1
    queue = np.empty(n, np.int64)
    parent = np.empty(n, np.int64)
    for root in range(n):
        queue[0], parent[root] = root, -1
        head, tail = 0, 1
        for _ in range(radius):
            level_end = tail
            while head < level_end:
                node = queue[head]
                head += 1
                for k in range(start[node], start[node + 1]):
                    child = adjacent[k]
                    if child != parent[node]:
                        parent[child] = node
                        mask[root, child] = True
                        queue[tail] = child
                        tail += 1


def neighborhoods(tree: np.ndarray, radius: int = RADIUS) -> np.ndarray:
    """Find who is a neighbor of whom.

    Parameters
    ----------
    tree : ndarray, ([B,] N - 1, 2), integer
        The edges of a spanning tree, or of B trees.
    radius : int
        The largest number of hops between neighbors.

    Returns
    -------
    ndarray, ([B,] N, N), bool
        m_ij: whether i and j differ and are at most `radius` hops apart.
        Symmetric, False on the diagonal.
    """
    tree = np.asarray(tree)
    n = tree.shape[-2] + 1
    mask = np.zeros((*tree.shape[:-2], n, n), bool)
    for at in np.ndindex(tree.shape[:-2]):
        _mark_within(tree[at], radius, mask[at])
    return mask


def nac(vectors: np.ndarray | Tensor, mask: np.ndarray | Tensor) -> np.ndarray | Tensor:
    """Compute the Neighborhood Affinity Contrast of each vector.

    The sums over distances are taken in closed form, with s_i = ||x_i||^2:

        sum_j d_ij      = N s_i + sum_j s_j - 2 x_i . sum_j x_j
        sum_j m_ij d_ij = deg_i s_i + (M s)_i - 2 x_i . (M X)_i

    so that no matrix of distances exists, neither here nor for the gradient.

    Parameters
    ----------
    vectors : ndarray or Tensor, ([B,] N, D), float
        The vectors of one map or of B maps.
    mask : ndarray or Tensor, ([B,] N, N), bool
        Who is a neighbor of whom, from :func:`neighborhoods`.

    Returns
    -------
    ndarray or Tensor, ([B,] N)
        In [0, 1], of the vectors' kind and dtype. Where all vectors of a map are
        equal it is 0, and so is its gradient.
    """
    if not isinstance(vectors, Tensor):
        vectors = np.asarray(vectors)
        vectors = vectors if vectors.dtype.kind == "f" else vectors.astype(np.float64)
        tensor = torch.from_numpy(np.ascontiguousarray(vectors))
        return nac(tensor, torch.as_tensor(mask)).numpy()
    # Distances do not change with the origin, but what cancels does. The first
    # vector as origin makes equal vectors exactly 0, then the mean is small.
    x = vectors - vectors[..., :1, :]
    x = x - x.mean(dim=-2, keepdim=True)
    m = mask.to(x.dtype)
    s = x.square().sum(-1)  # ([B,] N)
    total = x.shape[-2] * s + s.sum(-1, keepdim=True)
    total = total - 2 * (x * x.sum(-2, keepdim=True)).sum(-1)
    near = m.sum(-1) * s + (m @ s.unsqueeze(-1)).squeeze(-1) - 2 * (x * (m @ x)).sum(-1)
    some = total > 0
    ratio = near.clamp(min=0) / torch.where(some, total, torch.ones_like(total))
    return torch.where(some, ratio, torch.zeros_like(ratio))


def vectors_of_map(maps: Tensor) -> Tensor:
    """Read feature maps as sets of vectors.

    Parameters
    ----------
    maps : Tensor, (B, D, H, W)
        Feature maps in any memory layout.

    Returns
    -------
    Tensor, (B, H W, D)
        Vector i stands at row i // W and column i % W.
    """
    return maps.flatten(2).transpose(1, 2)
