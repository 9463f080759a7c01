"""The benchmarks of training steps weigh a step by its operations, and compare like with like."""

import pytest
import torch
from benchmarks import steps, training
from benchmarks.training import BATCH
from torch import nn

from fkd import models
from fkd.preprocess import INPUT


def test_operations_are_those_of_the_layers():
    network, counted = models.build("signet", steps.WRITERS), []

    def count(layer, _, out):
        each = 2 * layer.weight[0].numel() * out[0].numel()  # a product and a sum
        # Backwards, each layer gives the slopes of its weights and, but for the first, of its input.
        counted.append(each * (3 if counted else 2))

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    network(torch.rand(2, 1, *INPUT))
    assert steps.operations("signet") == BATCH * sum(counted)


def test_a_plain_step_starts_where_ours_does(monkeypatch):
    monkeypatch.setattr(steps, "steps_of", lambda *_: steps_of_eight())
    plain = steps.Plain("signet", "float32")
    first, second = plain.step(), plain.step()
    assert first == second == pytest.approx(torch.tensor(steps.WRITERS).log().item(), rel=0.2)
    steps.near_start(first, second)
    with pytest.raises(AssertionError):
        steps.near_start(first, 2 * second)


def steps_of_eight():
    class Eight:
        batches = iter([{"image": torch.rand(8, 1, *INPUT), "writer": torch.arange(8)}])

    return Eight


def test_a_guided_student_is_trained_over_all_crops(monkeypatch, tmp_path):
    for name, value in {"ALL_CROPS": 40, "SHARD": 20, "BATCH": 4}.items():
        monkeypatch.setattr(training, name, value)
    taken = []
    monkeypatch.setattr(training.Steps, "step", lambda self: taken.append(next(self.batches)))
    training.write_all_crops(tmp_path)
    training.train_over_all(str(tmp_path))()
    needed = {f"nac_{name}" for name in training.PAPER["resnet18_cl_geom_bc"].guiding_maps}
    assert len(taken) == training.STEPS
    assert all(len(batch["image"]) == 4 and needed <= batch.keys() for batch in taken)
