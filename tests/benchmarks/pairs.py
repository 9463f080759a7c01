"""The cost of pairs: a step on pairs beside a step of the same network on single images."""

from functools import cache

import torch
from torch import Tensor

from benchmarks.timing import Benchmark
from fkd import models
from fkd.losses import classification
from fkd.models.siamese import Comparer, SiameseNetwork
from fkd.preprocess import INPUT
from fkd.study.siamese import Siamese
from fkd.training.recipe import Recipe
from fkd.training.siamese import pair_terms

BATCH = 32
WRITERS = 50
SPEC = Siamese("drawn", "contrastive", "resnet18")


@cache
def images() -> Tensor:
    """Random images, the first ones of all pairs before the second ones."""
    return torch.rand(2 * BATCH, 1, *INPUT, generator=torch.Generator().manual_seed(0))


class Single:
    """A network that learns to tell writers apart, image by image."""

    def __init__(self) -> None:
        self.network = models.build("resnet18", WRITERS, seed=1)
        self.optimizer = Recipe().optimizer(self.network)
        with torch.no_grad():
            self.start = self.network.eval().describe(images()[:BATCH])[1]
        self.network.train()

    def step(self) -> Tensor:
        """Take a step, and give what the network said of the images before its first one."""
        logits = self.network(images()[:BATCH])
        loss = classification(logits, torch.arange(BATCH) % WRITERS)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return self.start


class Paired:
    """The same network, learning from pairs whose images go through in one pass."""

    def __init__(self) -> None:
        embedding = models.build("resnet18", None, seed=1)
        features = embedding.settings["features"]
        self.network = SiameseNetwork(embedding, Comparer(SPEC.comparison, features))
        self.optimizer = Recipe().optimizer(self.network)
        writer = torch.arange(BATCH).repeat(2)
        self.batch = {"image": images(), "writer": writer, "forgery": writer < 0}
        self.batch["forged"] = torch.arange(BATCH) % 2 == 0
        with torch.no_grad():
            self.start = self.network.eval().describe(images())[:BATCH]
        self.network.train()

    def step(self) -> Tensor:
        """Take a step, and give what the network said of the images before its first one."""
        terms, _ = pair_terms(SPEC, self.network, self.batch)
        self.optimizer.zero_grad()
        terms["total"].backward()
        self.optimizer.step()
        return self.start


@cache
def single() -> Single:
    """The one network of single images."""
    return Single()


@cache
def paired() -> Paired:
    """The one network of pairs."""
    return Paired()


def same_start(ours: Tensor, baseline: Tensor) -> None:
    """Both networks start alike: an image is described alike, alone or as part of a pair."""
    torch.testing.assert_close(ours, baseline, rtol=1e-4, atol=1e-4)


def benchmarks() -> list[Benchmark]:
    """A step on pairs."""
    return [
        Benchmark(
            "pair_step",
            f"a step on {BATCH} pairs against one of the same network on {BATCH} images, ResNet-18",
            lambda: paired().step(),
            lambda: single().step(),
            same_start,
            runs=9,
            overhead=True,
        )
    ]
