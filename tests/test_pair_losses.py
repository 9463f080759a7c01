"""The losses on pairs and triplets against plain loops, and their gradients."""

import math

import pytest
import torch

from fkd import pair_losses as losses
from fkd.errors import FkdError

DTYPES = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 2e-2}
WRITERS = [1, 1, 1, 2, 2, 2, 3, 1]
FORGED = [0, 0, 1, 0, 0, 1, 0, 0]


def pairs(dtype, count=7):
    generator = torch.Generator().manual_seed(3)
    first, second = (torch.randn(count, 5, generator=generator).to(dtype) for _ in range(2))
    return first, second, torch.arange(count) % 3 == 1


def batch(dtype):
    generator = torch.Generator().manual_seed(5)
    embedding = torch.randn(len(WRITERS), 4, generator=generator).to(dtype)
    return embedding, torch.tensor(WRITERS), torch.tensor(FORGED, dtype=torch.bool)


def length(one, other):
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)))


def loop_over_pairs(name, first, second, forged, margin=2.0, a=1.0, b=1.0):
    total = 0.0
    for one, other, y in zip(first.tolist(), second.tolist(), forged.tolist(), strict=True):
        d = length(one, other)
        total += {
            "contrastive": (1 - y) * d**2 + y * max(0, margin - d) ** 2,
            "contrastive_as_printed": ((1 - y) * d**2 + y * max(0, margin - d**2)) / 2,
            "weighted_contrastive": a * (1 - y) * d**2 + b * y * max(0, margin - d),
        }[name]
    return total / len(forged)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("contrastive", {"margin": 2.0}),
        ("contrastive", {"margin": 4.0}),
        ("contrastive_as_printed", {"margin": 9.0}),
        ("weighted_contrastive", {"margin": 3.0, "a": 0.7, "b": 2.0}),
    ],
)
def test_losses_of_distances(name, parameters, dtype):
    first, second, forged = pairs(dtype)
    found = getattr(losses, name)(losses.distance(first, second), forged, **parameters)
    expected = loop_over_pairs(name, first, second, forged, **parameters)
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert float(found) == pytest.approx(expected, rel=DTYPES[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_binary_cross_entropy(dtype):
    first, _, forged = pairs(dtype)
    logit = 3 * first[:, 0]
    expected = 0.0
    for x, y in zip(logit.tolist(), forged.tolist(), strict=True):
        p = 1 / (1 + math.exp(-x))
        expected -= math.log(p if y else 1 - p) / len(logit)
    found = losses.binary_cross_entropy(logit, forged)
    assert float(found) == pytest.approx(expected, rel=DTYPES[dtype])


def loop_over_triplets(embedding, writer, forgery, margin, squared, mining):
    vectors, rows = embedding.tolist(), range(len(writer))

    def d(i, j):
        return length(vectors[i], vectors[j]) ** (2 if squared else 1)

    def is_own(i, anchor):
        return writer[i] == writer[anchor] and not forgery[i]

    found = []
    for anchor in rows:
        if forgery[anchor]:
            continue
        positives = [i for i in rows if i != anchor and is_own(i, anchor)]
        negatives = [i for i in rows if not is_own(i, anchor)]
        if mining == "hard":
            if positives and negatives:
                far = max(d(anchor, i) for i in positives)
                near = min(d(anchor, i) for i in negatives)
                found.append(max(0, far - near + margin))
            continue
        for p in positives:
            for n in negatives:
                loss = d(anchor, p) - d(anchor, n) + margin
                if loss > 0 and (mining == "all" or d(anchor, n) > d(anchor, p)):
                    found.append(loss)
    return sum(found) / len(found)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("mining", losses.MINING)
def test_triplets(mining, squared, dtype):
    given = batch(dtype)
    found = losses.triplet(*given, margin=1.0, squared=squared, mining=mining)
    expected = loop_over_triplets(
        given[0], given[1].tolist(), given[2].tolist(), 1.0, squared, mining
    )
    assert float(found) == pytest.approx(expected, rel=DTYPES[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_nt_xent(dtype):
    embedding, writer, forgery = batch(dtype)
    vectors, rows = embedding.tolist(), range(len(writer))
    origin = [0.0] * 4

    def s(i, j):
        dot = sum(a * b for a, b in zip(vectors[i], vectors[j], strict=True))
        return dot / length(vectors[i], origin) / length(vectors[j], origin) / 0.3

    terms = [
        -s(i, j) + math.log(sum(math.exp(s(i, k)) for k in rows if k != i))
        for i in rows
        for j in rows
        if i != j and writer[i] == writer[j] and not forgery[i] and not forgery[j]
    ]
    found = losses.nt_xent(embedding, writer, forgery, temperature=0.3)
    assert float(found) == pytest.approx(sum(terms) / len(terms), rel=DTYPES[dtype])


OF_PAIRS = {
    "contrastive": lambda a, b, y: losses.contrastive(losses.distance(a, b), y),
    "as_printed": lambda a, b, y: losses.contrastive_as_printed(losses.distance(a, b), y, 9.0),
    "weighted": lambda a, b, y: losses.weighted_contrastive(losses.distance(a, b), y, 3.0),
    "cross_entropy": lambda a, b, y: losses.binary_cross_entropy((a - b).abs().sum(dim=1), y),
}
OF_BATCHES = {
    **{
        f"triplet_{mining}_{squared}": lambda e, w, f, m=mining, s=squared: losses.triplet(
            e, w, f, 1.0, s, m
        )
        for mining in losses.MINING
        for squared in (False, True)
    },
    "nt_xent": losses.nt_xent,
}


@pytest.mark.parametrize("name", OF_PAIRS)
def test_gradients_of_pairs(name):
    first, second, forged = pairs(torch.float64)
    given = (first.requires_grad_(), second.requires_grad_())
    assert torch.autograd.gradcheck(lambda a, b: OF_PAIRS[name](a, b, forged), given)


@pytest.mark.parametrize("name", OF_BATCHES)
def test_gradients_of_batches(name):
    embedding, writer, forgery = batch(torch.float64)
    embedding.requires_grad_()
    assert torch.autograd.gradcheck(lambda e: OF_BATCHES[name](e, writer, forgery), (embedding,))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_equal_embeddings_have_finite_gradients(value):
    for loss in OF_PAIRS.values():
        first = torch.full((4, 3), value, requires_grad=True)
        loss(first, torch.full((4, 3), value), torch.tensor([0, 1, 0, 1], dtype=bool)).backward()
        assert torch.isfinite(first.grad).all()
    for loss in OF_BATCHES.values():
        embedding = torch.full((4, 3), value, requires_grad=True)
        found = loss(embedding, torch.tensor([1, 1, 2, 2]), torch.tensor([0, 0, 0, 1], dtype=bool))
        found.backward()
        assert torch.isfinite(found) and torch.isfinite(embedding.grad).all()


@pytest.mark.parametrize("name", OF_BATCHES)
def test_a_batch_without_positives_costs_nothing(name):
    embedding = torch.randn(3, 2, requires_grad=True)
    found = OF_BATCHES[name](embedding, torch.tensor([1, 2, 3]), torch.zeros(3, dtype=bool))
    found.backward()
    assert found == 0 and (embedding.grad == 0).all()


def test_parameters_out_of_range_are_refused():
    embedding, writer, forgery = batch(torch.float32)
    with pytest.raises(FkdError, match="mining: expected one of all, semi_hard, hard"):
        losses.triplet(embedding, writer, forgery, mining="easy")
    with pytest.raises(FkdError, match="temperature"):
        losses.nt_xent(embedding, writer, forgery, temperature=0.0)
