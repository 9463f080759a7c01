"""Each loss against a loop in double precision, written from its formula."""

import math
from dataclasses import asdict
from itertools import product

import pytest
import torch

from fkd import losses
from fkd.errors import FkdError
from fkd.study.students import PAPER, Student
from fkd.training.students import loss_terms

B, F = 6, 5

devices = pytest.mark.parametrize("device", ["cpu", *["cuda"] * torch.cuda.is_available()])


def draw_responses():
    g = torch.Generator().manual_seed(0)
    student = torch.randn(B, F, generator=g, dtype=torch.float64)
    teacher = torch.randn(B, F, generator=g, dtype=torch.float64)
    # Strong negative correlation, so that the largest |C| is not the largest C.
    teacher[:, 0] = -student[:, 0] + 0.1 * teacher[:, 0]
    return student, teacher


@pytest.fixture
def responses():
    return draw_responses()


# ------------------------------------------------------------------------ from the formulas


def naive_classification(logits, writers):
    total = 0.0
    for row, writer in zip(logits.tolist(), writers.tolist(), strict=True):
        total -= math.log(math.exp(row[writer]) / sum(math.exp(v) for v in row))
    return total / len(logits)


def naive_geometry(student, teacher, half=True):
    total = 0.0
    for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
        total += sum((a - b) ** 2 for a, b in zip(s, t, strict=True))
    return total / ((2 if half else 1) * len(student))


def naive_contrast(maps, mask):
    """Neighborhood affinity contrasts of maps, (B, H W)."""
    vectors = maps.flatten(2).mT
    d = (vectors[:, :, None] - vectors[:, None]).square().sum(-1)
    return (d * mask).sum(-1) / d.sum(-1)


def naive_z(features):
    """z-scores, one list for each element of the response."""
    columns = []
    for values in features.T.tolist():
        mean = sum(values) / len(values)
        sd = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
        columns.append([(v - mean) / (sd + 1e-6) for v in values])
    return columns


def naive_temperature(student, teacher, temperature=10, standardized=False, scaled=False):
    if standardized:
        student, teacher = (
            torch.tensor(naive_z(f), dtype=torch.float64).T for f in (student, teacher)
        )
    total = 0.0
    for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
        zs, zt = (sum(math.exp(v / temperature) for v in row) for row in (s, t))
        for a, b in zip(s, t, strict=True):
            total -= math.exp(b / temperature) / zt * math.log(math.exp(a / temperature) / zs)
    return total / len(student) * (temperature**2 if scaled else 1)


def naive_barlow(student, teacher, lambda_, colleagues):
    zs, zt = naive_z(student), naive_z(teacher)
    total = 0.0
    for i, s in enumerate(zs):
        row = [sum(a * b for a, b in zip(s, t, strict=True)) / len(s) for t in zt]
        chosen = row.index(max(row)) if colleagues else i
        total += (1 - row[chosen]) ** 2
        total += lambda_ * sum(v**2 for j, v in enumerate(row) if j != chosen)
    return total


def naive_twins(student, teacher, lambda_=1e-4):
    return naive_barlow(student, teacher, lambda_, colleagues=False)


def naive_colleagues(student, teacher, lambda_=1e-4):
    return naive_barlow(student, teacher, lambda_, colleagues=True)


ELEMENT = {
    losses.geometry: ("GeomL", naive_geometry),
    losses.temperature_cross_entropy: ("T-CE", naive_temperature),
    losses.barlow_twins: ("Barlow Twins", naive_twins),
    losses.barlow_colleagues: ("Barlow Colleagues", naive_colleagues),
}
VARIANTS = [
    (losses.geometry, {}),
    (losses.geometry, {"half": False}),
    *(
        (losses.temperature_cross_entropy, {"temperature": t, "standardized": z, "scaled": s})
        for t, z, s in product((4, 10), (False, True), (False, True))
    ),
    (losses.temperature_cross_entropy, {}),
    *(
        (loss, parameters)
        for loss in (losses.barlow_twins, losses.barlow_colleagues)
        for parameters in ({}, {"lambda_": 0.0}, {"lambda_": 0.01})
    ),
]


def marked(variants):
    """Cases of a loss and its parameters, each under the element that it holds."""
    return pytest.mark.parametrize(
        ("loss", "parameters"),
        [
            pytest.param(
                loss,
                parameters,
                marks=pytest.mark.fidelity(ELEMENT[loss][0]),
                id=" ".join([loss.__name__, *(f"{k}={v}" for k, v in parameters.items())]),
            )
            for loss, parameters in variants
        ],
    )


