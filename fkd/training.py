"""Training of students and of the teacher, by one loop."""

import csv
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from fkd import device as devices
from fkd import models, shards
from fkd.atomic import writing
from fkd.cache import as_input, digest
from fkd.errors import FkdError
from fkd.graph import neighborhoods
from fkd.models import Network, Networks
from fkd.preprocess import INPUT, center_crop
from fkd.seeding import generator
from fkd.students import Student, accuracy, student_of

Batch = Mapping[str, Tensor]
"""``image`` (B, 1, 150, 220) float32 in [0, 1], ``writer`` (B,) int64, and targets."""

_log = logging.getLogger(__name__)


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
        Of the gradient.
    nesterov : bool
        Nesterov's momentum (the paper), or the plain one (the published code).
    weight_decay : float
        Added to the gradient, times the weight.
    """

    epochs: int = 60
    batch: int = 64
    learning_rate: float = 0.01
    schedule: str = "steps"
    milestones: tuple[int, ...] = (20, 40)
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 0.0

    def optimizer(self, network: Network) -> torch.optim.Optimizer:
        """Make the optimizer of a network's parameters."""
        return torch.optim.SGD(
            network.parameters(),
            lr=self.learning_rate,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
        )

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


@dataclass(frozen=True)
class TextImages:
    """The crops that a student sees, with what the teacher said of them.

    Attributes
    ----------
    images : Tensor, (n, 150, 220), uint8
    writer : Tensor, (n,), int64
    validation : ndarray, (n,), bool
        Which images are for validation.
    writers : list of str
        The classes.
    targets : dict of str to Tensor
        ``feature`` (n, F), ``nac_MAP`` (n, N), ``tree_MAP`` (n, N - 1, 2).
    radius : int
        Of the neighborhoods.
    sources : dict of str to str
        Digests of the crops and of the teacher.
    """

    images: Tensor
    writer: Tensor
    validation: np.ndarray
    writers: list[str]
    targets: dict[str, Tensor]
    radius: int
    sources: dict[str, str]

    @classmethod
    def read(
        cls, crops: list[Path], responses: list[Path], geometry: list[Path], maps: list[str]
    ) -> "TextImages":
        """Read shards of crops, and of the teacher's targets in the same order.

        Parameters
        ----------
        crops : list of Path
            Shards of kind "crops".
        responses, geometry : list of Path
            The targets for each of `crops`, or none.
        maps : list of str
            Which maps' geometry to read.

        Raises
        ------
        FkdError
            Where targets belong to other crops, to different teachers, or lack a map.
        """
        own = [shards.read(path, "crops", ["image", "writer", "validation"]) for path in crops]
        images = [np.ascontiguousarray(center_crop(shard["image"])) for shard in own]
        digests = [digest(image) for image in images]
        targets: dict[str, list[np.ndarray]] = {}
        teachers, radii = set(), set()
        for kind, paths, names in (
            ("responses", responses, ["feature"]),
            ("geometry", geometry, [f"{what}_{m}" for m in maps for what in ("nac", "tree")]),
        ):
            for path, expected in zip(paths, digests if paths else [], strict=True):
                shard = shards.read(path, kind, names)
                if shard.attributes["crops"] != expected:
                    raise FkdError(f"{path}: made for other crops. Remove it and run again.")
                teachers.add(shard.attributes["teacher"])
                radii.add(shard.attributes.get("radius", 0))
                for name, values in shard.arrays.items():
                    targets.setdefault(name, []).append(values)
        if len(teachers) > 1:
            raise FkdError(f"{geometry or responses}: shards of several teachers. Remove them.")
        return cls(
            images=torch.from_numpy(np.concatenate(images)),
            writer=torch.from_numpy(np.concatenate([s["writer"] for s in own])).long(),
            validation=np.concatenate([s["validation"] for s in own]).astype(bool),
            writers=own[0].attributes["writers"],
            targets={k: torch.from_numpy(np.concatenate(v)) for k, v in targets.items()},
            radius=max(radii, default=0),
            sources={"crops": "".join(digests), "teacher": "".join(teachers)},
        )

    def batch(self, rows: np.ndarray, where: torch.device) -> Batch:
        """Give the images of `rows` and their targets, masks made from the trees."""
        rows = torch.from_numpy(rows)
        batch = {"image": as_input(self.images[rows]), "writer": self.writer[rows]}
        for name, values in self.targets.items():
            if name.startswith("tree_"):
                masks = neighborhoods(values[rows].numpy(), self.radius)
                batch[name.replace("tree_", "mask_")] = torch.from_numpy(masks)
            else:
                batch[name] = values[rows]
        return {name: values.to(where) for name, values in batch.items()}


