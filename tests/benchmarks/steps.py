"""Steps of training in each precision, beside plain PyTorch and the processor's own limit."""

from functools import cache, partial

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.timing import Benchmark
from benchmarks.training import BATCH, WRITERS, steps_of
from fkd import models
from fkd.preprocess import INPUT
from fkd.training.recipe import has_bfloat16

NETWORKS = {"resnet18": "ResNet-18", "signet": "SigNet"}

SIDE = 2048
"""Rows and columns of the matrices whose product shows what the processor can do."""

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Plain:
    """Steps as a tutorial of PyTorch writes them, on one batch that is in memory."""

    def __init__(self, architecture: str, precision: str) -> None:
        self.network = models.build(architecture, WRITERS).train()
        self.network.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(
            self.network.parameters(), lr=0.001, momentum=0.9, nesterov=True
        )
        self.autocast = partial(
            torch.autocast, "cpu", torch.bfloat16, enabled=precision == "bfloat16"
        )
        batch = next(steps_of(f"{architecture}_cl", precision).batches)
        self.images, self.writers = batch["image"], batch["writer"]
        self.first: Tensor | None = None

    def step(self) -> Tensor:
        """Take a step; give the loss before the first one."""
        with self.autocast():
            logits = self.network(self.images)
        loss = cross_entropy(logits.float(), self.writers)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.first = loss.detach() if self.first is None else self.first
        return self.first


@cache
def plain(architecture: str, precision: str) -> Plain:
    """The one plain network."""
    return Plain(architecture, precision)


def operations(architecture: str) -> int:
    """Count the floating-point operations of a step, on a batch of two."""
    network = models.build(architecture, WRITERS)
    with FlopCounterMode(display=False) as counter:
        network(torch.rand(2, 1, *INPUT)).sum().backward()
    return counter.get_total_flops() * BATCH // 2


def step(student: str, precision: str) -> Tensor:
    """Take a step of ours."""
    return steps_of(student, precision).step()


def plain_step(architecture: str, precision: str) -> Tensor:
    """Take a plain step."""
    return plain(architecture, precision).step()


@cache
def matrix(precision: str) -> Tensor:
    """A matrix to multiply."""
    return torch.rand(SIDE, SIDE).to(DTYPES[precision])


def product(precision: str) -> Tensor:
    """Multiply matrices."""
    return matrix(precision) @ matrix(precision)


def near_start(ours: Tensor, baseline: Tensor) -> None:
    """Hold both to the loss of a network that knows nothing yet: their batches differ."""
    torch.testing.assert_close(ours.float(), baseline.float(), rtol=0.2, atol=0.0)


def same_work(_: Tensor, product: Tensor) -> None:
    """Hold the product to its size, by which it is weighed."""
    assert product.shape == (SIDE, SIDE)


def benchmarks() -> list[Benchmark]:
    """Steps of both networks, in the precisions in which the processor multiplies."""
    entries = []
    for precision in ["float32"] + ["bfloat16"] * has_bfloat16(torch.device("cpu")):
        for architecture, label in NETWORKS.items():
            named, what = f"{architecture}_{precision}", f"{label} in {precision}, batch {BATCH}"
            steps = {
                words: partial(step, f"{architecture}_{kind}", precision)
                for kind, words in (("cl", "CL"), ("cl_geom_bc", "CL+GEOM+BC"))
            }
            for words, work in steps.items():
                entries.append(
                    Benchmark(
                        f"{'guided_' * (words != 'CL')}step_{named}",
                        f"a training step with {words} against a plain one with CL, {what}",
                        work,
                        partial(plain_step, architecture, precision),
                        near_start,
                    )
                )
            entries.append(
                Benchmark(
                    f"limit_{named}",
                    f"a training step with CL; the baseline is as many operations in products of "
                    f"{SIDE:,} x {SIDE:,} matrices, {what}",
                    steps["CL"],
                    partial(product, precision),
                    same_work,
                    times=operations(architecture) / (2 * SIDE**3),
                )
            )
    return entries
