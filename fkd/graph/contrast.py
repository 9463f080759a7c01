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
        Contrasts in [0, 1], an array for an array and a tensor for a tensor, of the vectors'
        dtype, or float32 where that has half precision. Where all vectors of a map are equal,
        the contrast is 0 and so is its gradient.

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
    is_compiled = isinstance(mask, Neighborhoods) and not vectors.is_cuda
    if vectors.dtype == torch.float16 or (_is_narrow(vectors) and not is_compiled):
        vectors = vectors.float()
    if is_compiled:
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
    """NAC over trees on the CPU, one map after another; see :mod:`fkd.graph.compiled`.

    Vectors in bfloat16 are widened map by map, and their gradient is rounded map by map: a copy
    of all of them in float32 would take as long as the sums.
    """

    @staticmethod
    def forward(ctx, vectors: Tensor, near: Neighborhoods) -> Tensor:
        b, n, d = vectors.shape
        x, trees = vectors.detach().contiguous(), near.trees
        like = torch.empty((), dtype=torch.float32 if _is_narrow(x) else x.dtype)
        contrast, total = like.new_empty((2, b, n))
        tensors = (x, trees, contrast, total, like.new_empty(b, n, d + 2))
        arrays = [_array_of(tensor) for tensor in tensors]  # all that the gradient needs
        compute = compiled.contrast_of_bfloat16 if _is_narrow(x) else compiled.contrast

        def work(start: int, stop: int) -> None:
            compute(*(array[start:stop] for array in arrays), near.radius)

        over_rows(work, len(x))
        ctx.save_for_backward(*tensors)
        ctx.radius = near.radius
        return contrast

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        x = ctx.saved_tensors[0]
        of_x = torch.empty_like(x)  # (B, N, D)
        tensors = (*ctx.saved_tensors, gradient.contiguous(), of_x)
        arrays = [_array_of(tensor) for tensor in tensors]
        narrow, wide = compiled.contrast_gradient_of_bfloat16, compiled.contrast_gradient
        compute = narrow if _is_narrow(x) else wide

        def work(start: int, stop: int) -> None:
            compute(*(array[start:stop] for array in arrays), ctx.radius)

        over_rows(work, len(x))
        return of_x, None


def _is_narrow(vectors: Tensor) -> bool:
    return vectors.dtype == torch.bfloat16


def _array_of(tensor: Tensor) -> np.ndarray:
    """View a tensor as an array: NumPy has no bfloat16, so of that as its bits."""
    return (tensor.view(torch.uint16) if _is_narrow(tensor) else tensor).numpy()


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
