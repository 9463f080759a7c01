"""Spanning tree, neighborhoods and NAC, each against a plain second way, on each device."""

from itertools import combinations

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fkd import graph, models
from fkd.errors import FkdError
from fkd.graph import Neighborhoods, compiled
from fkd.graph.neighbors import sum_by_levels, sum_over_neighbors
from fkd.graph.tree import grow_together
from fkd.models import as_input
from fkd.preprocess import center_crop


def grow_on_gpu(vectors):
    return graph.rooted_trees(vectors.cuda()).cpu()


def sum_on_gpu(values, trees, radius):
    return sum_over_neighbors(values.cuda(), trees.cuda(), radius).cpu()


# The second of each is what a GPU runs, here on the CPU; the third runs where a GPU is there.
WAYS = {"cpu": graph.rooted_trees, "together": grow_together}
SUMS = {"cpu": sum_over_neighbors, "by levels": sum_by_levels}
if torch.cuda.is_available():
    WAYS["cuda"], SUMS["cuda"] = grow_on_gpu, sum_on_gpu
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def kruskal(vectors):
    """The tree by sorting all edges by (distance, smaller end, larger end)."""
    x = np.asarray(vectors, float)
    order = sorted((((x[i] - x[j]) ** 2).sum(), i, j) for i, j in combinations(range(len(x)), 2))
    root = list(range(len(x)))

    def find(i):
        while root[i] != i:
            i = root[i]
        return i

    edges = []
    for _, i, j in order:
        if find(i) != find(j):
            root[find(i)] = find(j)
            edges.append((i, j))
    return sorted(edges)


def edges_of(rooted):
    return sorted((min(i, int(p)), max(i, int(p))) for i, p in enumerate(rooted) if i > 0)


def distances(vectors):
    x = np.asarray(vectors, np.float64)
    return ((x[:, None] - x[None]) ** 2).sum(-1)


def naive_nac(vectors, mask):
    d = distances(vectors)
    total = d.sum(1)
    return np.divide((d * mask).sum(1), total, out=np.zeros(len(d)), where=total > 0)


@pytest.fixture(scope="module")
def sparse_map():
    """A 17 x 26 map of 32 channels after ReLU, a third of it blank paper."""
    rng = np.random.default_rng(0)
    vectors = np.maximum(rng.normal(size=(17 * 26, 32)), 0).astype(np.float32)
    vectors[rng.random(len(vectors)) < 0.33] = vectors[0]
    return vectors


@pytest.fixture(scope="module")
def real_maps(shared):
    """SigNet's maps of two CEDAR signatures, as sets of vectors."""
    with np.load(shared / "data/cedar_170x242.npz") as file:
        images = center_crop(file["x"][[0, 1500]].reshape(-1, 170, 242))
    network = models.build("signet").eval()
    with torch.inference_mode():
        maps, _ = network.describe(as_input(np.ascontiguousarray(images)))
    return {name: graph.vectors_of_map(maps[name]).contiguous() for name in ("conv2", "conv5")}


@pytest.mark.fidelity("spanning tree")
@ways
@settings(max_examples=150, deadline=None)
@given(st.integers(1, 12), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_tree_equals_kruskal_under_ties_and_duplicates(way, n, d, seed):
    vectors = np.random.default_rng(seed).integers(0, 3, (2, n, d)).astype(np.float32)
    trees = way(torch.from_numpy(vectors))
    assert trees.dtype == torch.uint16
    for found, own in zip(trees.numpy(), vectors, strict=True):
        assert found[0] == 0
        assert edges_of(found) == kruskal(own)
    edges = graph.spanning_tree(vectors[0])
    assert edges.dtype == np.uint16
    assert edges.shape == (n - 1, 2)
    assert [tuple(edge) for edge in edges.tolist()] == kruskal(vectors[0])


@pytest.mark.fidelity("spanning tree")
@ways
def test_large_maps_of_few_levels_equal_kruskal(way):
    vectors = np.random.default_rng(4).integers(0, 2, (1, 17 * 26, 6)).astype(np.float32)
    assert edges_of(way(torch.from_numpy(vectors))[0].numpy()) == kruskal(vectors[0])


@pytest.fixture(scope="module")
def least_weights(real_maps):
    """What networkx finds to be the least weight of a tree on each real map."""

    def least(vectors):
        d = distances(vectors)
        complete = nx.Graph()
        complete.add_weighted_edges_from((i, j, d[i, j]) for i, j in combinations(range(len(d)), 2))
        return nx.minimum_spanning_tree(complete).size(weight="weight")

    return {name: [least(vectors) for vectors in maps] for name, maps in real_maps.items()}


@pytest.mark.fidelity("spanning tree")
@ways
@pytest.mark.parametrize("name", ["conv2", "conv5"])
def test_trees_of_real_maps_have_the_weight_of_networkx(real_maps, least_weights, way, name):
    trees = way(real_maps[name]).numpy()
    for found, vectors, least in zip(trees, real_maps[name], least_weights[name], strict=True):
        d = distances(vectors)
        assert sum(d[edge] for edge in edges_of(found)) == pytest.approx(least, rel=1e-6)


@pytest.mark.fidelity("zero distances")
@ways
def test_equal_vectors_are_at_distance_zero(way, sparse_map):
    """Equal vectors are joined first, each to the first of them, whatever a product rounds to."""
    vectors = sparse_map + np.float32(1e3)
    kind = np.unique(vectors, axis=0, return_inverse=True)[1].ravel()
    pairs = set(edges_of(way(torch.from_numpy(vectors)[None])[0].numpy()))
    blank = np.flatnonzero(kind == kind[0])
    assert len(blank) > 100
    assert {(0, int(i)) for i in blank[1:]} <= pairs


@pytest.mark.fidelity("zero distances")
@ways
def test_equal_vectors_far_from_the_first_are_at_distance_zero(way):
    """Where a product rounds by position, and does so to other than 0."""
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(442, 256))  # doubles, whose products have to be rounded
    blank = np.flatnonzero(rng.random(442) < 0.4)
    vectors[blank] = vectors[blank[0]]
    assert blank[0] > 0
    pairs = set(edges_of(way(torch.from_numpy(vectors)[None])[0].numpy()))
    assert {(int(blank[0]), int(i)) for i in blank[1:]} <= pairs


