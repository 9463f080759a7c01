"""The training loop of all networks, with checkpoints from which training resumes."""

import csv
import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from fkd.errors import FkdError
from fkd.graph import Neighborhoods
from fkd.models import Network, save
from fkd.storage.atomic import writing
from fkd.training.recipe import Recipe

Batch = Mapping[str, Tensor | Neighborhoods]
"""``image`` (B, 1, 150, 220) float32 in [0, 1], ``writer`` (B,) int64, and the targets."""

LossTerms = Callable[[Network, Batch], tuple[dict[str, Tensor], Tensor]]
"""A function that returns the terms of a batch's loss, including ``total``, and the logits."""


@dataclass(frozen=True)
class Batches:
    """The batches on which a network is trained and validated.

    Attributes
    ----------
    training : callable
        A function that returns the batches of an epoch, whose number counts from 0. Each call
        with the same number returns the same batches.
    steps : int
        The number of batches per epoch.
    validation : callable, optional
        A function that returns the batches of the validation set.
    """

    training: Callable[[int], Iterator[Batch]]
    steps: int
    validation: Callable[[], Iterator[Batch]] | None = None


@dataclass(frozen=True)
class Record:
    """The files that a training writes.

    Attributes
    ----------
    out : Path
        The safetensors file of the weights.
    losses : Path
        The CSV file with the mean of each term and the accuracy, by epoch and subset.
    checkpoint : Path
        The checkpoint. It is written after each epoch, and removed once the weights are written.
    about : dict
        The settings and data that determine the result, stored with the weights.
    origin : dict of str to str
        Digests of what else determines the result: the code and the teacher's targets. Training
        only resumes from a checkpoint if `about` and `origin` are the same.
    """

    out: Path
    losses: Path
    checkpoint: Path
    about: dict[str, Any]
    origin: dict[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> dict[str, str]:
        """What a checkpoint must agree on, as texts."""
        parts = {"about": self.about, "origin": self.origin}
        return {name: json.dumps(part, sort_keys=True) for name, part in parts.items()}


_log = logging.getLogger(__name__)


def steps_of(images: int, recipe: Recipe, what: str) -> int:
    """Count the whole batches that fill an epoch.

    Parameters
    ----------
    images : int
        The number of images in the training set.
    recipe : Recipe
        The recipe, which has the batch size.
    what : str
        A plural noun for the images, used in the message.

    Raises
    ------
    FkdError
        If there are too few images for one batch.
    """
    if images < recipe.batch:
        raise FkdError(
            f"{images} {what} do not fill one batch of {recipe.batch}. Use smaller batches or more "
            "data."
        )
    return images // recipe.batch


def whole_batches(order: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Divide a sequence of rows into batches. Remaining rows at the end are not used."""
    for start in range(0, len(order) - size + 1, size):
        yield order[start : start + size]


def fit(
    network: Network, loss_terms: LossTerms, batches: Batches, recipe: Recipe, record: Record
) -> None:
    """Train a network and write its weights.

    Training resumes from the checkpoint if there is one of the same settings, data and code.

    Parameters
    ----------
    network : Network
        The network, which is changed in place and is in evaluation mode afterwards.
    loss_terms : callable
        See :data:`LossTerms`.
    batches : Batches
        The batches for training and validation.
    recipe : Recipe
        Optimizer and schedule.
    record : Record
        The files to write.

    Raises
    ------
    FkdError
        If the loss or a weight is not finite.
    """
    optimizer = recipe.optimizer(network)
    scheduler = recipe.scheduler(optimizer, batches.steps)
    rows: list[dict] = []
    first = _resume(record, network, optimizer, scheduler, rows)

    def note(row: dict) -> None:
        rows.append(row)
        _log.info("%s", ", ".join(f"{name} {value}" for name, value in row.items()))

    def terms(batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        with recipe.autocast(network):
            return loss_terms(network, batch)

    def step(total: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()
        scheduler.step()

    with recipe.computing(network):
        for epoch in range(first, recipe.epochs):
            network.train()
            shown = batches.training(epoch)
            title = f"epoch {epoch + 1}"
            progress = tqdm(shown, title, batches.steps, unit="batch", disable=None)
            row = _go_over(progress, terms, step)
            note({"epoch": epoch + 1, "subset": "training"} | row)
            # Checked once per epoch, because reading a loss at each step would stall a GPU.
            if not math.isfinite(row["total"]):
                raise FkdError(
                    f"{record.losses.parent.name}: the loss is not finite in epoch {epoch + 1}: "
                    + ", ".join(
                        f"{n} {v:g}" for n, v in row.items() if n not in ("images", "seconds")
                    )
                    + ". Lower training.learning_rate or the weight of the term at fault."
                )
            # The loss of the last batch does not show what the step after it did.
            _refuse_broken_weights(network, f"{record.losses.parent.name}, epoch {epoch + 1}")
            if batches.validation is not None:
                network.eval()
                with torch.no_grad():
                    row = _go_over(batches.validation(), terms)
                note({"epoch": epoch + 1, "subset": "validation"} | row)
            # After validation, so that a resumed training has all rows of the finished epochs.
            _save_checkpoint(record, epoch + 1, network, optimizer, scheduler, rows)
    with writing(record.losses) as part, part.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, rows[0])
        table.writeheader()
        table.writerows(rows)
    network.eval()
    save(network, record.out, record.about)
    record.checkpoint.unlink(missing_ok=True)


def _refuse_broken_weights(network: Network, where: str) -> None:
    """Raise an error if a weight is not finite."""
    broken = [n for n, v in network.state_dict().items() if not torch.isfinite(v).all()]
    if broken:
        raise FkdError(
            f"{where}: after the last step, {len(broken)} of the network's arrays are not finite, "
            f"the first is {broken[0]}. Lower training.learning_rate."
        )


def _go_over(
    batches: Iterable[Batch],
    terms_of: Callable[[Batch], tuple[dict[str, Tensor], Tensor]],
    step: Callable[[Tensor], None] | None = None,
) -> dict[str, float]:
    """Compute the means of the terms over all images, with an optimizer step after each batch."""
    begin, images = time.perf_counter(), 0
    sums: dict[str, Tensor] = {}
    for batch in batches:
        terms, logits = terms_of(batch)
        if step is not None:
            step(terms["total"])
        count = len(batch["writer"])
        images += count
        for name, value in (*terms.items(), ("accuracy", accuracy(logits, batch["writer"]))):
            # The sum stays on the device, because reading the value would stall a GPU.
            sums[name] = sums.get(name, 0) + value.detach() * count
    means = {name: float(value) / images for name, value in sums.items()}
    return {"images": images} | means | {"seconds": round(time.perf_counter() - begin, 2)}


def _save_checkpoint(
    record: Record,
    epoch: int,
    network: Network,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    rows: list[dict],
) -> None:
    """Write everything that is needed to resume training after an epoch."""
    state = {
        **record.identity,
        "epoch": epoch,
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        # Some schedulers keep functions in their state, which cannot be loaded as weights only.
        "scheduler": {k: v for k, v in scheduler.state_dict().items() if not callable(v)},
        "log": json.dumps(rows),
    }
    with writing(record.checkpoint) as part:
        torch.save(state, part)


def _resume(
    record: Record,
    network: Network,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    rows: list[dict],
) -> int:
    """Load the checkpoint if it fits, and return the number of finished epochs."""
    path = record.checkpoint
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling a damaged file can raise any error
        _log.info("%s cannot be read (%s): training starts anew", path, error)
        return 0
    if any(state.get(name) != part for name, part in record.identity.items()):
        _log.info("%s was made by other settings, data or code: training starts anew", path)
        return 0
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    rows += json.loads(state["log"])
    _log.info("resuming after epoch %d from %s", state["epoch"], path)
    return state["epoch"]


def accuracy(logits: Tensor, writers: Tensor) -> Tensor:
    """Compute the share of the images whose writer is recognized.

    Parameters
    ----------
    logits : Tensor, (B, writers)
        The logits of each image.
    writers : Tensor, (B,)
        The number of the true writer of each image.

    Returns
    -------
    Tensor, ()
        The share, from 0 to 1.
    """
    return (logits.argmax(dim=1) == writers).to(torch.float32).mean()
