"""Fitting a network: the one loop, and checkpoints to resume from."""

import csv
import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
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
"""``image`` (B, 1, 150, 220) float32 in [0, 1], ``writer`` (B,) int64, and targets."""

LossTerms = Callable[[Network, Batch], tuple[dict[str, Tensor], Tensor]]
"""Gives the terms of a batch's loss, ``total`` among them, and the logits."""


@dataclass(frozen=True)
class Batches:
    """What a network is shown.

    Attributes
    ----------
    training : callable
        Gives the batches of an epoch, counted from 0; the same ones at each call.
    steps : int
        Batches an epoch.
    validation : callable, optional
        Gives the batches of the validation set.
    """

    training: Callable[[int], Iterator[Batch]]
    steps: int
    validation: Callable[[], Iterator[Batch]] | None = None


@dataclass(frozen=True)
class Record:
    """What is kept of a training.

    Attributes
    ----------
    out : Path
        The weights, as safetensors.
    losses : Path
        CSV: the mean of each term, and the accuracy, by epoch and subset.
    checkpoint : Path
        Written after each epoch, and removed once the weights are written.
    about : dict
        Everything that shapes the result, kept with the weights; a checkpoint with
        another is not resumed.
    """

    out: Path
    losses: Path
    checkpoint: Path
    about: dict[str, Any]


_log = logging.getLogger(__name__)


def steps_of(images: int, recipe: Recipe, what: str) -> int:
    """Count the whole batches that fill an epoch.

    Parameters
    ----------
    images : int
        In the training set.
    recipe : Recipe
        Says how many are a batch.
    what : str
        What the images are, for the message.

    Raises
    ------
    FkdError
        Where there is not even one.
    """
    if images < recipe.batch:
        raise FkdError(f"{images} {what} do not fill one batch of {recipe.batch}")
    return images // recipe.batch


def whole_batches(order: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Part an order of rows into batches; what is left over is not used."""
    for start in range(0, len(order) - size + 1, size):
        yield order[start : start + size]


def fit(
    network: Network, loss_terms: LossTerms, batches: Batches, recipe: Recipe, record: Record
) -> None:
    """Train a network, from its checkpoint on where that fits, and write its weights.

    Parameters
    ----------
    network : Network
        Changed in place; in evaluation mode afterwards.
    loss_terms : callable
        See :data:`LossTerms`.
    batches : Batches
        What the network is shown.
    recipe : Recipe
        Optimizer and schedule.
    record : Record
        What is kept.

    Raises
    ------
    FkdError
        Where the loss is not finite.
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
            if not math.isfinite(row["total"]):
                raise FkdError(
                    f"{record.losses.parent.name}: the loss is not finite in epoch {epoch + 1}: "
                    + ", ".join(
                        f"{n} {v:g}" for n, v in row.items() if n not in ("images", "seconds")
                    )
                    + ". Lower training.learning_rate or the weight of the term at fault."
                )
            if batches.validation is not None:
                network.eval()
                with torch.no_grad():
                    row = _go_over(batches.validation(), terms)
                note({"epoch": epoch + 1, "subset": "validation"} | row)
            _save_checkpoint(record, epoch + 1, network, optimizer, scheduler, rows)
    with writing(record.losses) as part, part.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, rows[0])
        table.writeheader()
        table.writerows(rows)
    network.eval()
    save(network, record.out, record.about)
    record.checkpoint.unlink(missing_ok=True)


def _go_over(
    batches: Iterable[Batch],
    terms_of: Callable[[Batch], tuple[dict[str, Tensor], Tensor]],
    step: Callable[[Tensor], None] | None = None,
) -> dict[str, float]:
    """Go over batches, with a step after each, and give the means of the terms over the images."""
    begin, images = time.perf_counter(), 0
    sums: dict[str, Tensor] = {}
    for batch in batches:
        terms, logits = terms_of(batch)
        if step is not None:
            step(terms["total"])
        count = len(batch["writer"])
        images += count
        for name, value in (*terms.items(), ("accuracy", accuracy(logits, batch["writer"]))):
            # Summed where it was computed: asking for its value would stall a GPU.
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
    state = {
        "about": json.dumps(record.about, sort_keys=True),
        "epoch": epoch,
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
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
    """Load the checkpoint where it fits, and say how many epochs are done."""
    path = record.checkpoint
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling a damaged file fails in any way
        _log.info("%s cannot be read (%s): training starts anew", path, error)
        return 0
    if state["about"] != json.dumps(record.about, sort_keys=True):
        _log.info("%s was made by other settings or data: training starts anew", path)
        return 0
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    rows += json.loads(state["log"])
    _log.info("resuming after epoch %d from %s", state["epoch"], path)
    return state["epoch"]


def accuracy(logits: Tensor, writers: Tensor) -> Tensor:
    """Share of the images whose writer is recognized.

    Parameters
    ----------
    logits : Tensor, (B, writers)
    writers : Tensor, (B,)

    Returns
    -------
    Tensor, ()
    """
    return (logits.argmax(dim=1) == writers).to(torch.float32).mean()