@pytest.mark.fidelity("zero distances")
@ways
def test_equal_vectors_are_at_one_distance_from_any_other(way):
    """Whatever a product rounds to: so their ties are broken by order, for the first of them."""
    rng = np.random.default_rng(5)
    kind = rng.integers(150, size=442)
    vectors = rng.normal(size=(150, 256))[kind]
    firsts, index = np.unique(kind, return_index=True, return_inverse=True)[1:]
    first = firsts[index]  # (442,): the first vector that equals each
    edges = edges_of(way(torch.from_numpy(vectors)[None])[0].numpy())
    assert edges == kruskal(vectors)
    between = [edge for edge in edges if kind[edge[0]] != kind[edge[1]]]
    assert len(between) == len(set(kind)) - 1 > 100
    assert all(first[i] == i and first[j] == j for i, j in between)
    assert all(first[j] == i for i, j in set(edges) - set(between))


@pytest.mark.fidelity("zero distances")
@ways
def test_zero_and_minus_zero_are_equal(way):
    vectors = torch.tensor([[[0.0], [5.0], [-0.0], [5.0]]])
    assert way(vectors).tolist() == [[0, 0, 0, 1]]


@pytest.mark.fidelity("spanning tree")
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_tree_takes_any_floats(dtype):
    vectors = torch.tensor([[[3.0], [0.0], [1.0]]], dtype=dtype)
    assert graph.rooted_trees(vectors).tolist() == [[0, 2, 0]]


@pytest.mark.fidelity("neighborhoods")
@pytest.mark.parametrize("radius", [1, 2, 5])
def test_neighbors_are_at_most_radius_hops_apart(sparse_map, radius):
    edges = graph.spanning_tree(sparse_map)
    mask = graph.neighborhoods(edges, radius)
    hops = dict(nx.all_pairs_shortest_path_length(nx.Graph(edges.tolist())))
    expected = [[0 < hops[i][j] <= radius for j in range(len(mask))] for i in range(len(mask))]
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.fidelity("neighborhoods")
def test_neighbors_on_real_maps(real_maps):
    """Breadth-first search from each vector reaches its neighbors within five hops."""
    for vectors in real_maps["conv2"]:
        edges = graph.spanning_tree(vectors.numpy())
        mask = graph.neighborhoods(edges)
        np.testing.assert_array_equal(mask, mask.T)
        assert not mask.diagonal().any()
        tree_graph = nx.Graph(edges.tolist())
        for i in range(0, len(mask), 29):
            within = nx.single_source_shortest_path_length(tree_graph, i, cutoff=5)
            assert set(np.flatnonzero(mask[i])) == set(within) - {i}


@pytest.mark.fidelity("neighborhoods")
@pytest.mark.parametrize("way", SUMS.values(), ids=SUMS)
@pytest.mark.parametrize("columns", [1, 3, compiled.COLUMNS + 1])
def test_sums_over_neighbors_equal_the_matrix_product(way, columns):
    g = torch.Generator().manual_seed(columns)
    trees = graph.rooted_trees(torch.rand(3, 40, 2, generator=g))
    values = torch.rand(3, 40, columns, generator=g, dtype=torch.float64)
    hops = [dict(nx.all_pairs_shortest_path_length(nx.Graph(edges_of(t)))) for t in trees.numpy()]
    mask = [[[0 < h[i][j] <= 3 for j in range(40)] for i in range(40)] for h in hops]
    expected = torch.tensor(mask, dtype=torch.float64) @ values
    torch.testing.assert_close(way(values, trees, 3), expected)


