"""Spanning tree, neighborhoods and NAC, each against a plain second way."""

from itertools import combinations

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fkd import graph
from fkd.errors import FkdError


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


def naive_nac(vectors, mask):
    d = ((vectors[:, None] - vectors[None]) ** 2).sum(-1)
    total = d.sum(1)
    return np.divide((d * mask).sum(1), total, out=np.zeros(len(d)), where=total > 0)


@pytest.fixture(scope="module")
def sparse_map():
    """A 17 x 26 map of 32 channels after ReLU, a third of it blank paper."""
    rng = np.random.default_rng(0)
    vectors = np.maximum(rng.normal(size=(17 * 26, 32)), 0).astype(np.float32)
    vectors[rng.random(len(vectors)) < 0.33] = vectors[0]
    return vectors


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 12), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_tree_equals_kruskal_under_ties_and_duplicates(n, d, seed):
    vectors = np.random.default_rng(seed).integers(0, 3, (n, d)).astype(np.float32)
    tree = graph.spanning_tree(vectors)
    assert tree.dtype == np.uint16
    assert tree.shape == (n - 1, 2)
    assert [tuple(edge) for edge in tree.tolist()] == kruskal(vectors)


def test_tree_has_the_weight_of_networkx(sparse_map):
    d = graph.squared_distances(sparse_map)
    direct = ((sparse_map[:, None].astype(float) - sparse_map[None]) ** 2).sum(-1)
    np.testing.assert_allclose(d, direct, rtol=1e-9, atol=1e-9)
    complete = nx.Graph()
    complete.add_weighted_edges_from((i, j, d[i, j]) for i, j in combinations(range(len(d)), 2))
    expected = nx.minimum_spanning_tree(complete).size(weight="weight")
    tree = graph.spanning_tree(sparse_map)
    assert d[tree[:, 0], tree[:, 1]].sum() == pytest.approx(expected, rel=1e-9)


def test_identical_vectors_are_at_distance_zero(sparse_map):
    d = graph.squared_distances(sparse_map + 1e3)
    same = (sparse_map[:, None] == sparse_map[None]).all(-1)
    assert (d[same] == 0).all()
    np.testing.assert_array_equal(d, d.T)


@pytest.mark.parametrize("radius", [1, 2, 5])
def test_neighbors_are_at_most_radius_hops_apart(sparse_map, radius):
    tree = graph.spanning_tree(sparse_map)
    mask = graph.neighborhoods(tree, radius)
    hops = dict(nx.all_pairs_shortest_path_length(nx.Graph(tree.tolist())))
    expected = [[0 < hops[i][j] <= radius for j in range(len(mask))] for i in range(len(mask))]
    np.testing.assert_array_equal(mask, expected)


def test_batched_trees_give_each_its_own_neighborhoods():
    trees = np.stack([graph.spanning_tree(np.random.default_rng(k).random((9, 2))) for k in (0, 1)])
    both = graph.neighborhoods(trees, 2)
    assert both.shape == (2, 9, 9)
    for tree, mask in zip(trees, both, strict=True):
        np.testing.assert_array_equal(mask, graph.neighborhoods(tree, 2))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_nac_equals_its_definition(sparse_map, scale, offset):
    mask = graph.neighborhoods(graph.spanning_tree(sparse_map))
    vectors = (scale * (sparse_map + offset)).astype(np.float32)
    expected = naive_nac(vectors.astype(np.float64), mask)
    np.testing.assert_allclose(graph.nac(vectors, mask), expected, rtol=1e-5, atol=1e-7)
    assert expected.min() >= 0
    assert expected.max() <= 1


def test_nac_of_whole_numbers():
    vectors = np.array([[0], [1], [3]])
    mask = graph.neighborhoods(graph.spanning_tree(vectors), 1)
    np.testing.assert_allclose(graph.nac(vectors, mask), [1 / 10, 5 / 5, 4 / 13])


def test_nac_gradient():
    rng = np.random.default_rng(1)
    vectors = torch.tensor(rng.normal(size=(2, 8, 3)), requires_grad=True)
    trees = np.stack([graph.spanning_tree(v) for v in vectors.detach().numpy()])
    mask = torch.from_numpy(graph.neighborhoods(trees, 2))
    assert torch.autograd.gradcheck(lambda x: graph.nac(x, mask), vectors)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e3])
def test_a_map_of_equal_vectors_has_no_contrast_and_no_gradient(value):
    vectors = torch.full((1, 6, 3), value, requires_grad=True)
    mask = torch.from_numpy(graph.neighborhoods(graph.spanning_tree(vectors.detach().numpy()[0])))
    contrast = graph.nac(vectors, mask[None])
    contrast.sum().backward()
    assert (contrast == 0).all()
    assert (vectors.grad == 0).all()


def test_one_vector_is_a_tree_of_no_edges():
    tree = graph.spanning_tree(np.ones((1, 4)))
    assert tree.shape == (0, 2)
    np.testing.assert_array_equal(graph.neighborhoods(tree), [[False]])
    np.testing.assert_array_equal(graph.nac(np.ones((1, 4)), np.zeros((1, 1), bool)), [0.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_tree_refuses_what_is_not_finite(bad):
    with pytest.raises(FkdError, match="NaN or infinity"):
        graph.spanning_tree(np.array([[0.0], [bad]]))


def test_tree_refuses_other_shapes():
    with pytest.raises(FkdError, match=r"\(3,\)"):
        graph.spanning_tree(np.zeros(3))


def test_vectors_of_a_map_go_by_row_and_column():
    maps = torch.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    vectors = graph.vectors_of_map(maps.to(memory_format=torch.channels_last))
    assert torch.equal(vectors[1, 7], maps[1, :, 1, 2])
