"""The stage that trains Siamese networks, on pairs or on the triplets within a batch."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fkd import device as devices
from fkd import models
from fkd.errors import FkdError
from fkd.models.frozen_onnx import FrozenOnnx
from fkd.models.siamese import (
    Comparer,
    SiameseNetwork,
    as_seen,
    embed,
    save_siamese,
    seen_once,
)
from fkd.pairs.rates import Decisions
from fkd.pairs.stored import Pairs, read_pairs
from fkd.ranges import Count, Device, Positive, checked
from fkd.seeding import entropy, generator
from fkd.storage.manifest import sha256
from fkd.study.parts import (
    Networks,
    architecture_of,
    code_of_part,
    part_of_loss,
    part_of_network,
)
from fkd.study.siamese import PAIR_LOSSES, Siamese
from fkd.training.fitting import Batch, Batches, Measure, Record, fit, steps_of, whole_batches
from fkd.training.recipe import PairRecipe
from fkd.training.stages import code_of_stage
from fkd.verification.metrics import equal_error_threshold

GIGABYTE = 1e9

COMPARED = 2000
"""The largest number of training pairs on which the direction of a trained network is checked."""

_log = logging.getLogger(__name__)


@checked
def train_siamese(
    *,
    pairs: Path,
    out: Path,
    losses: Path,
    checkpoint: Path,
    siamese: Siamese,
    start: Path | None = None,
    networks: Networks = Networks(),
    recipe: PairRecipe = PairRecipe(),
    seed: int = 0,
    memory: Positive = 8.0,
    device: Device = "auto",
    threads: Count | None = None,
) -> None:
    """Train a Siamese network.

    Parameters
    ----------
    pairs : Path
        The shard of kind "pairs".
    out : Path
        The safetensors file of the weights to write: those of the embedding, and of the comparison
        if it is learned.
    losses : Path
        The CSV file to write, with the loss by epoch, and accuracy and F1 of the forged pairs. A
        learned comparison decides at even odds, and a distance at the threshold of equal errors of
        the very scores of the epoch.
    checkpoint : Path
        The checkpoint, see :func:`fkd.training.stages.train_student`.
    siamese : Siamese
        The network and its loss.
    start : Path, optional
        The file from which it starts, if :attr:`Siamese.initialize` names a model: weights of this
        study, an ONNX model or weights of timm.
    networks : Networks
        Width, features and initialization of the study's networks.
    recipe : PairRecipe
        Optimizer and schedule.
    seed : int
        The study's seed.
    memory : float
        The gigabytes of memory that training may use, half of which the images may take.
    device : {"auto", "cpu", "cuda"}
        The device on which the network is trained.
    threads : int, optional
        The number of CPU threads.

    Raises
    ------
    FkdError
        If the files do not fit each other, or there is too little to learn from.
    """
    where = devices.set_up(device, threads)
    recipe = recipe.on(where)
    listed = read_pairs(pairs)
    network, about_start = _network(siamese, start, networks, seed)
    input_size = architecture_of(network.embedding.architecture).input.size
    loss = PAIR_LOSSES[siamese.loss]
    size = len(listed.file) * int(np.prod(input_size))
    if size > memory * GIGABYTE / 2:
        raise FkdError(
            f"{pairs}: its images take {size / GIGABYTE:.1f} GB, more than half of memory = "
            f"{memory:g}. Raise memory, or list fewer pairs."
        )
    network = network.to(where, memory_format=torch.channels_last)
    images = seen_once(network, torch.from_numpy(listed.images(input_size)))
    number = np.unique(listed.writer, return_inverse=True)[1]
    writer, forgery = torch.from_numpy(number), torch.from_numpy(listed.forgery)
    training, validation = listed.rows("training"), listed.rows("validation")

    def batch_of(rows: np.ndarray, **given: Tensor) -> Batch:
        ends = np.concatenate([listed.first[rows], listed.second[rows]])
        batch = {name: values[ends] for name, values in (given or {"image": images}).items()}
        if "image" in batch:
            batch["image"] = as_seen(batch["image"])  # (2 B, ...): both go in one pass
        batch |= {"writer": writer[ends], "forgery": forgery[ends]}
        batch["forged"] = torch.from_numpy(listed.forged[rows])
        return {name: values.to(where) for name, values in batch.items()}

    def batches(epoch: int) -> Iterator[Batch]:
        # Dropout draws from PyTorch's own stream, which a resumed training must find as it was.
        torch.manual_seed(entropy(seed, "dropout", epoch) >> 1)
        order = _order(training, number[listed.first[training]], loss.run, seed, epoch)
        yield from map(batch_of, whole_batches(order, recipe.batch))

    def described(rows: np.ndarray) -> Iterator[Batch]:
        # An image is in many pairs, and the network describes it once.
        embedding = embed(network, images, np.union1d(listed.first[rows], listed.second[rows]))
        for part in np.array_split(rows, max(1, len(rows) // recipe.batch)):
            yield batch_of(part, embedding=embedding)

    def validation_batches() -> Iterator[Batch]:
        with recipe.autocast(network):
            yield from described(validation)

    about = {
        "siamese": siamese.told,
        "pairs": listed.about | {"content": listed.digest},
        "start": about_start,
        "recipe": asdict(recipe),
        "networks": asdict(networks),
        "seed": seed,
        "images": len(training),
    }
    parts = (
        part_of_network(network.embedding.architecture),
        part_of_loss(PAIR_LOSSES, siamese.loss),
    )
    record = Record(out, losses, checkpoint, about, {"code": code_of_stage(train_siamese, *parts)})
    fit(
        network,
        lambda net, batch: pair_terms(siamese, net, batch),
        Batches(
            batches,
            steps_of(len(training), recipe, "pairs for training"),
            validation_batches if len(validation) else None,
        ),
        recipe,
        record,
        Measure(
            lambda scores, batch: torch.stack([scores, batch["forged"].to(scores)], dim=1),
            lambda kept: _measured(kept, is_learned=loss.comparison == "learned"),
        ),
        save_siamese,
    )
    shown = generator(seed, "compared").permutation(training)[:COMPARED]
    with torch.no_grad():
        scores = [pair_terms(siamese, network, batch)[1].cpu() for batch in described(shown)]
    warn_of_direction(listed, shown, torch.cat(scores).numpy(), out.parent.name)


def _network(
    siamese: Siamese, start: Path | None, networks: Networks, seed: int
) -> tuple[SiameseNetwork, dict | None]:
    """Build the network, and say where it starts."""
    first, size = siamese.initialize, siamese.size(networks)
    if first is not None and start is None:
        raise FkdError(f"start: missing; the weights of {first.model}")
    if first is None:
        embedding, about = models.build(siamese.architecture, None, size, seed), None
    elif first.file:
        if first.onnx:
            embedding = FrozenOnnx.of(start, size.features, seed)
        else:
            embedding = models.build(siamese.architecture, None, size, seed)
            embedding.load_trunk(start, first.sha256)
            if first.frozen:
                embedding.freeze()
        about = {"file": first.model, "sha256": sha256(start)}
    else:
        embedding, _ = models.load(start)
        if siamese.architecture not in (None, embedding.architecture):
            raise FkdError(
                f"{start}: these weights are of {embedding.architecture}, not of "
                f"{siamese.architecture}."
            )
        about = {"model": first.model, "weights": models.checksum(embedding)}
    features = embedding.settings["features"]
    return SiameseNetwork(embedding, Comparer(siamese.comparison, features, seed)), about


def _order(rows: np.ndarray, writer: np.ndarray, run: int, seed: int, epoch: int) -> np.ndarray:
    """Shuffle pairs in runs of one writer each.

    Parameters
    ----------
    rows : ndarray of int, (n,)
        The pairs.
    writer : ndarray of int, (n,)
        The writer of each pair.
    run : int
        The length of a run.

    Returns
    -------
    ndarray of int, (n,)
        The pairs in their order.
    """
    stream = generator(seed, "order", epoch)
    order = stream.permutation(len(rows))
    if run == 1:
        return rows[order]
    order = order[np.argsort(writer[order], kind="stable")]
    begins = np.flatnonzero(np.diff(writer[order], prepend=-1))
    place = np.arange(len(order)) - np.repeat(begins, np.diff(begins, append=len(order)))
    cuts = np.flatnonzero(place % run == 0)
    runs = np.split(order, cuts[1:])
    return rows[np.concatenate([runs[at] for at in stream.permutation(len(runs))])]


def pair_terms(
    siamese: Siamese, network: SiameseNetwork, batch: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], Tensor]:
    """Compute the loss of a batch of pairs, and the scores of the pairs.

    Parameters
    ----------
    siamese : Siamese
        Names the loss.
    network : SiameseNetwork
        The network.
    batch : mapping of str to Tensor
        ``image`` (2 B, 1, H, W), the first images of all pairs before the second ones (or what
        :func:`fkd.models.siamese.seen_once` made of them), or in its
        place ``embedding`` (2 B, F), with ``writer`` and ``forgery`` (2 B,), and ``forged`` (B,).

    Returns
    -------
    terms : dict of str to Tensor, ()
        The loss, as ``total``.
    scores : Tensor, (B,), float32
        Scores, higher for genuine.
    """
    embedding = batch.get("embedding")  # (2 B, F)
    if embedding is None:
        embedding = network.describe(batch["image"])
    loss = PAIR_LOSSES[siamese.loss]
    # Losses are computed in float32 even if the network computes in lower precision.
    with torch.autocast(embedding.device.type, enabled=False):
        embedding = embedding.float()
        scores = network.comparer(*embedding.chunk(2))
        given = (-scores, batch["forged"])
        if loss.takes == "images":
            given = (embedding, batch["writer"], batch["forgery"])
        total = code_of_part(loss.function)(*given, **siamese.parameters)
    return {"total": total}, scores


def _measured(kept: Tensor, is_learned: bool) -> dict[str, float]:
    """Measure the decisions of an epoch, (n, 2) of scores and labels."""
    scores, forged = kept.cpu().numpy().astype(np.float64).T
    genuine, false = scores[forged == 0], scores[forged == 1]
    if not np.isfinite(scores).all() or not len(genuine) or not len(false):
        return {"accuracy": float("nan"), "f1": float("nan")}
    threshold = 0.0 if is_learned else equal_error_threshold(genuine, false)
    found = Decisions.at(threshold, genuine, false)
    return {"accuracy": found.accuracy, "f1": found.f1}


def warn_of_direction(listed: Pairs, rows: np.ndarray, scores: np.ndarray, name: str) -> bool:
    """Warn if genuine pairs lie farther apart than forged ones, by the names of their images.

    Parameters
    ----------
    listed : Pairs
        The list.
    rows : ndarray of int, (m,)
        Some of its pairs.
    scores : ndarray of float, (m,)
        Their scores, higher for genuine.
    name : str
        The network's name, for the message.

    Returns
    -------
    bool
        Whether there was a warning. Labels the wrong way round are the usual reason.
    """
    first, second = listed.first[rows], listed.second[rows]
    forged = listed.forgery[first] | listed.forgery[second]
    forged |= listed.writer[first] != listed.writer[second]
    if forged.all() or not forged.any() or scores[~forged].mean() >= scores[forged].mean():
        return False
    _log.warning(
        "%s: genuine pairs of %s lie farther apart than pairs with a forgery (mean scores %.3g and "
        "%.3g). The labels may be the wrong way round: see pairs.NAME.forged",
        name,
        listed.about["pairs"],
        scores[~forged].mean(),
        scores[forged].mean(),
    )
    return True
