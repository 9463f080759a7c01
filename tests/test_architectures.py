"""The networks, layer by layer, against the published graphs written out by hand."""

import math

import pytest
import torch
from torch.nn import functional as F

from fkd import models
from fkd.models.dey_signet import ResponseNorm
from fkd.study.parts import ARCHITECTURES, Networks

SMALL = Networks(width=0.1, features=12)


class Layers:
    """Layers by their definitions, with a network's weights and none of its modules."""

    def __init__(self, network):
        self.state = {name: value.clone() for name, value in network.state_dict().items()}
        self.training = network.training

    def norm(self, x, name):
        """Batch norm: eps 1e-5, running statistics with momentum 0.1; then, often, ReLU."""
        over, shape = [0, *range(2, x.ndim)], [1, -1, 1, 1][: x.ndim]
        mean, variance = (self.state[f"{name}.running_{s}"] for s in ("mean", "var"))
        if self.training:
            found = x.mean(over), x.var(over, unbiased=False)
            spread = x.var(over, unbiased=True)
            self.state[f"{name}.running_mean"] = 0.9 * mean + 0.1 * found[0]
            self.state[f"{name}.running_var"] = 0.9 * variance + 0.1 * spread
            self.state[f"{name}.num_batches_tracked"] += 1
            mean, variance = found
        x = (x - mean.view(shape)) / (variance.view(shape) + 1e-5).sqrt()
        weight, bias = (self.state[f"{name}.{part}"].view(shape) for part in ("weight", "bias"))
        return weight * x + bias

    def conv(self, x, name, stride=1, padding=0):
        return F.conv2d(x, self.state[f"{name}.weight"], stride=stride, padding=padding)

    def fc(self, x, name, norm):
        return F.relu(self.norm(x @ self.state[f"{name}.weight"].T, norm))


def in_order(x):
    """Flatten in channel, row, column order, one value after the other."""
    _, channels, rows, columns = x.shape
    values = [x[:, c, i, j] for c in range(channels) for i in range(rows) for j in range(columns)]
    return torch.stack(values, dim=1)


def signet(layers, x):
    def conv(x, number, **options):
        name = f"conv_layers.conv{number}"
        return F.relu(layers.norm(layers.conv(x, f"{name}.conv", **options), f"{name}.bn"))

    maps = {}
    x = maps["conv1"] = conv(x, 1, stride=4)
    x = F.max_pool2d(x, 3, 2)
    x = maps["conv2"] = conv(x, 2, padding=2)
    x = F.max_pool2d(x, 3, 2)
    x = maps["conv3"] = conv(x, 3, padding=1)
    x = maps["conv4"] = conv(x, 4, padding=1)
    x = maps["conv5"] = conv(x, 5, padding=1)
    x = in_order(F.max_pool2d(x, 3, 2))
    for number in (1, 2):
        x = layers.fc(x, f"fc_layers.fc{number}.fc", f"fc_layers.fc{number}.bn")
    return maps, x


def resnet18(layers, x):
    def block(x, name, halve):
        stride, padding = (2, 0) if halve else (1, 1)
        y = layers.conv(x, f"{name}.conv1", stride, padding)
        y = F.relu(layers.norm(y, f"{name}.bn1"))
        y = layers.norm(layers.conv(y, f"{name}.conv2", padding=1), f"{name}.bn2")
        if halve:
            x = layers.norm(layers.conv(x, f"{name}.shortcut.0", stride=2), f"{name}.shortcut.1")
            x = F.max_pool2d(x, 2, 1)
        return F.relu(x + y)

    maps = {}
    x = F.max_pool2d(F.relu(layers.norm(layers.conv(x, "conv", stride=2), "bn")), 3, 2)
    for stage in range(4):
        x = maps[f"stage{stage + 1}_block1"] = block(x, f"stages.{stage}.0", halve=stage > 0)
        x = maps[f"stage{stage + 1}"] = block(x, f"stages.{stage}.1", halve=False)
    return maps, layers.fc(in_order(x), "fc", "fc_bn")


NETWORKS = [
    pytest.param("signet", signet, marks=pytest.mark.fidelity("SigNet")),
    pytest.param("resnet18", resnet18, marks=pytest.mark.fidelity("ResNet-18")),
]


@pytest.mark.fidelity("batch norm")
@pytest.mark.fidelity("flatten order")
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("name", "by_hand"), NETWORKS)
def test_equals_the_graph_by_hand(name, by_hand, training, layout):
    g = torch.Generator().manual_seed(0)
    network = models.build(name, 3, SMALL).double()
    for part, value in network.state_dict().items():
        if value.ndim == 1:  # all of batch norm's
            value.copy_(torch.rand(value.shape, generator=g) + 0.5 * ("weight" in part))
    images = torch.rand(3, 1, 150, 220, generator=g).double()
    network.train(training)
    layers = Layers(network)
    network = network.to(memory_format=layout)
    with torch.no_grad():
        expected, response = by_hand(layers, images)
        maps, feature = network.describe(images.to(memory_format=layout))
    assert set(maps) == set(network.map_sizes)
    for part, found in maps.items():
        torch.testing.assert_close(found.contiguous(), expected[part], rtol=1e-9, atol=1e-9)
        assert found.min() == 0 < found.max()  # after ReLU
    torch.testing.assert_close(feature, response, rtol=1e-9, atol=1e-9)
    assert feature.min() == 0 < feature.max()
    for part, value in network.state_dict().items():
        torch.testing.assert_close(value.contiguous(), layers.state[part], rtol=1e-9, atol=1e-9)


@pytest.mark.fidelity("initialization")
@pytest.mark.parametrize("rule", ["code", "xavier"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_layer_starts_as_published(name, rule):
    network = models.build(name, 310, Networks(width=0.5, features=512, initialization=rule))
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            weight, convolution = module.weight, isinstance(module, torch.nn.Conv2d)
            fan_in, fan_out = weight[0].numel(), weight[:, 0].numel()
            he = rule == "code" and ARCHITECTURES[name].initialization[not convolution] == "he"
            sd = math.sqrt(2 / (fan_in if he else fan_in + fan_out))
            assert weight.std().item() == pytest.approx(sd, rel=5 / math.sqrt(weight.numel()))
            # Normal draws go further than even ones of the same deviation.
            assert (weight.abs().max() > 1.001 * math.sqrt(3) * sd) == he
        elif hasattr(module, "running_var"):
            assert (module.weight == 1).all() and (module.bias == 0).all()
            assert (module.running_mean == 0).all() and (module.running_var == 1).all()


@pytest.mark.parametrize("channels", [1, 3, 12])
def test_response_norm_is_that_of_torch(channels):
    ours, theirs = ResponseNorm(), torch.nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0)
    values = 30 * torch.randn(2, channels, 4, 5, dtype=torch.float64)
    found, expected = (values.clone().requires_grad_() for _ in range(2))
    weight = torch.randn_like(values)
    for norm, x in ((ours, found), (theirs, expected)):
        (weight * norm(x)).sum().backward()
    assert torch.allclose(ours(found), theirs(expected), rtol=1e-12)
    assert torch.allclose(found.grad, expected.grad, rtol=1e-12)