@devices
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@marked(VARIANTS)
def test_equals_its_formula(loss, parameters, dtype, device):
    """Half precision is computed in float32, from the values that it holds."""
    student, teacher = (f.to(device, dtype) for f in draw_responses())
    found = loss(student, teacher, **parameters)
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    _, naive = ELEMENT[loss]
    expected = naive(student.cpu().double(), teacher.cpu().double(), **parameters)
    relative = 1e-12 if dtype == torch.float64 else 1e-5
    assert found.item() == pytest.approx(expected, rel=relative, abs=0)


@devices
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.fidelity("CL")
def test_classification_equals_its_formula(dtype, device):
    logits = draw_responses()[0].to(device, dtype)
    writers = torch.tensor([0, 3, 4, 4, 1, 2], device=device)
    expected = naive_classification(logits.cpu().double(), writers)
    relative = 1e-12 if dtype == torch.float64 else 1e-5
    found = losses.classification(logits, writers).item()
    assert found == pytest.approx(expected, rel=relative, abs=0)


@pytest.mark.fidelity("CL")
def test_classification_by_hand():
    logits = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]])
    expected = (-math.log(0.75) - math.log(0.5)) / 2
    assert losses.classification(logits, torch.tensor([1, 0])).item() == pytest.approx(expected)


@devices
@marked(VARIANTS)
def test_gradient(loss, parameters, device):
    student, teacher = (f.to(device) for f in draw_responses())
    student.requires_grad_()
    assert torch.autograd.gradcheck(lambda s: loss(s, teacher, **parameters), student)


def test_losses_lie_where_the_responses_do(request):
    """On a GPU, where all checks above that name a device run too."""
    if not torch.cuda.is_available():
        ran = [item for item in request.session.items if item.path == request.path]
        count = sum("device" in item.fixturenames for item in ran)
        pytest.skip(f"no CUDA device is there: {count} checks of this file ran on the CPU alone")
    student, teacher = (f.cuda() for f in draw_responses())
    writers = torch.arange(B, device="cuda") % F
    found = [loss(student, teacher, **parameters) for loss, parameters in VARIANTS]
    for loss in (*found, losses.classification(student, writers)):
        assert loss.device.type == "cuda"


@pytest.mark.fidelity("Barlow Colleagues")
def test_colleagues_may_have_other_numbers_of_elements(responses):
    student, teacher = responses
    for one, other in ((student, teacher[:, :3]), (student[:, :3], teacher)):
        found = losses.barlow_colleagues(one, other, lambda_=0.01).item()
        assert found == pytest.approx(naive_colleagues(one, other, 0.01))


def test_twins_need_equal_lengths(responses):
    student, teacher = responses
    with pytest.raises(FkdError, match="equal length, not 5 with 3"):
        losses.barlow_twins(student, teacher[:, :3])


# ----------------------------------------------------------------------------- z-scores


@pytest.mark.fidelity("z-scores")
@pytest.mark.parametrize(
    ("offset", "dtype"), [(0, torch.float64), (1e4, torch.float32), (-1e6, torch.float64)]
)
def test_z_scores_under_large_offsets(responses, offset, dtype):
    features = (responses[0] + offset).to(dtype)
    # Doubles have room to subtract the mean as it is.
    expected = torch.tensor(naive_z(features.double() - offset), dtype=torch.float64).T
    torch.testing.assert_close(losses.standardize(features).double(), expected, rtol=0, atol=1e-5)


DEAD = {"student": ([1], []), "teacher": ([], [1, 2]), "both": ([1, 3], [1, 2])}


@devices
@pytest.mark.fidelity("z-scores")
@pytest.mark.parametrize("level", [0.0, 3.1])
@pytest.mark.parametrize("dead", DEAD.values(), ids=DEAD)
@pytest.mark.parametrize(("loss", "parameters"), VARIANTS)
def test_dead_elements_give_finite_loss_and_gradient(loss, parameters, dead, level, device):
    student, teacher = (f.to(device, torch.float32) for f in draw_responses())
    student[:, dead[0]], teacher[:, dead[1]] = level, level
    student.requires_grad_()
    found = loss(student, teacher, **parameters)
    found.backward()
    _, naive = ELEMENT[loss]
    expected = naive(student.detach().cpu().double(), teacher.cpu().double(), **parameters)
    assert found.item() == pytest.approx(expected, rel=1e-5)
    assert student.grad.isfinite().all()
    assert student.grad.abs().max() < 10 * max(1, expected)