@pytest.mark.fidelity("neighborhoods")
def test_batched_trees_give_each_its_own_neighborhoods():
    trees = np.stack([graph.spanning_tree(np.random.default_rng(k).random((9, 2))) for k in (0, 1)])
    both = graph.neighborhoods(trees, 2)
    assert both.shape == (2, 9, 9)
    for one, mask in zip(trees, both, strict=True):
        np.testing.assert_array_equal(mask, graph.neighborhoods(one, 2))


def dense(trees):
    return Neighborhoods(trees).mask()


def as_trees(trees):
    return Neighborhoods(trees)


@pytest.mark.fidelity("NAC")
@pytest.mark.parametrize("held", [dense, as_trees])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("offset", [0.0, 100.0, 1e4])
def test_nac_equals_its_definition(sparse_map, held, scale, offset):
    trees = graph.rooted_trees(torch.from_numpy(sparse_map)[None])
    vectors = (scale * (sparse_map + offset)).astype(np.float32)
    expected = naive_nac(vectors, dense(trees)[0].numpy())
    found = graph.nac(torch.from_numpy(vectors)[None], held(trees))[0]
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * expected.max())
    assert expected.min() >= 0
    assert expected.max() <= 1


@pytest.mark.fidelity("NAC")
@pytest.mark.parametrize("held", [dense, as_trees])
def test_nac_of_real_maps_equals_its_definition(real_maps, held):
    for vectors in real_maps.values():
        trees = graph.rooted_trees(vectors)
        found = graph.nac(vectors, held(trees))
        for own, mask, contrast in zip(vectors, dense(trees), found, strict=True):
            expected = naive_nac(own, mask.numpy())
            np.testing.assert_allclose(contrast, expected, rtol=1e-5, atol=1e-5 * expected.max())


@pytest.mark.fidelity("NAC")
@pytest.mark.parametrize("held", [dense, as_trees])
def test_nac_beside_an_outlier_equals_its_definition(sparse_map, held):
    """The first vector, which serves as origin, is far from all others."""
    vectors = torch.from_numpy(sparse_map)[None].clone()
    vectors[0, 0] += 1e3
    trees = graph.rooted_trees(vectors)
    expected = naive_nac(vectors[0].numpy(), dense(trees)[0].numpy())
    found = graph.nac(vectors, held(trees))[0]
    typical = np.median(expected)
    assert 0 < typical < 1e-3 * expected.max()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-2 * typical)


@pytest.mark.fidelity("NAC")
def test_nac_of_whole_numbers():
    vectors = np.array([[0], [1], [3]])
    mask = graph.neighborhoods(graph.spanning_tree(vectors), 1)
    np.testing.assert_allclose(graph.nac(vectors, mask), [1 / 10, 5 / 5, 4 / 13])


@pytest.mark.fidelity("NAC")
@pytest.mark.parametrize("held", [dense, as_trees])
def test_nac_gradient(held):
    rng = np.random.default_rng(1)
    vectors = torch.tensor(rng.normal(size=(2, 12, 3)), requires_grad=True)
    near = held(graph.rooted_trees(torch.tensor(rng.normal(size=(2, 12, 3)))))
    assert torch.autograd.gradcheck(lambda x: graph.nac(x, near), vectors)


@pytest.mark.fidelity("NAC")
@pytest.mark.parametrize("held", [dense, as_trees])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_nac_in_half_precision_is_that_in_float32_rounded(dtype, held):
    """Bit for bit: what a map-by-map conversion gives, a conversion of all maps gives."""
    draw = torch.Generator().manual_seed(2)
    narrow = (3 * torch.randn(3, 90, 40, generator=draw)).to(dtype).requires_grad_()
    wide = narrow.detach().float().requires_grad_()
    near = held(graph.rooted_trees(wide.detach()))
    contrasts = graph.nac(narrow, near), graph.nac(wide, near)
    weights = torch.randn(3, 90, generator=draw)
    for contrast in contrasts:
        (contrast * weights).sum().backward()
    assert contrasts[0].dtype == torch.float32
    assert torch.equal(*contrasts)
    assert narrow.grad.dtype == dtype and narrow.grad.count_nonzero() == narrow.numel()
    assert torch.equal(narrow.grad, wide.grad.to(dtype))


