"""Who is a neighbor of whom: the vectors at most some hops apart on a tree."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order
from torch import Tensor

from fkd.graph.compiled import sum_rows
from fkd.threads import over_rows

RADIUS = 5
"""Hops on the tree within which two vectors are neighbors."""


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
    batch, n = tree.shape[:-2], tree.shape[-2] + 1
    rooted = np.zeros((*batch, n), np.uint16)
    for at in np.ndindex(batch):
        edges = coo_array((np.ones(n - 1), tuple(tree[at].T.astype(np.int32))), shape=(n, n))
        toward = breadth_first_order(edges, 0, directed=False)[1]
        rooted[at][1:] = toward[1:]
    masks = Neighborhoods(torch.from_numpy(rooted.reshape(-1, n)), radius).mask()
    return masks.numpy().reshape(*batch, n, n)


@dataclass(frozen=True)
class Neighborhoods:
    """The symmetric matrices M of who is a neighbor of whom, held as trees.

    ``M @ values`` sums values over neighborhoods along the tree, in time and memory
    linear in N, and is differentiable. No matrix is built.

    Attributes
    ----------
    trees : Tensor, (B, N), integer
        Rooted trees, from :func:`fkd.graph.rooted_trees`.
    radius : int
        The largest number of hops between neighbors; a vector is none of its own.
    """

    trees: Tensor
    radius: int = RADIUS

    def __matmul__(self, values: Tensor) -> Tensor:
        """Sum values over the neighbors of each vector.

        Parameters
        ----------
        values : Tensor, (B, N, D), float
            On the device of the trees.

        Returns
        -------
        Tensor, (B, N, D)
        """
        return _NeighborSum.apply(values, self.trees, self.radius)

    def mask(self) -> Tensor:
        """Write the matrices out.

        Returns
        -------
        Tensor, (B, N, N), bool
        """
        b, n = self.trees.shape
        each = torch.eye(n, device=self.trees.device).expand(b, n, n)
        return (self @ each) > 0.5


class _NeighborSum(torch.autograd.Function):
    """M @ values; M is symmetric, so the gradient takes the same way."""

    @staticmethod
    def forward(ctx, values: Tensor, trees: Tensor, radius: int) -> Tensor:
        ctx.save_for_backward(trees)
        ctx.radius = radius
        return sum_over_neighbors(values, trees, radius)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple:
        (trees,) = ctx.saved_tensors
        return sum_over_neighbors(gradient, trees, ctx.radius), None, None


def sum_over_neighbors(values: Tensor, trees: Tensor, radius: int) -> Tensor:
    """Sum over the vectors within `radius` hops, the vector itself left out.

    ``below_k`` sums a vector and all under it within k hops; ``above_k`` all that is
    reached within k hops from the vector over it, but not through itself:

        below_k(i) = x_i + sum of below_(k-1) over those directly under i
        above_k(i) = below_k(p) - below_(k-1)(i) + above_(k-1)(p), p next over i

    and the sum wanted is below_r(i) - x_i + above_(r-1)(i).
    """
    return (_sum_by_levels if values.is_cuda else _sum_each)(values, trees, radius)


def _sum_by_levels(values: Tensor, trees: Tensor, radius: int) -> Tensor:
    over = trees.long()[..., None].expand_as(values)
    below = [values]
    for k in range(radius):
        below.append(values.scatter_add(1, over[:, 1:], below[k][:, 1:]))
    above = torch.zeros_like(values)
    for k in range(radius):
        above = (below[k] + above).gather(1, over)
        if k:
            above = above - below[k - 1]
        above[:, 0] = 0
    return below[radius] - values + above


def _sum_each(values: Tensor, trees: Tensor, radius: int) -> Tensor:
    x, over = values.detach().contiguous().numpy(), trees.numpy()
    sums = np.empty_like(x)

    def work(start: int, stop: int) -> None:
        sum_rows(x[start:stop], over[start:stop], radius, sums[start:stop])

    over_rows(work, len(x))
    return torch.from_numpy(sums)
