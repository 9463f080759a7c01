"""The stages that train students, and the teacher unless its weights are imported."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import fkd
from fkd import device as devices
from fkd import models
from fkd.errors import FkdError
from fkd.models import Network, as_input
from fkd.plugins import loaded_plugins
from fkd.preprocess import INPUT
from fkd.ranges import Count, Device, Positive, checked
from fkd.seeding import generator
from fkd.study.code import Library
from fkd.study.parts import Networks, Reached, part_of_network
from fkd.study.students import Student, parts_of_student, student_of
from fkd.training.development import DevelopmentSignatures, Forgeries
from fkd.training.fitting import Batch, Batches, Record, fit, steps_of, whole_batches
from fkd.training.recipe import Recipe
from fkd.training.students import loss_terms
from fkd.training.text_crops import TextCrops


@checked
def train_student(
    *,
    crops: list[Path],
    out: Path,
    losses: Path,
    checkpoint: Path,
    student: Student | str,
    connections: dict[str, str] | None = None,
    responses: list[Path] | None = None,
    geometry: list[Path] | None = None,
    teacher: Path | None = None,
    networks: Networks = Networks(),
    half: bool = True,
    recipe: Recipe = Recipe(),
    seed: int = 0,
    memory: Positive = 8.0,
    device: Device = "auto",
    threads: Count | None = None,
) -> None:
    """Train a student on text crops, guided by the teacher.

    Students of one architecture start from the same weights and see the same batches, so that
    only their losses differ.

    Parameters
    ----------
    crops : list of Path
        The shards of kind "crops".
    out : Path
        The safetensors file of the weights to write.
    losses : Path
        The CSV file to write, with every term of the loss for training and validation by epoch.
    checkpoint : Path
        The checkpoint, which is written after each epoch and removed at the end. Training
        resumes from it if it was made with the same settings, data and code.
    student : Student or str
        The student's network and the weight of each term of its loss, or the name of a student
        of the paper, such as ``resnet18_cl_geom_bc``.
    connections : dict of str to str, optional
        The student's feature map for each of the teacher's maps that guide it; by default, those
        of the student's :class:`fkd.study.parts.Architecture`.
    responses : list of Path, optional
        One shard of kind "responses" for each of `crops`, if the loss needs them.
    geometry : list of Path, optional
        One shard of kind "geometry" for each of `crops`, if the loss needs them.
    teacher : Path, optional
        The teacher's weights, if the loss compares maps that the teacher computes for each batch.
    networks : Networks
        Width, features and initialization.
    half : bool
        Whether the geometric loss is halved, see :func:`fkd.losses.geometry`.
    recipe : Recipe
        Optimizer and schedule.
    seed : int
        The study's seed.
    memory : float
        The gigabytes of memory that training may use. Crops and targets are kept in up to half of
        it, or in half of the free memory of a GPU. If they do not fit, each batch is read from
        the shards, with the same result.
    device : {"auto", "cpu", "cuda"}
        The device on which the student is trained.
    threads : int, optional
        The number of CPU threads.
    """
    student = student_of(student)
    for kind, needed, given in (
        ("responses", student.guided_by_response, responses),
        ("geometry", bool(student.guiding_maps), geometry),
        ("teacher", student.guided_by_maps, teacher),
    ):
        if needed and not given:
            what = "maps" if kind == "teacher" else kind
            raise FkdError(f"this student's loss needs the teacher's {what}: give --{kind}")
    where = devices.set_up(device, threads)
    recipe = recipe.on(where)
    with TextCrops.open(crops, responses or [], geometry or [], student.guiding_maps) as data:
        training, validation = np.flatnonzero(~data.validation), np.flatnonzero(data.validation)
        about = {
            "student": asdict(student),
            "connections": connections,
            "half": half,
            "radius": data.radius,
            "recipe": asdict(recipe),
            "networks": asdict(networks),
            "seed": seed,
            "images": len(training),
            **data.sources,
        }
        guide = _Guide(teacher, student, where) if student.guided_by_maps else None
        if guide:
            about["teacher"] = guide.checked_against(about["teacher"])
        parts = parts_of_student(student)
        parts += [part_of_network(guide.architecture)] if guide else []
        origin = {"code": code_of_stage(train_student, *parts), "targets": data.targets}
        data.hold(where, memory)
        network = models.build(student.architecture, len(data.writers), networks, seed)

        def batches(epoch: int) -> Iterator[Batch]:
            order = generator(seed, "order", epoch).permutation(training)
            return guided(data.batches(whole_batches(order, recipe.batch), where))

        def validation_batches() -> Iterator[Batch]:
            # Parts of equal size, each at least one batch, so that none is too small for the
            # correlations in the response losses.
            parts = np.array_split(validation, max(1, len(validation) // recipe.batch))
            return guided(data.batches(parts, where))

        def guided(batches: Iterator[Batch]) -> Iterator[Batch]:
            return map(guide.with_maps, batches) if guide else batches

        fit(
            network.to(where, memory_format=torch.channels_last),
            lambda net, batch: loss_terms(student, net, batch, connections, half),
            Batches(
                batches,
                steps_of(len(training), recipe, "text crops for training"),
                validation_batches if len(validation) > 1 else None,
            ),
            recipe,
            Record(out, losses, checkpoint, about, origin),
        )


@checked
def train_teacher(
    *,
    signatures: list[Path],
    out: Path,
    losses: Path,
    checkpoint: Path,
    architecture: str = "signet",
    forgeries: Forgeries = "ignored",
    networks: Networks = Networks(),
    recipe: Recipe = Recipe(),
    seed: int = 0,
    device: Device = "auto",
    threads: Count | None = None,
) -> None:
    """Train a teacher to recognize the writers of signatures.

    In each epoch, the network sees a random window of 150 x 220 pixels of each image.

    Parameters
    ----------
    signatures : list of Path
        The shards of kind "signatures" of the development sets. Their writers are the classes.
        Several shards of one set are its editions, of which each epoch sees the next.
    out : Path
        The safetensors file of the weights to write.
    losses : Path
        The CSV file to write, with the loss and the accuracy by epoch.
    checkpoint : Path
        The checkpoint, see :func:`train_student`.
    architecture : str
        A key of :data:`fkd.study.parts.ARCHITECTURES`; by default SigNet, as published.
    forgeries : {"ignored", "classes", "output"}
        What is learned from skilled forgeries, see :data:`fkd.training.development.Forgeries`.
    networks : Networks
        Width, features and initialization.
    recipe : Recipe
        Optimizer and schedule.
    seed : int
        The study's seed.
    device : {"auto", "cpu", "cuda"}
        The device on which the teacher is trained.
    threads : int, optional
        The number of CPU threads.
    """
    where = devices.set_up(device, threads)
    recipe = recipe.on(where)
    data = DevelopmentSignatures(signatures, forgeries)
    about = {
        "architecture": architecture,
        "sets": data.sets,
        "signatures": data.digest,
        "editions": data.editions,
        "forgeries": forgeries,
        "recipe": asdict(recipe),
        "networks": asdict(networks),
        "seed": seed,
        "images": len(data),
    }
    network = models.build(architecture, data.classes, networks, seed)

    def batches(epoch: int) -> Iterator[Batch]:
        lesson = data.epoch(epoch)
        draw = generator(seed, "teacher", epoch)
        order = draw.permutation(len(data))
        # The number of positions of a window, by rows and columns.
        room = np.subtract(lesson.image.shape[1:], INPUT) + 1
        corners = draw.integers(room, size=(len(data), 2))
        for rows in whole_batches(order, recipe.batch):
            windows = [
                lesson.image[row, top : top + INPUT[0], left : left + INPUT[1]]
                for row, (top, left) in zip(rows, corners[rows], strict=True)
            ]
            batch = {
                "image": as_input(np.stack(windows)),
                "writer": torch.from_numpy(lesson.label[rows]),
                "forgery": torch.from_numpy(lesson.forgery[rows]),
            }
            yield {name: values.to(where) for name, values in batch.items()}

    def terms(net: Network, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        logits = net.classifier(net.describe(batch["image"])[1])
        return data.loss(logits.float(), batch["writer"], batch["forgery"])

    steps = steps_of(len(data), recipe, "signatures of development writers")
    network = network.to(where, memory_format=torch.channels_last)
    origin = {"code": code_of_stage(train_teacher, part_of_network(architecture))}
    record = Record(out, losses, checkpoint, about, origin)
    fit(network, terms, Batches(batches, steps), recipe, record)


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
        The safetensors file of the weights to write.
    architecture : str
        A key of :data:`fkd.study.parts.ARCHITECTURES`.
    networks : Networks
        Width, features and initialization.
    seed : int
        The study's seed.
    """
    network = models.build(architecture, None, networks, seed)
    models.save(network, out, {"networks": asdict(networks), "seed": seed})


