"""The cost of guidance: asking the teacher, steps of a guided student, memory."""

import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.timing import Benchmark, Memory
from fkd import models
from fkd.graph import MAPS, rooted_trees
from fkd.models import SigNet, as_input
from fkd.preprocess import SIZE, center_crop
from fkd.storage import shards
from fkd.study.parts import ARCHITECTURES
from fkd.study.students import PAPER
from fkd.training.recipe import Recipe
from fkd.training.students import loss_terms
from fkd.training.targets import cache_geometry, cache_responses
from fkd.training.text_crops import TextCrops

BATCH = 64
CROPS = 1024
"""Crops of the shard about which the teacher is asked."""

ALL_CROPS, SHARD = 85_000, 5_000
WRITERS = 310
"""Of CVL, training and validation."""

LIMIT = 4.0
"""Gigabytes that training over all crops may take."""

STEPS = 4


def draw_crops(count: int) -> np.ndarray:
    """Draw images as sparse as text crops: a few strokes each, (count, 170, 242) uint8."""
    draw = np.random.default_rng(0)
    images = np.zeros((count, *SIZE), np.uint8)
    for image in images:
        for _ in range(12):
            top, left = draw.integers(50, 110), draw.integers(30, 200)
            down, right = draw.integers(2, 30), draw.integers(2, 12)
            ink = draw.integers(60, 140, (down, right))
            image[top : top + down, left : left + right] = ink
    return images


def write_crops(path: Path, images: np.ndarray) -> None:
    """Write a shard of kind crops, one in four for validation."""
    count = len(images)
    shards.write(
        path,
        "crops",
        {
            "image": images,
            "writer": (np.arange(count) % WRITERS).astype(str),
            "validation": np.arange(count) % 4 == 3,
            "line": np.zeros(count, np.int32),
        },
        {"writers": [str(writer) for writer in range(WRITERS)]},
    )


@cache
def folder() -> Path:
    """A folder for shards; it goes when the process ends."""
    kept = tempfile.TemporaryDirectory()
    folder.kept = kept
    return Path(kept.name)


@cache
def teacher() -> Path:
    """A teacher of the published size with random weights."""
    path = folder() / "teacher.safetensors"
    models.save(models.build("signet"), path)
    return path


@cache
def crops() -> Path:
    """A shard of crops."""
    path = folder() / "crops.h5"
    write_crops(path, draw_crops(CROPS))
    return path


def geometry(device: str = "cpu") -> Path:
    """Run the stage of the geometry on the shard, and say where it lies."""
    out = folder() / "geometry.h5"
    cache_geometry(crops=crops(), teacher=teacher(), out=out, batch=BATCH, device=device)
    return out


@cache
def responses() -> Path:
    """The teacher's responses to the shard."""
    out = folder() / "responses.h5"
    cache_responses(crops=crops(), teacher=teacher(), out=out, batch=BATCH, device="cpu")
    return out


def forward() -> Tensor:
    """Run the teacher alone on the same crops, which are in memory."""
    network, inputs = _in_memory()
    with torch.inference_mode():
        return torch.cat([network(batch) for batch in inputs])


@cache
def _in_memory() -> tuple[SigNet, list[Tensor]]:
    network, _ = models.load(teacher())
    images = center_crop(shards.read(crops(), "crops", ["image"])["image"])
    inputs = as_input(np.ascontiguousarray(images)).split(BATCH)
    return network.to(memory_format=torch.channels_last), list(inputs)


def same_teacher(ours: Path, baseline: Tensor) -> None:
    """Hold both to one teacher: the geometry is its own, and so are the responses."""
    of_responses = shards.read(responses(), "responses")
    assert shards.read(ours, "geometry").attributes["teacher"] == of_responses.attributes["teacher"]
    found = torch.from_numpy(of_responses["feature"])
    torch.testing.assert_close(found, baseline, rtol=1e-3, atol=1e-4)


