"""The Neighborhood Affinity Contrast, in closed form."""

import numpy as np
import torch
from torch import Tensor

from fkd.graph import compiled
from fkd.graph.neighbors import Neighborhoods
from fkd.threads import over_rows

MAPS = ["conv2", "conv5"]
"""The maps of the teacher whose geometry guides the paper's students."""


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


class _CompiledContrast(torch.autograd.Function):
    """NAC on trees on the CPU: map after map, so that all of one stays in the cache."""

    @staticmethod
    def forward(ctx, vectors: Tensor, near: Neighborhoods) -> Tensor:
        b, n, d = vectors.shape
        contrast, total = vectors.new_empty((2, b, n))
        x, trees, m_y = vectors.detach().contiguous(), near.trees, vectors.new_empty(b, n, d + 2)
        tensors = (x, trees, contrast, total, m_y)
        arrays = [tensor.numpy() for tensor in tensors]

        def work(start: int, stop: int) -> None:
            compiled.contrast(*(array[start:stop] for array in arrays), near.radius)

        over_rows(work, len(x))
        ctx.save_for_backward(*tensors)
        ctx.radius = near.radius
        return contrast

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        of_x = torch.empty_like(ctx.saved_tensors[0])
        tensors = (*ctx.saved_tensors, gradient.contiguous(), of_x)
        arrays = [tensor.numpy() for tensor in tensors]

        def work(start: int, stop: int) -> None:
            compiled.contrast_gradient(*(array[start:stop] for array in arrays), ctx.radius)

        over_rows(work, len(of_x))
        return of_x, None


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
