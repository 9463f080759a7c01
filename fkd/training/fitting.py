"""The training loop of all networks, with checkpoints from which training resumes."""

import csv
import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from fkd.device import memory_kept
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
class Measure:
    """What is measured over an epoch besides the loss.

    Attributes
    ----------
    each : callable
        Takes the outputs of a batch, which :data:`LossTerms` returns, and the batch. Gives what is
        kept of it, (B, ...), one row for each item over which means are taken.
    whole : callable
        Takes what was kept of all batches of an epoch, and gives numbers by name.
    """

    each: Callable[[Tensor, Batch], Tensor]
    whole: Callable[[Tensor], dict[str, float]]


def recognized(logits: Tensor, batch: Batch) -> Tensor:
    """Tell of which images the writer is recognized.

    Parameters
    ----------
    logits : Tensor, (B, writers)
        The logits of each image.
    batch : Batch
        With ``writer`` (B,), the number of the true writer of each image.

    Returns
    -------
    Tensor, (B,), float32
        1 or 0 for each image.
    """
    return (logits.argmax(dim=1) == batch["writer"]).to(torch.float32)


RECOGNITION = Measure(recognized, lambda right: {"accuracy": float(right.mean())})
"""The share of the images whose writer is recognized, from 0 to 1."""


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
    network: Network,
    loss_terms: LossTerms,
    batches: Batches,
    recipe: Recipe,
    record: Record,
    measure: Measure = RECOGNITION,
    write: Callable[[Network, Path, dict[str, Any]], None] | None = None,
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
    measure : Measure
        What is measured over an epoch besides the loss.
    write : callable, optional
        Writes the network to a file with a description; by default, :func:`fkd.models.save`.

    Raises
    ------
    FkdError
        If the loss or a weight is not finite, or the best epoch is asked for without validation.
    """
    if recipe.keep != "last" and batches.validation is None:
        raise FkdError(
            f"{record.losses.parent.name}: keep: {recipe.keep} compares epochs by the validation "
            "part, which is empty. Raise validation_share, or keep the last epoch."
        )
    steps = min(batches.steps, recipe.steps or batches.steps)
    optimizer = recipe.optimizer(network)
    scheduler = recipe.scheduler(optimizer, steps)
    rows: list[dict] = []
    best = _Best(recipe.keep)
    first = _resume(record, network, optimizer, scheduler, rows, best)

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

    with recipe.computing(network), memory_kept():
        for epoch in range(first, recipe.epochs):
            if recipe.patience and best.epochs_since(rows) >= recipe.patience:
                _log.info("no better epoch in %d: training ends early", recipe.patience)
                break
            network.train()
            shown = islice(batches.training(epoch), steps)
            title = f"epoch {epoch + 1}"
            progress = tqdm(shown, title, steps, unit="batch", disable=None)
            row = _go_over(progress, terms, measure, step)
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
                    row = _go_over(batches.validation(), terms, measure)
                note({"epoch": epoch + 1, "subset": "validation"} | row)
            best.consider(rows, network)
            # After validation, so that a resumed training has all rows of the finished epochs.
            _save_checkpoint(record, epoch + 1, network, optimizer, scheduler, rows, best)
    best.restore(network)
    with writing(record.losses) as part, part.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, rows[0])
        table.writeheader()
        table.writerows(rows)
    network.eval()
    (write or save)(network, record.out, record.about)
    record.checkpoint.unlink(missing_ok=True)


class _Best:
    """The weights of the best epoch so far, where a recipe asks for these and not for the last."""

    def __init__(self, by: str) -> None:
        self._by = by
        self.weights: dict[str, Tensor] | None = None

    def _ranked(self, rows: list[dict]) -> list[float]:
        """Return a number for each finished epoch, higher for better ones."""
        validated = [row for row in rows if row["subset"] == "validation"]
        if self._by == "loss":
            return [-row["total"] for row in validated]
        return [row[self._by] for row in validated]

    def epochs_since(self, rows: list[dict]) -> int:
        """Count the finished epochs after the best one, the first of equal ones."""
        ranked = self._ranked(rows)
        return len(ranked) - 1 - ranked.index(max(ranked)) if ranked else 0

    def consider(self, rows: list[dict], network: Network) -> None:
        """Copy the weights of the last finished epoch, if it is the best."""
        if self._by != "last" and not self.epochs_since(rows):
            self.weights = {name: v.detach().clone() for name, v in network.state_dict().items()}

    def restore(self, network: Network) -> None:
        """Give the network the weights of the best epoch."""
        if self.weights is not None:
            network.load_state_dict(self.weights)


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
    measure: Measure,
    step: Callable[[Tensor], None] | None = None,
) -> dict[str, float]:
    """Compute the means of the terms over an epoch, with an optimizer step after each batch."""
    begin, count = time.perf_counter(), 0
    sums: dict[str, Tensor] = {}
    kept = []
    for batch in batches:
        terms, outputs = terms_of(batch)
        if step is not None:
            step(terms["total"])
        # All stays on the device, because reading a value would stall a GPU.
        kept.append(measure.each(outputs.detach(), batch))
        rows = len(kept[-1])
        count += rows
        for name, value in terms.items():
            sums[name] = sums.get(name, 0) + value.detach() * rows
    means = {name: float(value) / count for name, value in sums.items()}
    means |= measure.whole(torch.cat(kept))
    return {"images": count} | means | {"seconds": round(time.perf_counter() - begin, 2)}


def _save_checkpoint(
    record: Record,
    epoch: int,
    network: Network,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    rows: list[dict],
    best: _Best,
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
        "best": best.weights,
    }
    with writing(record.checkpoint) as part:
        torch.save(state, part)


def _resume(
    record: Record,
    network: Network,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    rows: list[dict],
    best: _Best,
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
    best.weights = state.get("best")
    _log.info("resuming after epoch %d from %s", state["epoch"], path)
    return state["epoch"]