def train_student(
    *,
    crops: list[Path],
    out: Path,
    losses: Path,
    checkpoint: Path,
    student: str | dict,
    connections: dict[str, str] | None = None,
    responses: list[Path] | None = None,
    geometry: list[Path] | None = None,
    networks: Networks = Networks(),
    half: bool = True,
    recipe: Recipe = Recipe(),
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
) -> None:
    """Train a student on text images under the guidance of the teacher.

    Students of one architecture start from the same weights and see the same
    batches, so that they differ by their loss alone.

    Parameters
    ----------
    crops : list of Path
        Shards of kind "crops".
    out : Path
        The weights, as safetensors.
    losses : Path
        CSV: every term of the loss, for training and validation, by epoch.
    checkpoint : Path
        Written after each epoch; training resumes from it where it was made by
        the same settings and data, and removes it at the end.
    student : str or dict
        A student of the paper by name, such as ``resnet18_cl_geom_bc``, or one of
        your own as :meth:`fkd.students.Student.from_dict` reads it.
    connections : dict of str to str, optional
        The student's map for each map of the teacher that guides it; by default
        those of :data:`fkd.models.CONNECTIONS`.
    responses : list of Path, optional
        Shards of kind "responses" for each of `crops`, where the loss needs them.
    geometry : list of Path, optional
        Shards of kind "geometry" for each of `crops`, where the loss needs them.
    networks : Networks
        Width, features and initialization.
    half : bool
        See :func:`fkd.losses.geometry`.
    recipe : Recipe
        Optimizer and schedule.
    seed : int
        The study's seed.
    device : {"auto", "cpu", "cuda"}
        Where to train.
    threads : int, optional
        CPU threads.
    """
    spec = student_of(student)
    where = devices.pick(device, threads)
    data = TextImages.read(crops, responses or [], geometry or [], spec.maps)
    training, validation = np.flatnonzero(~data.validation), np.flatnonzero(data.validation)
    about = {
        "student": spec.to_dict(),
        "connections": connections,
        "half": half,
        "radius": data.radius,
        "recipe": asdict(recipe),
        "networks": asdict(networks),
        "seed": seed,
        "images": len(training),
        **data.sources,
    }
    network = models.build(spec.architecture, len(data.writers), networks, seed)

    def batches(epoch: int) -> Iterator[Batch]:
        order = generator(seed, "order", epoch).permutation(training)
        yield from (data.batch(rows, where) for rows in _whole_batches(order, recipe.batch))

    def validation_batches() -> Iterator[Batch]:
        # Even parts, so that none is too small for a correlation.
        for rows in np.array_split(validation, -(-len(validation) // recipe.batch)):
            yield data.batch(rows, where)

    _fit(
        network.to(where, memory_format=torch.channels_last),
        lambda net, batch: spec.loss_terms(net, batch, connections, half),
        batches,
        validation_batches if len(validation) > 1 else None,
        _steps(len(training), recipe, "text crops for training"),
        recipe,
        checkpoint,
        losses,
        about,
    )
    models.save(network, out, about)
    checkpoint.unlink(missing_ok=True)


def train_teacher(
    *,
    signatures: list[Path],
    out: Path,
    losses: Path,
    checkpoint: Path,
    networks: Networks = Networks(),
    recipe: Recipe = Recipe(),
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
) -> None:
    """Train SigNet to tell the development writers' genuine signatures apart.

    Each image is seen through a random window of 150 x 220 pixels.

    Parameters
    ----------
    signatures : list of Path
        Shards of kind "signatures"; their writers are the classes.
    out : Path
        The weights, as safetensors.
    losses : Path
        CSV: the loss and the accuracy by epoch.
    checkpoint : Path
        See :func:`train_student`.
    networks : Networks
        Width, features and initialization.
    recipe : Recipe
        Optimizer and schedule.
    seed : int
        The study's seed.
    device : {"auto", "cpu", "cuda"}
        Where to train.
    threads : int, optional
        CPU threads.
    """
    where = devices.pick(device, threads)
    images, names = [], []
    for path in signatures:
        shard = shards.read(path, "signatures", ["image", "writer", "forgery"])
        genuine = ~shard["forgery"].astype(bool)
        images.append(shard["image"][genuine])
        names += [f"{shard.attributes['set']}/{writer}" for writer in shard["writer"][genuine]]
    images = np.concatenate(images)
    writers, writer = np.unique(names, return_inverse=True)
    about = {
        "signatures": digest(images),
        "recipe": asdict(recipe),
        "networks": asdict(networks),
        "seed": seed,
        "images": len(images),
    }
    network = models.build("signet", len(writers), networks, seed)
    room = np.subtract(images.shape[1:], INPUT) + 1

    def batches(epoch: int) -> Iterator[Batch]:
        draw = generator(seed, "teacher", epoch)
        order = draw.permutation(len(images))
        corners = draw.integers(room, size=(len(images), 2))
        for rows in _whole_batches(order, recipe.batch):
            windows = [
                images[row, top : top + INPUT[0], left : left + INPUT[1]]
                for row, (top, left) in zip(rows, corners[rows], strict=True)
            ]
            batch = {"image": as_input(np.stack(windows)), "writer": torch.from_numpy(writer[rows])}
            yield {name: values.to(where) for name, values in batch.items()}

    def terms(net: Network, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        return Student("signet", classification=1.0).loss_terms(net, batch)

    steps = _steps(len(images), recipe, "genuine signatures of development writers")
    network = network.to(where, memory_format=torch.channels_last)
    _fit(network, terms, batches, None, steps, recipe, checkpoint, losses, about)
    models.save(network, out, about)
    checkpoint.unlink(missing_ok=True)


def import_teacher(*, weights: Path, out: Path) -> None:
    """Import the published weights of SigNet as the teacher.

    Parameters
    ----------
    weights : Path
        ``signet.pth``; no code in it is ever run.
    out : Path
        The weights, as safetensors.
    """
    models.save(models.read_public_weights(weights), out, {"imported": Path(weights).name})


def random_student(
    *,
    out: Path,
    architecture: str,
    networks: Networks = Networks(),
    seed: int = 0,
) -> None:
    """Write a network with the random weights from which students start.

    Parameters
    ----------
    out : Path
        The weights, as safetensors.
    architecture : {"resnet18", "signet"}
        Which network.
    networks : Networks
        Width, features and initialization.
    seed : int
        The study's seed.
    """
    network = models.build(architecture, None, networks, seed)
    models.save(network, out, {"networks": asdict(networks), "seed": seed})


def _steps(images: int, recipe: Recipe, what: str) -> int:
    if images < recipe.batch:
        raise FkdError(f"{images} {what} do not fill one batch of {recipe.batch}")
    return images // recipe.batch


def _whole_batches(order: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(order) - size + 1, size):
        yield order[start : start + size]


def _fit(
    network: Network,
    loss_terms: Callable[[Network, Batch], tuple[dict[str, Tensor], Tensor]],
    batches: Callable[[int], Iterator[Batch]],
    validation_batches: Callable[[], Iterator[Batch]] | None,
    steps: int,
    recipe: Recipe,
    checkpoint: Path,
    losses: Path,
    about: dict,
) -> None:
    """Run the epochs that are not done yet; `about` must name all that shapes the result."""
    optimizer = recipe.optimizer(network)
    scheduler = recipe.scheduler(optimizer, steps)
    rows: list[dict] = []
    first = _resume(checkpoint, about, network, optimizer, scheduler, rows)
    for epoch in range(first, recipe.epochs):
        begin = time.perf_counter()
        network.train()
        sums = _Means()
        progress = tqdm(batches(epoch), f"epoch {epoch + 1}", steps, unit="batch", disable=None)
        for batch in progress:
            terms, logits = loss_terms(network, batch)
            if not torch.isfinite(terms["total"]):
                raise FkdError(
                    f"{losses.parent.name}: the loss is not finite in epoch {epoch + 1}: "
                    + ", ".join(f"{name} {value.item():g}" for name, value in terms.items())
                    + ". Lower training.learning_rate or the weight of the term at fault."
                )
            optimizer.zero_grad(set_to_none=True)
            terms["total"].backward()
            optimizer.step()
            scheduler.step()
            sums.add(terms, logits, batch)
        rows.append(sums.row(epoch, "training", time.perf_counter() - begin))
        if validation_batches is not None:
            begin = time.perf_counter()
            network.eval()
            sums = _Means()
            with torch.no_grad():
                for batch in validation_batches():
                    sums.add(*loss_terms(network, batch), batch)
            rows.append(sums.row(epoch, "validation", time.perf_counter() - begin))
        _log.info("epoch %d: %s", epoch + 1, json.dumps(rows[-1]))
        _save_checkpoint(checkpoint, about, epoch + 1, network, optimizer, scheduler, rows)
    with writing(losses) as part, part.open("w", newline="") as stream:
        table = csv.DictWriter(stream, rows[0])
        table.writeheader()
        table.writerows(rows)
    network.eval()


class _Means:
    """Means of the loss terms over the images of an epoch."""

    def __init__(self) -> None:
        self.images = 0
        self.sums: dict[str, Tensor] = {}

    def add(self, terms: dict[str, Tensor], logits: Tensor, batch: Batch) -> None:
        count = len(batch["writer"])
        self.images += count
        for name, value in (*terms.items(), ("accuracy", accuracy(logits, batch["writer"]))):
            # Summed where it was computed: asking for its value would stall a GPU.
            self.sums[name] = self.sums.get(name, 0) + value.detach() * count

    def row(self, epoch: int, subset: str, seconds: float) -> dict:
        means = {name: float(value) / self.images for name, value in self.sums.items()}
        place = {"epoch": epoch + 1, "subset": subset, "images": self.images}
        return place | means | {"seconds": round(seconds, 2)}


def _save_checkpoint(
    path: Path,
    about: dict,
    epoch: int,
    network: Network,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    rows: list[dict],
) -> None:
    state = {
        "about": json.dumps(about, sort_keys=True),
        "epoch": epoch,
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": {k: v for k, v in scheduler.state_dict().items() if not callable(v)},
        "log": json.dumps(rows),
    }
    with writing(path) as part:
        torch.save(state, part)


def _resume(
    path: Path,
    about: dict,
    network: Network,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    rows: list[dict],
) -> int:
    """Load the checkpoint where it fits, and say how many epochs are done."""
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    if state["about"] != json.dumps(about, sort_keys=True):
        _log.info("%s was made by other settings or data: training starts anew", path)
        return 0
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    rows += json.loads(state["log"])
    _log.info("resuming after epoch %d from %s", state["epoch"], path)
    return state["epoch"]