class Steps:
    """Training steps of a student, one at a call."""

    def __init__(
        self, name: str, data: TextCrops, device: str = "cpu", recipe: Recipe = Recipe()
    ) -> None:
        self.student, self.device, self.recipe = PAPER[name], torch.device(device), recipe
        network = models.build(self.student.architecture, WRITERS)
        self.network = network.to(self.device, memory_format=torch.channels_last).train()
        self.optimizer = recipe.optimizer(self.network)
        rows = np.random.default_rng(0).permutation(len(data.writer))
        self.batches = data.batches(np.array_split(rows, len(rows) // BATCH), self.device)

    def step(self) -> Tensor:
        """Take a batch and one step; give the classification loss."""
        with self.recipe.autocast(self.network):
            terms, _ = loss_terms(self.student, self.network, next(self.batches))
        self.optimizer.zero_grad(set_to_none=True)
        terms["total"].backward()
        self.optimizer.step()
        return terms["classification"].detach()


@cache
def steps_of(name: str, precision: str = "float32") -> Steps:
    """Steps over the shard, held in memory, with the targets that the student needs."""
    student, ahead = PAPER[name], 1 + BATCH * 20 // CROPS  # the shard again, for all steps
    data = TextCrops.open(
        [crops()] * ahead,
        [responses()] * ahead * student.guided_by_response,
        [geometry()] * ahead * bool(student.guiding_maps),
        student.guiding_maps,
    )
    data.hold(torch.device("cpu"), memory=8.0)
    return Steps(name, data, recipe=Recipe(precision=precision))


def same_start(ours: Tensor, baseline: Tensor) -> None:
    """Hold both to the same first loss: one network, one batch."""
    torch.testing.assert_close(ours, baseline)


def write_all_crops(place: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Write shards of 85,000 crops and their targets, the same few over and over."""
    images, count = draw_crops(min(500, SHARD)), SHARD
    draw = torch.Generator().manual_seed(0)
    sizes = {name: np.prod(ARCHITECTURES["signet"].map_sizes[name]) for name in MAPS}
    one = {
        name: rooted_trees(torch.rand(1, size, 4, generator=draw)).numpy()
        for name, size in sizes.items()
    }
    many = np.resize(images, (count, *SIZE))
    paths: tuple[list[Path], list[Path], list[Path]] = ([], [], [])
    for shard in range(ALL_CROPS // count):
        files = [place / f"{kind}{shard}.h5" for kind in ("crops", "responses", "geometry")]
        write_crops(files[0], many)
        origin = {"crops": shards.digest(many), "teacher": "none"}
        feature = np.resize(np.linspace(0, 1, 2048, dtype=np.float32), (count, 2048))
        shards.write(files[1], "responses", {"feature": feature}, origin)
        arrays = {f"tree_{name}": np.repeat(tree, count, axis=0) for name, tree in one.items()}
        for name, size in sizes.items():
            arrays[f"nac_{name}"] = np.full((count, size), 0.1, np.float32)
        shards.write(files[2], "geometry", arrays, origin | {"radius": 5})
        for kind, path in zip(paths, files, strict=True):
            kind.append(path)
    return paths


def train_over_all(place: str) -> Callable[[], None]:
    """Prepare a few steps over all crops, for a measure of memory."""
    kinds = ("crops", "responses", "geometry")
    paths = [sorted(Path(place).glob(f"{kind}*.h5")) for kind in kinds]

    def train() -> None:
        name = "resnet18_cl_geom_bc"
        with TextCrops.open(*paths, PAPER[name].guiding_maps) as data:
            assert len(data.writer) == ALL_CROPS
            data.hold(torch.device("cpu"), LIMIT)
            steps = Steps(name, data)
            for _ in range(STEPS):
                steps.step()
            steps.batches.close()

    return train


def benchmarks() -> list[Benchmark | Memory]:
    """The stage that asks the teacher, a guided step, and the memory of training."""
    all_crops = folder() / "all"
    all_crops.mkdir()
    write_all_crops(all_crops)
    return [
        Benchmark(
            "cache_stage",
            f"whole stage over {CROPS} crops; the baseline is the teacher's forward pass alone",
            geometry,
            forward,
            same_teacher,
        ),
        Benchmark(
            "fkd_step",
            "a training step with CL+GEOM+BC against one with CL alone, ResNet-18, batch 64",
            lambda: steps_of("resnet18_cl_geom_bc").step(),
            lambda: steps_of("resnet18_cl").step(),
            same_start,
            runs=15,  # steps vary more than they differ
            overhead=True,
        ),
        Memory(
            "train_memory",
            f"peak of training over {ALL_CROPS:,} crops; the baseline is the limit",
            partial(train_over_all, str(all_crops)),
            1000 * LIMIT,
            runs=1,
        ),
    ]
