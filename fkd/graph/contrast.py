"""The Neighborhood Affinity Contrast, in closed form."""

import numpy as np
import torch
from torch import Tensor

from fkd.graph import compiled
from fkd.graph.neighbors import Neighborhoods
from fkd.threads import over_rows

MAPS = ["conv2", "conv5"]
"""The teacher's maps whose geometry guides the paper's students."""


def nac(
    vectors: np.ndarray | Tensor, mask: np.ndarray | Tensor | Neighborhoods
) -> np.ndarray | Tensor:
    """Compute the Neighborhood Affinity Contrast of each vector.

    NAC_i = sum_j m_ij d_ij / sum_j d_ij. The sums are computed in closed form, with
    s_i = ||x_i||^2 and deg_i the number of neighbors of i:

        sum_j d_ij      = N s_i + sum_j s_j - 2 x_i . sum_j x_j
        sum_j m_ij d_ij = deg_i s_i + (M s)_i - 2 x_i . (M X)_i

    No matrix of distances is built, neither here nor for the gradient.

    Parameters
    ----------
    vectors : ndarray or Tensor, ([B,] N, D), float
        The vectors of one map or of B maps.
    mask : ndarray or Tensor, ([B,] N, N), bool, or Neighborhoods
        Which vectors are neighbors: the matrices m_ij, or the trees that define them.

    Returns
    -------
    ndarray or Tensor, ([B,] N)
        Contrasts in [0, 1], an array for an array and a tensor for a tensor, of the
        vectors' dtype. Where all vectors of a map are equal, the contrast is 0 and so
        is its gradient.

    Raises
    ------
    FkdError
        Where `mask` belongs to other numbers of maps or vectors.

    Examples
    --------
    Three vectors in a row: the ends have one neighbor, the middle has all as neighbors.

    >>> import numpy as np
    >>> from fkd.graph import nac, neighborhoods, spanning_tree
    >>> vectors = np.array([[0.0], [2.0], [4.0]])
    >>> mask = neighborhoods(spanning_tree(vectors), radius=1)
    >>> [f"{contrast:.2f}" for contrast in nac(vectors, mask)]
    ['0.20', '1.00', '0.20']
    """
    if not isinstance(vectors, Tensor):
        vectors = np.asarray(vectors)
        vectors = vectors if vectors.dtype.kind == "f" else vectors.astype(np.float64)
        tensor = torch.from_numpy(np.ascontiguousarray(vectors))
        mask = mask if isinstance(mask, Neighborhoods) else torch.as_tensor(mask)
        return nac(tensor, mask).numpy()
    if isinstance(mask, Neighborhoods):
        mask.refuse_others(vectors)
    if isinstance(mask, Neighborhoods) and not vectors.is_cuda:
        return _CompiledContrast.apply(vectors, mask)
    # Distances do not depend on the origin, but rounding does. The mean as origin keeps
    # small what cancels below. The first vector is subtracted before, so that equal
    # vectors become exactly 0 whatever the mean rounds to.
    x = vectors - vectors[..., :1, :]
    x = x - x.mean(dim=-2, keepdim=True)
    m = mask.to(x.dtype) if isinstance(mask, Tensor) else mask
    s = x.square().sum(-1, keepdim=True)  # ([B,] N, 1)
    total = x.shape[-2] * s + s.sum(-2, keepdim=True)
    # Centered vectors sum to 0 but for rounding, which this term makes up for.
    total = total - 2 * (x * x.sum(-2, keepdim=True)).sum(-1, keepdim=True)
    # One product with M gives the degrees and (M s)_i at once.
    degree, m_s = (m @ torch.cat([torch.ones_like(s), s], -1)).split(1, dim=-1)
    near = degree * s + m_s - 2 * (x * (m @ x)).sum(-1, keepdim=True)
    some = total > 0
    # Both branches of where() are differentiated, so 0 / 0 is kept out of the division too.
    ratio = near.clamp(min=0) / torch.where(some, total, torch.ones_like(total))
    return torch.where(some, ratio, torch.zeros_like(ratio)).squeeze(-1)


class _CompiledContrast(torch.autograd.Function):
    """NAC over trees on the CPU, one map after another; see :mod:`fkd.graph.compiled`."""

    @staticmethod
    def forward(ctx, vectors: Tensor, near: Neighborhoods) -> Tensor:
        b, n, d = vectors.shape
        contrast, total = vectors.new_empty((2, b, n))
        x, trees, m_y = vectors.detach().contiguous(), near.trees, vectors.new_empty(b, n, d + 2)
        tensors = (x, trees, contrast, total, m_y)  # all that the gradient needs
        arrays = [tensor.numpy() for tensor in tensors]

        def work(start: int, stop: int) -> None:
            compiled.contrast(*(array[start:stop] for array in arrays), near.radius)

        over_rows(work, len(x))
        ctx.save_for_backward(*tensors)
        ctx.radius = near.radius
        return contrast

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        vector_gradient = torch.empty_like(ctx.saved_tensors[0])  # (B, N, D)
        tensors = (*ctx.saved_tensors, gradient.contiguous(), vector_gradient)
        arrays = [tensor.numpy() for tensor in tensors]

        def work(start: int, stop: int) -> None:
            compiled.contrast_gradient(*(array[start:stop] for array in arrays), ctx.radius)

        over_rows(work, len(vector_gradient))
        return vector_gradient, None


def vectors_of_map(maps: Tensor) -> Tensor:
    """Read feature maps as sets of vectors.

    Parameters
    ----------
    maps : Tensor, (B, D, H, W)
        Feature maps in any memory layout.

    Returns
    -------
    Tensor, (B, H W, D)
        Vector i comes from row i // W and column i % W of the map.
    """
    return maps.flatten(2).transpose(1, 2)