def test_the_two_ways_of_nac_have_one_gradient(sparse_map):
    """In float32, at the size of a map; some nodes are degenerate, their neighbors all equal."""
    trees = graph.rooted_trees(torch.from_numpy(sparse_map)[None])
    weight = torch.rand(1, len(sparse_map), generator=torch.Generator().manual_seed(0))
    gradients = []
    for held in (dense, as_trees):
        vectors = torch.from_numpy(sparse_map)[None].requires_grad_()
        (graph.nac(vectors, held(trees)) * weight).sum().backward()
        gradients.append(vectors.grad)
    largest = gradients[0].abs().max().item()
    assert largest > 0
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5 * largest)


def test_a_gpu_gives_the_contrast_and_gradient_of_the_cpu(request, sparse_map):
    """On a GPU, where all checks that name a way run too."""
    if not torch.cuda.is_available():
        ran = [item for item in request.session.items if item.path == request.path]
        count = sum("way" in item.fixturenames for item in ran)
        pytest.skip(f"no CUDA device is there: {count} checks of this file ran on the CPU alone")
    trees = graph.rooted_trees(torch.from_numpy(sparse_map)[None])
    weight = torch.rand(1, len(sparse_map), generator=torch.Generator().manual_seed(0))
    results = []
    for device in ("cpu", "cuda"):
        vectors = torch.from_numpy(sparse_map)[None].to(device).requires_grad_()
        contrast = graph.nac(vectors, Neighborhoods(trees.to(device)))
        (contrast * weight.to(device)).sum().backward()
        results.append((contrast.detach().cpu(), vectors.grad.cpu()))
    for ours, on_gpu in zip(*results, strict=True):
        largest = ours.abs().max().item()
        assert largest > 0
        torch.testing.assert_close(on_gpu, ours, rtol=1e-4, atol=1e-5 * largest)


@pytest.mark.fidelity("degenerate maps")
@pytest.mark.parametrize("held", [dense, as_trees])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e3])
def test_a_map_of_equal_vectors_has_no_contrast_and_no_gradient(held, value):
    vectors = torch.full((1, 442, 3), value, requires_grad=True)
    contrast = graph.nac(vectors, held(graph.rooted_trees(vectors)))
    contrast.sum().backward()
    assert (contrast == 0).all()
    assert (vectors.grad == 0).all()


@pytest.mark.fidelity("degenerate maps")
@pytest.mark.parametrize("held", [dense, as_trees])
def test_two_distinct_vectors_give_finite_contrast_and_gradient(held):
    vectors = torch.zeros(1, 20, 4)
    vectors[0, 13] = 2.0
    trees = graph.rooted_trees(vectors)
    assert edges_of(trees[0].numpy()) == [(0, i) for i in range(1, 20)]
    vectors.requires_grad_()
    contrast = graph.nac(vectors, held(trees))
    contrast.sum().backward()
    # All are within two hops, so each vector's neighbors are all vectors.
    torch.testing.assert_close(contrast, torch.ones(1, 20))
    assert vectors.grad.isfinite().all()


@pytest.mark.fidelity("degenerate maps")
def test_vectors_of_one_element():
    vectors = torch.tensor([[[0.0], [1.0], [10.0], [11.0], [30.0]]])
    trees = graph.rooted_trees(vectors)
    assert trees.tolist() == [[0, 0, 1, 2, 3]]
    expected = naive_nac(vectors[0].numpy(), dense(trees)[0].numpy())
    np.testing.assert_allclose(graph.nac(vectors, as_trees(trees))[0], expected, rtol=1e-6)


@pytest.mark.fidelity("degenerate maps")
@ways
def test_one_vector_is_a_tree_of_no_edges(way):
    assert way(torch.ones(2, 1, 4)).tolist() == [[0], [0]]
    edges = graph.spanning_tree(np.ones((1, 4)))
    assert edges.shape == (0, 2)
    np.testing.assert_array_equal(graph.neighborhoods(edges), [[False]])
    np.testing.assert_array_equal(graph.nac(np.ones((1, 4)), np.zeros((1, 1), bool)), [0.0])


@pytest.mark.fidelity("degenerate maps")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_tree_refuses_what_is_not_finite(bad):
    with pytest.raises(FkdError, match="NaN or infinity"):
        graph.spanning_tree(np.array([[0.0], [bad]]))
    with pytest.raises(FkdError, match="NaN or infinity"):
        graph.rooted_trees(torch.tensor([[[0.0], [bad]]]))


@pytest.mark.parametrize("shape", [(3,), (0, 3)])
def test_tree_refuses_other_shapes(shape):
    with pytest.raises(FkdError, match="a spanning tree needs"):
        graph.spanning_tree(np.zeros(shape))


@pytest.mark.fidelity("feature maps as vectors")
def test_vectors_of_a_map_go_by_row_and_column():
    maps = torch.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    vectors = graph.vectors_of_map(maps.to(memory_format=torch.channels_last))
    assert torch.equal(vectors[1, 7], maps[1, :, 1, 2])