@pytest.mark.fidelity("z-scores")
@pytest.mark.parametrize("level", [0.0, 0.1, 3.1, 1e4])
def test_a_dead_element_is_zero_and_has_no_gradient(responses, level):
    features = responses[0].float()
    features[:, 2] = level
    features.requires_grad_()
    z = losses.standardize(features)
    z.square().sum().backward()
    assert (z[:, 2] == 0).all() and (features.grad[:, 2] == 0).all()
    assert z[:, [0, 1, 3, 4]].abs().min() > 0


@pytest.mark.fidelity("z-scores")
@pytest.mark.parametrize(
    ("loss", "parameters"),
    [
        (losses.barlow_twins, {}),
        (losses.barlow_colleagues, {}),
        (losses.temperature_cross_entropy, {"standardized": True}),
    ],
)
def test_a_batch_of_one_has_no_z_scores(loss, parameters):
    with pytest.raises(FkdError, match="two images or more, not 1"):
        loss(torch.ones(1, F), torch.ones(1, F), **parameters)


@pytest.mark.parametrize(
    ("loss", "parameters"), [(losses.geometry, {}), (losses.temperature_cross_entropy, {})]
)
def test_other_losses_take_a_batch_of_one(loss, parameters):
    assert loss(torch.ones(1, F), torch.zeros(1, F), **parameters).isfinite()


# ---------------------------------------------------------------------------- total loss


class Drawn(torch.nn.Module):
    """A network whose maps and feature are given, with a classifier."""

    def __init__(self, maps, feature):
        super().__init__()
        self.maps, self.feature = maps, feature
        self.classifier = torch.nn.Linear(feature.shape[1], 3, bias=False)

    def describe(self, images):
        return self.maps, self.feature


@pytest.fixture
def drawn(responses):
    """A network, and a batch with the targets of a teacher on maps of 3 x 4."""
    student, teacher = (f.float() for f in responses)
    g = torch.Generator().manual_seed(1)
    maps = {name: torch.rand(B, 2, 3, 4, generator=g) for name in ("stage2", "stage3")}
    batch = {"image": None, "writer": torch.tensor([0, 1, 2, 0, 1, 2]), "feature": teacher}
    for name in ("conv2", "conv5"):
        mask = torch.rand(B, 12, 12, generator=g).triu(1) > 0.6
        batch[f"neighborhoods_{name}"] = mask | mask.mT
        batch[f"nac_{name}"] = torch.rand(B, 12, generator=g)
    return Drawn(maps, student), batch


VALUES = {
    "as published": ("resnet18_cl_geom_bc", True, {}, 1e-4, naive_colleagues),
    "the paper's half": ("resnet18_cl_geom_bc", False, {}, 1e-4, naive_colleagues),
    "lambda_": ("resnet18_cl_geom_bt", True, {"lambda_": 0.3}, 1e-4, naive_twins),
    "temperature": ("resnet18_cl_geom_tce", True, {"temperature": 4.0}, 1e-3, naive_temperature),
    "standardized": ("resnet18_cl_geom_tce", True, {"standardized": True}, 1e-3, naive_temperature),
    "scaled": ("resnet18_cl_geom_tce", True, {"scaled": True}, 1e-3, naive_temperature),
}


@pytest.mark.fidelity("connections")
@pytest.mark.fidelity("total loss")
@pytest.mark.parametrize(
    ("name", "half", "parameters", "weight", "naive"), VALUES.values(), ids=VALUES
)
def test_the_total_with_each_value_of_a_config(drawn, name, half, parameters, weight, naive):
    network, batch = drawn
    settings = asdict(PAPER[name])
    settings["response"]["parameters"] = parameters
    terms, logits = loss_terms(Student.from_settings(settings), network, batch, half=half)
    expected = naive_classification(logits, batch["writer"])
    expected += weight * naive(network.feature, batch["feature"], **parameters)
    for teacher_map, student_map, share in (("conv2", "stage2", 10), ("conv5", "stage3", 100)):
        near = batch[f"neighborhoods_{teacher_map}"]
        contrast = naive_contrast(network.maps[student_map], near)
        expected += share * naive_geometry(contrast, batch[f"nac_{teacher_map}"], half)
    assert terms["total"].item() == pytest.approx(expected, rel=1e-5)
