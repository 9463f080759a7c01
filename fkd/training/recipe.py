"""The recipe by which a network is trained: optimizer, schedule and precision."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch

from fkd.errors import FkdError
from fkd.models import Network
from fkd.ranges import Count, CountFromTwo, NotNegative, Positive, ShareBelowAll, check_fields


@dataclass(frozen=True)
class Recipe:
    """A recipe for training by stochastic gradient descent with momentum.

    The defaults are the published values for students.

    Attributes
    ----------
    epochs : int
        The number of passes over the training set. The weights after the last epoch are used.
    batch : int
        The number of images per step. Images that do not fill a batch at the end of an epoch are
        not used.
    learning_rate : float
        The learning rate at the start, or at its peak if the schedule is ``one_cycle``.
    schedule : {"steps", "one_cycle"}
        How the learning rate changes. With ``steps``, it is divided by 10 after each milestone.
        With ``one_cycle``, it is raised and lowered once over the whole training, which suits
        short trainings.
    milestones : list of int
        The epochs after which ``steps`` divides the learning rate.
    momentum : float
        The momentum of the gradient.
    nesterov : bool
        Whether to use Nesterov's momentum, as in the paper, or plain momentum, as in the
        published code.
    weight_decay : float
        The factor by which weights are multiplied before they are added to their gradient.
    precision : {"float32", "tf32", "bfloat16", "auto"}
        The precision in which the network computes. ``tf32`` is for GPUs and applies to all
        matrix products. ``bfloat16`` leaves weights and losses in float32. ``auto`` is
        ``bfloat16`` where the processor or the GPU multiplies in it, and ``float32`` elsewhere.
    compile : bool
        Whether PyTorch compiles the network. This takes a minute, and is worthwhile on a GPU.

    Raises
    ------
    FkdError
        If a value is out of its range.
    """

    epochs: Count = 60
    batch: CountFromTwo = 64
    learning_rate: Positive = 0.01
    schedule: Literal["steps", "one_cycle"] = "steps"
    milestones: tuple[Count, ...] = (20, 40)
    momentum: ShareBelowAll = 0.9
    nesterov: bool = True
    weight_decay: NotNegative = 0.0
    precision: Literal["float32", "tf32", "bfloat16", "auto"] = "float32"
    compile: bool = False

    # The last epoch's weights are the model, and epochs are whole; see PairRecipe for others.
    keep: ClassVar[str] = "last"
    patience: ClassVar[int | None] = None
    steps: ClassVar[int | None] = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.nesterov and not self.momentum:
            raise FkdError("nesterov: Nesterov's momentum needs momentum above 0")

    def on(self, device: torch.device) -> "Recipe":
        """Choose the precision for a device, if it is ``auto``; all else stays as it is."""
        if self.precision != "auto":
            return self
        return replace(self, precision="bfloat16" if has_bfloat16(device) else "float32")

    def optimizer(self, network: Network) -> torch.optim.Optimizer:
        """Make the optimizer for a network's parameters."""
        return torch.optim.SGD(
            [values for values in network.parameters() if values.requires_grad],
            lr=self.learning_rate,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
        )

    @contextmanager
    def computing(self, network: Network) -> Iterator[None]:
        """Apply the recipe's precision and compilation until the block ends.

        Parameters
        ----------
        network : Network
            The network, whose ``describe`` is compiled if :attr:`compile` is set.
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
            # Removes the compiled function, so that the method of the class applies again.
            network.__dict__.pop("describe", None)

    def autocast(self, network: Network) -> torch.autocast:
        """Make a context in which suitable operations use bfloat16, if the recipe says so."""
        where = next(network.parameters()).device.type
        return torch.autocast(where, torch.bfloat16, enabled=self.precision == "bfloat16")

    def scheduler(
        self, optimizer: torch.optim.Optimizer, steps: int
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """Make the schedule of the learning rate, which takes one step per batch.

        Parameters
        ----------
        optimizer : torch.optim.Optimizer
            The optimizer, made by :meth:`optimizer`.
        steps : int
            The number of batches per epoch.
        """
        if self.schedule == "one_cycle":
            return torch.optim.lr_scheduler.OneCycleLR(
                optimizer, self.learning_rate, self.epochs * steps, cycle_momentum=False
            )
        return torch.optim.lr_scheduler.MultiStepLR(
            optimizer, [epoch * steps for epoch in self.milestones], gamma=0.1
        )


@dataclass(frozen=True)
class PairRecipe(Recipe):
    """A recipe for training on pairs, with what the write-ups of Siamese networks use besides.

    Attributes
    ----------
    optimizer_name : {"adam", "adamw", "sgd"}
        Adam with an L2 penalty, Adam with decoupled weight decay (as Keras decays weights), or
        stochastic gradient descent.
    schedule : {"steps", "one_cycle", "exponential"}
        As for :class:`Recipe`. With ``exponential``, the learning rate is halved every `half_life`
        steps, continuously.
    half_life : int
        The number of steps in which ``exponential`` halves the learning rate.
    steps : int, optional
        The largest number of steps per epoch; by default, an epoch goes over all pairs.
    keep : {"last", "accuracy", "loss"}
        Which epoch's weights are the model: the last one's, or those with the best validation
        accuracy or loss. Of equal ones, the first counts.
    patience : int, optional
        The number of epochs without a better one after which training ends early; needs `keep`.

    Raises
    ------
    FkdError
        If a value is out of its range.
    """

    batch: CountFromTwo = 32
    epochs: Count = 20
    learning_rate: Positive = 0.001
    schedule: Literal["steps", "one_cycle", "exponential"] = "steps"
    optimizer_name: Literal["adam", "adamw", "sgd"] = "adam"
    half_life: Count = 500
    steps: Count | None = None
    keep: Literal["last", "accuracy", "loss"] = "last"
    patience: Count | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.patience and self.keep == "last":
            raise FkdError("patience: needs keep, which says by what epochs are compared")

    def optimizer(self, network: Network) -> torch.optim.Optimizer:
        """Make the optimizer for a network's parameters, but for those that are frozen."""
        if self.optimizer_name == "sgd":
            return super().optimizer(network)
        make = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[self.optimizer_name]
        trained = [values for values in network.parameters() if values.requires_grad]
        return make(trained, lr=self.learning_rate, weight_decay=self.weight_decay)

    def scheduler(
        self, optimizer: torch.optim.Optimizer, steps: int
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """Make the schedule of the learning rate, as :meth:`Recipe.scheduler` does."""
        if self.schedule == "exponential":
            return torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5 ** (1 / self.half_life))
        return super().scheduler(optimizer, steps)


def has_bfloat16(device: torch.device) -> bool:
    """Tell whether a device multiplies in bfloat16, which is then twice as fast or more."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))
