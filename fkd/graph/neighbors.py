"""Which vectors are neighbors: those at most a few edges ("hops") apart on a tree."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order
from torch import Tensor

from fkd.errors import FkdError
from fkd.graph.compiled import sum_rows
from fkd.threads import over_rows

RADIUS = 5
"""The largest number of hops between neighbors, r in the paper."""


def neighborhoods(tree: np.ndarray, radius: int = RADIUS) -> np.ndarray:
    """Find which vectors are neighbors.

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

    Raises
    ------
    FkdError
        Where the edges are no spanning tree, or the radius is less than 1.

    Examples
    --------
    On the path 0 - 1 - 2 - 3, the neighbors within two hops:

    >>> import numpy as np
    >>> from fkd.graph import neighborhoods
    >>> neighborhoods(np.array([[0, 1], [1, 2], [2, 3]]), radius=2).astype(int)
    array([[0, 1, 1, 0],
           [1, 0, 1, 1],
           [1, 1, 0, 1],
           [0, 1, 1, 0]])
    """
    tree = np.asarray(tree)
    if tree.ndim < 2 or tree.shape[-1] != 2 or tree.dtype.kind not in "iu":
        raise FkdError(f"a tree's edges are integers of shape (N - 1, 2), not {tree.shape}")
    batch, n = tree.shape[:-2], tree.shape[-2] + 1
    if tree.size and not 0 <= tree.min() <= tree.max() < n:
        raise FkdError(f"a tree of {n - 1} edges has the vectors 0 to {n - 1}, not {tree.max()}")
    rooted = np.zeros((*batch, n), np.uint16)
    for at in np.ndindex(batch):
        edges = coo_array((np.ones(n - 1), tuple(tree[at].T.astype(np.int32))), shape=(n, n))
        parents = breadth_first_order(edges, 0, directed=False)[1]
        if (parents[1:] < 0).any():  # what SciPy gives for a vector that it does not reach
            raise FkdError("no spanning tree: not all vectors are connected with vector 0")
        rooted[at][1:] = parents[1:]  # SciPy gives the root no parent; here it is its own
    masks = Neighborhoods(torch.from_numpy(rooted.reshape(-1, n)), radius).mask()
    return masks.numpy().reshape(*batch, n, n)


@dataclass(frozen=True)
class Neighborhoods:
    """The symmetric matrices M = (m_ij) of neighbors, stored as trees.

    ``M @ values`` sums values over neighborhoods along the tree, in time and memory
    linear in N, and is differentiable. No matrix is built.

    Attributes
    ----------
    trees : Tensor, (B, N), integer
        Rooted trees, from :func:`fkd.graph.rooted_trees`.
    radius : int
        The largest number of hops between neighbors, at least 1. A vector is not its own
        neighbor.

    Raises
    ------
    FkdError
        Where the radius is no such number, or `trees` has another shape or type.
    """

    trees: Tensor
    radius: int = RADIUS

    def __post_init__(self) -> None:
        if isinstance(self.radius, bool) or not isinstance(self.radius, int) or self.radius < 1:
            raise FkdError(f"the radius of a neighborhood is 1 or more hops, not {self.radius!r}")
        if self.trees.ndim != 2 or self.trees.is_floating_point():
            raise FkdError(f"trees are integers of shape (B, N), not {tuple(self.trees.shape)}")
        # No way on a tree is longer than N - 1 hops, and each hop takes memory and time.
        object.__setattr__(self, "radius", min(self.radius, max(1, self.trees.shape[1] - 1)))

    def refuse_others(self, values: Tensor) -> None:
        """Refuse values of other maps: compiled code checks no index.

        Parameters
        ----------
        values : Tensor, (B, N, D)
            The values, which must be as many as the trees have vectors.

        Raises
        ------
        FkdError
            If they are not.
        """
        if values.ndim != 3 or values.shape[:2] != self.trees.shape:
            raise FkdError(
                f"{len(self.trees)} trees of {self.trees.shape[1]} vectors do not belong to maps "
                f"of shape {tuple(values.shape)}"
            )

    def __matmul__(self, values: Tensor) -> Tensor:
        """Sum values over the neighbors of each vector.

        Parameters
        ----------
        values : Tensor, (B, N, D), float
            The values, on the device of the trees.

        Returns
        -------
        Tensor, (B, N, D)
            The sums.
        """
        self.refuse_others(values)
        return _NeighborSum.apply(values, self.trees, self.radius)

    def mask(self) -> Tensor:
        """Build the matrices.

        Returns
        -------
        Tensor, (B, N, N), bool
            m_ij for each tree.
        """
        b, n = self.trees.shape
        identity = torch.eye(n, device=self.trees.device).expand(b, n, n)
        return (self @ identity) > 0.5  # M as floats, 0 or 1


class _NeighborSum(torch.autograd.Function):
    """M @ values for autograd. M is symmetric, so the gradient is summed in the same way."""

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
    """Sum over the vectors within `radius` hops of each vector, leaving out the vector itself.

    With the tree rooted at vector 0 and p the parent of i, ``below_k`` sums over i and its
    descendants within k hops of i, and ``above_k`` over what lies within k hops of p on
    paths that do not lead through i:

        below_k(i) = x_i + sum of below_(k-1) over the children of i
        above_k(i) = below_k(p) - below_(k-1)(i) + above_(k-1)(p)

    The sum within r hops of i is below_r(i) - x_i + above_(r-1)(i). It takes 2 r passes over
    the tree, in place of a search from each of the N vectors.

    Parameters
    ----------
    values : Tensor, (B, N, D), float
        The values, on the device of the trees.
    trees : Tensor, (B, N), integer
        Rooted trees: the parent of each vector.
    radius : int
        The largest number of hops between neighbors, r.

    Returns
    -------
    Tensor, (B, N, D)
        The sums.
    """
    return (sum_by_levels if values.is_cuda else _sum_each)(values, trees, radius)


def sum_by_levels(values: Tensor, trees: Tensor, radius: int) -> Tensor:
    """Do what :func:`sum_over_neighbors` does as a GPU does it, on any device.

    All vectors of all trees take each of the r passes at once.

    Parameters
    ----------
    values : Tensor, (B, N, D), float
        The values, on the device of the trees.
    trees : Tensor, (B, N), integer
        Rooted trees: the parent of each vector.
    radius : int
        The largest number of hops between neighbors, r.

    Returns
    -------
    Tensor, (B, N, D)
        The sums.
    """
    parents = trees.long()[..., None].expand_as(values)  # (B, N, D)
    below = [values]
    for k in range(radius):
        below.append(values.scatter_add(1, parents[:, 1:], below[k][:, 1:]))
    above = torch.zeros_like(values)
    for k in range(radius):
        above = (below[k] + above).gather(1, parents)
        if k:  # below_0(p) is x_p alone, so there is nothing to take out of it
            above = above - below[k - 1]
        above[:, 0] = 0  # the root has no parent
    return below[radius] - values + above


def _sum_each(values: Tensor, trees: Tensor, radius: int) -> Tensor:
    x, parents = values.detach().contiguous().numpy(), trees.numpy()
    sums = np.empty_like(x)

    def work(start: int, stop: int) -> None:
        sum_rows(x[start:stop], parents[start:stop], radius, sums[start:stop])

    over_rows(work, len(x))
    return torch.from_numpy(sums)
