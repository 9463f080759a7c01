"""Each loss against a loop written from its formula."""

import math

import pytest
import torch

from fkd import losses
from fkd.errors import FkdError

B, F = 6, 5


@pytest.fixture
def responses():
    g = torch.Generator().manual_seed(0)
    student = torch.randn(B, F, generator=g, dtype=torch.float64)
    teacher = torch.randn(B, F, generator=g, dtype=torch.float64)
    # Strong negative correlation, so that the largest |C| is not the largest C.
    teacher[:, 0] = -student[:, 0] + 0.1 * teacher[:, 0]
    return student, teacher


def naive_correlation(student, teacher):
    def z(f):
        columns = []
        for i in range(f.shape[1]):
            values = [float(v) for v in f[:, i]]
            mean = sum(values) / len(values)
            sd = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
            columns.append([(v - mean) / (sd + 1e-6) for v in values])
        return columns

    zs, zt = z(student), z(teacher)
    return [[sum(a * b for a, b in zip(s, t, strict=True)) / len(s) for t in zt] for s in zs]


def test_geometry(responses):
    student, teacher = responses
    total = sum(
        (float(student[b, i]) - float(teacher[b, i])) ** 2 for b in range(B) for i in range(F)
    )
    assert losses.geometry(student, teacher).item() == pytest.approx(total / (2 * B))
    assert losses.geometry(student, teacher, half=False).item() == pytest.approx(total / B)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("standardized", [False, True])
def test_temperature_cross_entropy(responses, scaled, standardized):
    student, teacher = responses
    loss = losses.temperature_cross_entropy(student, teacher, 10.0, standardized, scaled)
    if standardized:
        student, teacher = losses.standardize(student), losses.standardize(teacher)
    total = 0.0
    for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
        zs, zt = sum(math.exp(v / 10) for v in s), sum(math.exp(v / 10) for v in t)
        total -= sum(
            math.exp(b / 10) / zt * math.log(math.exp(a / 10) / zs)
            for a, b in zip(s, t, strict=True)
        )
    assert loss.item() == pytest.approx(total / B * (100 if scaled else 1))


@pytest.mark.parametrize("colleagues", [False, True])
def test_barlow(responses, colleagues):
    student, teacher = responses
    c = naive_correlation(student, teacher)
    total = 0.0
    for i, row in enumerate(c):
        chosen = row.index(max(row)) if colleagues else i
        total += (1 - row[chosen]) ** 2
        total += 0.01 * sum(v**2 for j, v in enumerate(row) if j != chosen)
    loss = losses.barlow_colleagues if colleagues else losses.barlow_twins
    assert loss(student, teacher, lambda_=0.01).item() == pytest.approx(total)


def test_colleagues_may_have_other_numbers_of_elements(responses):
    student, teacher = responses
    assert losses.barlow_colleagues(student, teacher[:, :3]).isfinite()


def test_twins_need_equal_lengths(responses):
    student, teacher = responses
    with pytest.raises(FkdError, match="equal length, not 5 with 3"):
        losses.barlow_twins(student, teacher[:, :3])


@pytest.mark.parametrize("name", losses.RESPONSES)
def test_gradient(responses, name):
    student, teacher = responses
    loss = losses.RESPONSES[name]
    assert torch.autograd.gradcheck(lambda s: loss(s, teacher), student.requires_grad_())


@pytest.mark.parametrize("name", losses.RESPONSES)
def test_dead_elements_give_finite_loss_and_gradient(name):
    student = torch.randn(B, F).index_fill_(1, torch.tensor([1]), 0.0).requires_grad_()
    teacher = torch.randn(B, F).index_fill_(1, torch.tensor([1, 2]), 3.0)
    loss = losses.RESPONSES[name](student, teacher)
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()


@pytest.mark.parametrize("loss", [losses.barlow_twins, losses.barlow_colleagues])
def test_a_batch_of_one_has_no_correlation(loss):
    with pytest.raises(FkdError, match="two images or more, not 1"):
        loss(torch.ones(1, F), torch.ones(1, F))


def test_classification_is_the_mean_cross_entropy():
    logits = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]])
    expected = (-math.log(0.75) - math.log(0.5)) / 2
    assert losses.classification(logits, torch.tensor([1, 0])).item() == pytest.approx(expected)