class _Guide:
    """The teacher as it guides by its maps, which it computes for each batch.

    The maps of all crops would fill a disk, where responses and contrasts fill a folder.
    """

    def __init__(self, weights: Path, student: Student, where: torch.device) -> None:
        network, _ = models.load(weights)
        self._weights, self._checksum = weights, models.checksum(network)
        self.architecture = network.architecture
        self._network = network.to(where, memory_format=torch.channels_last)
        self._maps = student.compared_maps

    def checked_against(self, targets: str) -> str:
        """Refuse targets of another teacher. Without targets, the teacher's digest is given."""
        if targets not in ("", self._checksum):
            raise FkdError(f"{self._weights}: responses and geometry are those of another teacher")
        return self._checksum

    @torch.no_grad()
    def with_maps(self, batch: Batch) -> Batch:
        """Add the maps of the teacher to a batch, ``map_MAP`` (B, D, H, W) each."""
        maps, _ = self._network.describe(batch["image"])
        return batch | {f"map_{name}": maps[name].float() for name in self._maps}


def code_of_stage(stage: Callable[..., None], *parts: Reached) -> str:
    """Compute the digest of a stage's code, and of what its settings name.

    Parameters
    ----------
    stage : callable
        The function of the stage.
    *parts : Reached
        The networks and losses that its settings name.

    Returns
    -------
    str
        The digest.
    """
    library = Library(Path(fkd.__file__).parent, loaded_plugins())
    places = [f"{stage.__module__}.{stage.__name__}", *(part.place for part in parts)]
    return library.digest(parts=places, entries=[part.entry for part in parts if part.entry])
