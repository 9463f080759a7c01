"""The Neighborhood Affinity Contrast, in closed form."""

import numba
import numpy as np
import torch
from torch import Tensor

from fkd.graph.neighbors import Neighborhoods, sum_one, working_room
from fkd.threads import over_rows


def nac(
    vectors: np.ndarray | Tensor, mask: np.ndarray | Tensor | Neighborhoods
) -> np.ndarray | Tensor:
    """Compute the Neighborhood Affinity Contrast of each vector.

    The sums over distances are taken in closed form, with s_i = ||x_i||^2:

        sum_j d_ij      = N s_i + sum_j s_j - 2 x_i . sum_j x_j
        sum_j m_ij d_ij = deg_i s_i + (M s)_i - 2 x_i . (M X)_i

    so that no matrix of distances exists, neither here nor for the gradient.

    Parameters
    ----------
    vectors : ndarray or Tensor, ([B,] N, D), float
        The vectors of one map or of B maps.
    mask : ndarray or Tensor, ([B,] N, N), bool, or Neighborhoods
        Who is a neighbor of whom, written out or held as trees.

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
        mask = mask if isinstance(mask, Neighborhoods) else torch.as_tensor(mask)
        return nac(tensor, mask).numpy()
    if isinstance(mask, Neighborhoods) and not vectors.is_cuda:
        return _CompiledContrast.apply(vectors, mask)
    # Distances do not change with the origin, but what cancels does. The first
    # vector as origin makes equal vectors exactly 0, then the mean is small.
    x = vectors - vectors[..., :1, :]
    x = x - x.mean(dim=-2, keepdim=True)
    m = mask.to(x.dtype) if isinstance(mask, Tensor) else mask
    s = x.square().sum(-1, keepdim=True)  # ([B,] N, 1)
    total = x.shape[-2] * s + s.sum(-2, keepdim=True)
    total = total - 2 * (x * x.sum(-2, keepdim=True)).sum(-1, keepdim=True)
    degree, m_s = (m @ torch.cat([torch.ones_like(s), s], -1)).split(1, dim=-1)
    near = degree * s + m_s - 2 * (x * (m @ x)).sum(-1, keepdim=True)
    some = total > 0
    ratio = near.clamp(min=0) / torch.where(some, total, torch.ones_like(total))
    return torch.where(some, ratio, torch.zeros_like(ratio)).squeeze(-1)


COMPILED = {"cache": True, "nogil": True, "boundscheck": False, "fastmath": {"reassoc"}}
"""How the loops are compiled: sums may be reordered, so that they run in vectors."""


class _CompiledContrast(torch.autograd.Function):
    """NAC on trees on the CPU: map after map, so that all of one stays in the cache."""

    @staticmethod
    def forward(ctx, vectors: Tensor, near: Neighborhoods) -> Tensor:
        contrast, total = vectors.new_empty((2, *vectors.shape[:2]))
        x, trees = vectors.detach().contiguous(), near.trees
        arrays = [tensor.numpy() for tensor in (x, trees, contrast, total)]

        def work(start: int, stop: int) -> None:
            _contrast(*(array[start:stop] for array in arrays), near.radius)

        over_rows(work, len(x))
        ctx.save_for_backward(x, trees, contrast, total)
        ctx.radius = near.radius
        return contrast

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        x, trees, contrast, total = ctx.saved_tensors
        of_x = torch.empty_like(x)
        tensors = (x, trees, contrast, total, gradient.contiguous(), of_x)
        arrays = [tensor.numpy() for tensor in tensors]

        def work(start: int, stop: int) -> None:
            _contrast_gradient(*(array[start:stop] for array in arrays), ctx.radius)

        over_rows(work, len(x))
        return of_x, None


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
def _contrast(
    vectors: np.ndarray, trees: np.ndarray, contrast: np.ndarray, total: np.ndarray, radius: int
) -> None:
    """:func:`nac` of some maps, and its denominator."""
    n, d = vectors.shape[1:]
    y = np.empty((n, d + 2), vectors.dtype)
    m_y, room = np.empty_like(y), working_room(y, radius)
    for at in range(len(vectors)):
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
            contrast[at, i] = max(0.0, near) / total[at, i] if total[at, i] > 0 else 0.0


@numba.njit(**COMPILED)
def _contrast_gradient(
    vectors: np.ndarray,
    trees: np.ndarray,
    contrast: np.ndarray,
    total: np.ndarray,
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
    a_y, m_y, m_ay = np.empty_like(y), np.empty_like(y), np.empty_like(y)
    room, a, b = working_room(y, radius), np.empty(n), np.empty(n)
    for at in range(len(vectors)):
        _center(vectors[at], y)
        b_x = np.zeros(d)
        for i in range(n):
            a[i] = gradient[at, i] / total[at, i] if contrast[at, i] > 0 else 0.0
            b[i] = a[i] * contrast[at, i]
            for c in range(d + 2):
                a_y[i, c] = a[i] * y[i, c]
            for c in range(d):
                b_x[c] += b[i] * y[i, c]
        sum_one(y, trees[at], room, m_y)
        sum_one(a_y, trees[at], room, m_ay)
        all_b = b.sum()
        for k in range(n):
            own = m_y[k, d + 1] * a[k] + m_ay[k, d + 1] - n * b[k] - all_b
            for c in range(d):
                of_x[at, k, c] = 2 * (own * y[k, c] - a[k] * m_y[k, c] - m_ay[k, c] + b_x[c])


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
