"""The teacher's geometry and the student's loss on it, from full matrices of distances."""

from functools import cache

import numpy as np
import torch
from scipy.sparse.csgraph import minimum_spanning_tree, shortest_path
from scipy.spatial.distance import pdist, squareform
from torch import Tensor

from benchmarks.preprocessing import draw_scans
from benchmarks.timing import Benchmark, Memory
from fkd import models
from fkd.graph import Neighborhoods, nac, rooted_trees, vectors_of_map
from fkd.losses import geometry
from fkd.models import as_input
from fkd.preprocess import center_crop, normalize

MAPS = ("conv2", "conv3", "conv5")
IMAGES = 16
RADIUS = 5


def tree_plainly(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find tree, mask and NAC of a map with SciPy.

    Parameters
    ----------
    vectors : ndarray, (N, D)
        The map's vectors.

    Returns
    -------
    tree : ndarray, (N, N), bool
        Which pairs are edges.
    mask : ndarray, (N, N), bool
        Who is a neighbor of whom.
    contrast : ndarray, (N,), float64
    """
    pairs = pdist(vectors, "sqeuclidean")
    # Ranks in place of distances: SciPy reads 0 as no edge, and ties must fall by index.
    ranks = np.empty(len(pairs))
    ranks[np.argsort(pairs, kind="stable")] = np.arange(1, len(pairs) + 1)
    tree = minimum_spanning_tree(squareform(ranks)).toarray() > 0
    tree |= tree.T
    hops = shortest_path(tree, unweighted=True)
    mask = (hops > 0) & (hops <= RADIUS)
    d = squareform(pairs)
    total = d.sum(1)
    contrast = np.divide((d * mask).sum(1), total, out=np.zeros(len(d)), where=total > 0)
    return tree, mask, contrast


@cache
def maps_of_signatures() -> dict[str, Tensor]:
    """SigNet's maps of drawn signatures, each (IMAGES, N, D)."""
    images = np.stack([center_crop(normalize(image)) for image in draw_scans(IMAGES)])
    network = models.build("signet").eval().to(memory_format=torch.channels_last)
    with torch.inference_mode():
        found, _ = network.describe(as_input(images))
    return {name: vectors_of_map(found[name]) for name in MAPS}


def targets() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Tree and NAC of all images by fkd."""
    found = {}
    for name, vectors in maps_of_signatures().items():
        trees = rooted_trees(vectors)
        found[name] = trees.numpy(), nac(vectors, Neighborhoods(trees, RADIUS)).numpy()
    return found


def targets_plainly() -> dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """Tree, mask and NAC of all images by SciPy."""
    return {
        name: [tree_plainly(own) for own in vectors.numpy()]
        for name, vectors in maps_of_signatures().items()
    }


def same_targets(ours: dict, baseline: dict) -> None:
    """Hold ours to SciPy's: edges, masks and contrasts."""
    for name in MAPS:
        masks = Neighborhoods(torch.from_numpy(ours[name][0]), RADIUS).mask().numpy()
        for rooted, near, mask, (edges, plain_mask, plain) in zip(
            *ours[name], masks, baseline[name], strict=True
        ):
            tree = np.zeros_like(edges)
            tree[np.arange(1, len(rooted)), rooted[1:]] = True
            np.testing.assert_array_equal(tree | tree.T, edges)
            np.testing.assert_array_equal(mask, plain_mask)
            np.testing.assert_allclose(near, plain, rtol=1e-4, atol=1e-6)


BATCH, NODES, CHANNELS = 64, 442, 128
"""The student's larger map, at the published batch."""


def nac_plainly(vectors: Tensor, mask: Tensor) -> Tensor:
    """NAC from all distances."""
    d = torch.cdist(vectors, vectors).square()
    return (mask * d).sum(-1) / d.sum(-1)


@cache
def loss_case() -> tuple[Tensor, Tensor, Tensor]:
    """A student's vectors, the teacher's trees, and its NAC."""
    draw = torch.Generator().manual_seed(0)
    vectors = torch.randn(BATCH, NODES, CHANNELS, generator=draw).relu()
    trees = rooted_trees(torch.rand(BATCH, NODES, 16, generator=draw))
    return vectors, trees, torch.rand(BATCH, NODES, generator=draw) / 4


def loss_gradient() -> Tensor:
    """Gradient of GeomL by fkd, from the trees."""
    vectors, trees, teacher = loss_case()
    vectors = vectors.clone().requires_grad_()
    geometry(nac(vectors, Neighborhoods(trees, RADIUS)), teacher).backward()
    return vectors.grad


@cache
def loss_mask() -> Tensor:
    """The dense masks, as they would come with the batch."""
    return Neighborhoods(loss_case()[1], RADIUS).mask().float()


def loss_gradient_plainly() -> Tensor:
    """Gradient of GeomL from masks and distances."""
    vectors, _, teacher = loss_case()
    vectors = vectors.clone().requires_grad_()
    geometry(nac_plainly(vectors, loss_mask()), teacher).backward()
    return vectors.grad


def same_gradients(ours: Tensor, baseline: Tensor) -> None:
    """Hold our gradient to the baseline's."""
    largest = baseline.abs().max().item()
    torch.testing.assert_close(ours, baseline, rtol=1e-3, atol=1e-4 * largest)


def make_loss() -> object:
    """Prepare our loss, for a measure of its memory."""
    loss_case()
    return loss_gradient


def make_loss_plainly() -> object:
    """Prepare the baseline's loss; its masks are part of what it takes."""
    loss_case()
    return loss_gradient_plainly


def benchmarks() -> list[Benchmark | Memory]:
    """The teacher's targets, and time and memory of the student's loss."""
    return [
        Benchmark(
            "teacher_targets",
            f"trees, neighborhoods and NAC of the maps {', '.join(MAPS)} of {IMAGES} images",
            targets,
            targets_plainly,
            same_targets,
        ),
        Benchmark(
            "nac_loss",
            f"geometric loss, forward and backward, batch {BATCH}, N {NODES}, D {CHANNELS}",
            loss_gradient,
            loss_gradient_plainly,
            same_gradients,
        ),
        Memory("nac_memory", "what nac_loss adds to memory", make_loss, make_loss_plainly),
    ]
