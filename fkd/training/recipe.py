"""How a network is trained: optimizer, schedule, precision."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from fkd.models import Network


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: stochastic gradient descent with momentum.

    The defaults are the published ones of the students.

    Attributes
    ----------
    epochs : int
        Passes over the training set; the last epoch's weights are the model.
    batch : int
        Images a step; what is left over at the end of an epoch is not used.
    learning_rate : float
        At the start, or at its peak where the schedule is ``one_cycle``.
    schedule : {"steps", "one_cycle"}
        Divide the rate by 10 after each milestone, or raise and lower it once
        over the whole run, which suits short runs.
    milestones : list of int
        Epochs after which ``steps`` divides the rate.
    momentum : float
        Momentum of the gradient.
    nesterov : bool
        Nesterov's momentum (the paper), or the plain one (the published code).
    weight_decay : float
        Added to the gradient, times the weight.
    precision : {"float32", "tf32", "bfloat16"}
        In which the network computes. ``tf32`` is for GPUs, and touches all matrix
        products; ``bfloat16`` leaves weights and losses in float32.
    compile : bool
        Whether PyTorch compiles the network, which takes a minute and pays on a GPU.
    """

    epochs: int = 60
    batch: int = 64
    learning_rate: float = 0.01
    schedule: str = "steps"
    milestones: tuple[int, ...] = (20, 40)
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 0.0
    precision: str = "float32"
    compile: bool = False

    def optimizer(self, network: Network) -> torch.optim.Optimizer:
        """Make the optimizer of a network's parameters."""
        return torch.optim.SGD(
            network.parameters(),
            lr=self.learning_rate,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
        )

    @contextmanager
    def computing(self, network: Network) -> Iterator[None]:
        """Let PyTorch compute a network as the recipe says, until the block ends.

        Parameters
        ----------
        network : Network
            Its ``describe`` is compiled where that is asked for.
        """
        backends = (torch.backends.cudnn, torch.backends.cuda.matmul)
        before = [backend.allow_tf32 for backend in backends]
        try:
            for backend in backends:
                backend.allow_tf32 = self.precision == "tf32"
            if self.compile:
                network.describe = torch.compile(network.describe)
            yield
        finally:
            for backend, allowed in zip(backends, before, strict=True):
                backend.allow_tf32 = allowed
            network.__dict__.pop("describe", None)

    def autocast(self, network: Network) -> torch.autocast:
        """Compute in bfloat16, where the recipe says so, what can be, until the block ends."""
        where = next(network.parameters()).device.type
        return torch.autocast(where, torch.bfloat16, enabled=self.precision == "bfloat16")

    def scheduler(
        self, optimizer: torch.optim.Optimizer, steps: int
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """Make the schedule of the learning rate, stepped once a batch.

        Parameters
        ----------
        optimizer : torch.optim.Optimizer
            From :meth:`optimizer`.
        steps : int
            Batches an epoch.
        """
        if self.schedule == "one_cycle":
            return torch.optim.lr_scheduler.OneCycleLR(
                optimizer, self.learning_rate, self.epochs * steps, cycle_momentum=False
            )
        return torch.optim.lr_scheduler.MultiStepLR(
            optimizer, [epoch * steps for epoch in self.milestones], gamma=0.1
        )
