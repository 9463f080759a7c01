"""Cache and training on a few drawn crops: targets, logs, checkpoints, resumption."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import fkd
from fkd import models
from fkd.errors import FkdError
from fkd.graph import Neighborhoods, nac, rooted_trees, vectors_of_map
from fkd.models import as_input
from fkd.plugins import load_plugins
from fkd.preprocess import center_crop
from fkd.storage import shards
from fkd.study.code import Library
from fkd.study.parts import Networks, Reached
from fkd.study.students import MapTerm, Student
from fkd.training import fitting, stages, targets
from fkd.training.fitting import Batches, Record, fit
from fkd.training.recipe import Recipe
from fkd.training.students import loss_terms

NETWORKS = Networks(width=0.05, features=16)
RECIPE = Recipe(epochs=3, batch=8, learning_rate=0.01, milestones=(1, 2))


def write_crops(path, seed, images=24, writers=3):
    """Crops whose writer shows in their brightness."""
    rng = np.random.default_rng(seed)
    writer = np.arange(images) % writers
    ink = rng.random((images, 170, 242)) < 0.03
    image = (ink * (80 + 60 * writer[:, None, None])).astype(np.uint8)
    shards.write(
        path,
        "crops",
        {
            "image": image,
            "writer": np.array(list("abc"), object)[writer],
            "validation": np.arange(images) >= images * 2 // 3,
            "line": np.zeros(images, np.int32),
        },
        {"writers": list("abc")},
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two shards of crops, a teacher with random weights, and its targets."""
    folder = tmp_path_factory.mktemp("study")
    teacher = folder / "teacher.safetensors"
    models.save(models.build("signet", None, NETWORKS, seed=5), teacher, {"seed": 5})
    paths = {"crops": [], "responses": [], "geometry": []}
    for shard in range(2):
        crops = folder / f"crops{shard}.h5"
        write_crops(crops, shard)
        paths["crops"].append(crops)
        for kind in ("responses", "geometry"):
            paths[kind].append(folder / f"{kind}{shard}.h5")
        wanted = {kind: paths[kind][-1] for kind in ("responses", "geometry")}
        ask = {"crops": crops, "teacher": teacher, "batch": 7, "threads": 1}
        targets.cache_responses(**ask, out=wanted["responses"])
        targets.cache_geometry(**ask, out=wanted["geometry"])
    return paths | {"teacher": teacher}


def train(study, out, student="resnet18_cl_geom_bc", **changes):
    arguments = {
        "crops": study["crops"],
        "responses": study["responses"],
        "geometry": study["geometry"],
        "out": out / "weights.safetensors",
        "losses": out / "losses.csv",
        "checkpoint": out / "checkpoint.pt",
        "student": student,
        "networks": NETWORKS,
        "recipe": RECIPE,
        "threads": 1,
    }
    stages.train_student(**arguments | changes)
    return models.checksum(models.load(out / "weights.safetensors")[0])


@pytest.mark.fidelity("supervisory signals")
def test_cached_targets_are_what_the_teacher_says(study):
    teacher, _ = models.load(study["teacher"])
    crops = center_crop(shards.read(study["crops"][1], "crops")["image"])
    with torch.inference_mode():
        maps, feature = teacher.describe(as_input(np.ascontiguousarray(crops)))
    responses = shards.read(study["responses"][1], "responses")
    torch.testing.assert_close(
        torch.from_numpy(responses["feature"]), feature, rtol=1e-4, atol=1e-5
    )
    geometry = shards.read(study["geometry"][1], "geometry")
    assert responses.attributes["teacher"] == models.checksum(teacher)
    assert geometry.attributes["radius"] == 5
    for name, nodes in (("conv2", 442), ("conv5", 96)):
        trees = geometry[f"tree_{name}"]
        assert trees.shape == (len(crops), nodes)
        assert trees.dtype == np.uint16
        assert geometry[f"nac_{name}"].dtype == np.float32
        vectors = vectors_of_map(maps[name])[9:10]
        # Other batches round otherwise, which may move an edge among near ties.
        tree = rooted_trees(vectors)
        assert (tree[0].numpy() == trees[9]).mean() > 0.9
        expected = nac(vectors, Neighborhoods(torch.from_numpy(trees[9:10])))[0]
        np.testing.assert_allclose(geometry[f"nac_{name}"][9], expected, rtol=1e-3, atol=1e-6)


@pytest.mark.fidelity("total loss")
def test_losses_are_logged_and_fall(study, tmp_path):
    train(study, tmp_path)
    log = pd.read_csv(tmp_path / "losses.csv")
    assert log["epoch"].tolist() == [1, 1, 2, 2, 3, 3]
    assert log["subset"].tolist() == ["training", "validation"] * 3
    terms = ["classification", "geometry_conv2", "geometry_conv5", "response", "total"]
    assert set(terms) <= set(log.columns)
    assert np.isfinite(log[terms]).all(axis=None)
    fitted = log[log["subset"] == "training"]["total"].tolist()
    assert fitted[-1] < fitted[0]
    total = log["classification"] + 10 * log["geometry_conv2"] + 100 * log["geometry_conv5"]
    np.testing.assert_allclose(log["total"], total + 1e-4 * log["response"], rtol=1e-4)
    assert not (tmp_path / "checkpoint.pt").exists()
    _, about = models.load(tmp_path / "weights.safetensors")
    assert about["student"]["response"]["loss"] == "barlow_colleagues"
    assert about["recipe"]["epochs"] == 3


PARTS = """
from fkd.study.parts import MAP_LOSSES, MapLoss


def attention(student, teacher, power=1.0):
    attentions = (values.abs().pow(power).mean(dim=1) for values in (student, teacher))
    first, second = attentions
    return (first - second).square().mean()


def far(student, teacher):
    return (student - teacher).abs().mean()


MAP_LOSSES.register(
    "attention", MapLoss("AT", "attention", "map_parts.attention", parameters={"power": 1.0})
)
MAP_LOSSES.register("far", MapLoss("FAR", "far", "map_parts.far", compares="contrasts"))
"""


def test_losses_between_maps_of_ones_own(study, tmp_path, plugin):
    """One compares maps that the teacher computes for each batch, the other its contrasts."""
    load_plugins([plugin(PARTS, "map_parts.py")])
    maps = [
        {"loss": "attention", "weights": {"conv2": 2.0, "conv5": 0.0}},
        {"loss": "far", "weights": {"conv5": 3.0}},
    ]
    student = Student.from_settings({"architecture": "signet", "classification": 1.0, "maps": maps})
    without = {"student": student, "responses": None}
    with pytest.raises(FkdError, match="needs the teacher's maps: give --teacher"):
        train(study, tmp_path, **without)
    other = tmp_path / "other.safetensors"
    models.save(models.build("signet", None, NETWORKS, seed=6), other, {"seed": 6})
    with pytest.raises(FkdError, match="geometry are those of another teacher"):
        train(study, tmp_path, **without, teacher=other)
    train(study, tmp_path, **without, teacher=study["teacher"])
    log = pd.read_csv(tmp_path / "losses.csv")
    total = log["classification"] + 2 * log["attention_conv2"] + 3 * log["far_conv5"]
    np.testing.assert_allclose(log["total"], total, rtol=1e-4)
    assert (log[["attention_conv2", "far_conv5"]] > 0).all(axis=None)
    _, about = models.load(tmp_path / "weights.safetensors")
    assert about["teacher"] == models.checksum(models.load(study["teacher"])[0])
    assert Student.from_settings(about["student"]) == student


def test_the_teachers_maps_are_those_of_the_batch(study, tmp_path, plugin):
    """The teacher itself as a student differs in nothing, before it learns."""
    load_plugins([plugin(PARTS, "map_parts.py")])
    student = Student("signet", maps=MapTerm("attention", {"conv2": 1.0, "conv5": 1.0}))
    guide = stages._Guide(study["teacher"], student, torch.device("cpu"))
    teacher, _ = models.load(study["teacher"])
    teacher.classifier = torch.nn.Linear(16, 3)
    batch = {"image": torch.rand(2, 1, 150, 220), "writer": torch.tensor([0, 1])}
    terms, _ = loss_terms(student, teacher, guide.with_maps(batch))
    assert terms["attention_conv2"] < 1e-8 and terms["attention_conv5"] < 1e-8


def test_each_kind_of_target_can_be_asked_for_alone(study, tmp_path):
    ask = {"crops": study["crops"][0], "teacher": study["teacher"], "batch": 7, "threads": 1}
    targets.cache_responses(**ask, out=tmp_path / "r.h5")
    targets.cache_geometry(**ask, out=tmp_path / "g.h5", maps=["conv5"], radius=2)
    both = shards.read(study["responses"][0], "responses")
    alone = shards.read(tmp_path / "r.h5", "responses")
    np.testing.assert_array_equal(alone["feature"], both["feature"])
    assert alone.attributes == both.attributes
    geometry = shards.read(tmp_path / "g.h5", "geometry")
    assert set(geometry.arrays) == {"tree_conv5", "nac_conv5"}
    trees = shards.read(study["geometry"][0], "geometry")["tree_conv5"]
    np.testing.assert_array_equal(geometry["tree_conv5"], trees)
    with pytest.raises(FkdError, match="no maps conv9"):
        targets.cache_geometry(**ask, out=tmp_path / "g.h5", maps=["conv9"])


class InterruptError(Exception):
    pass


def interrupt_after(epoch, monkeypatch):
    """Let training die in the first step after an epoch."""
    steps = iter(range(epoch * (32 // RECIPE.batch)))

    def terms_or_death(student, network, *rest):
        if network.training and next(steps, None) is None:
            raise InterruptError
        return loss_terms(student, network, *rest)

    monkeypatch.setattr(stages, "loss_terms", terms_or_death)


@pytest.mark.parametrize("schedule", ["steps", "one_cycle"])
def test_interrupted_training_ends_with_the_same_weights(study, tmp_path, monkeypatch, schedule):
    recipe = dataclasses.replace(RECIPE, schedule=schedule)
    whole = train(study, tmp_path / "whole", recipe=recipe)
    with monkeypatch.context() as patch, pytest.raises(InterruptError):
        interrupt_after(2, patch)
        train(study, tmp_path / "cut", recipe=recipe)
    assert not (tmp_path / "cut/weights.safetensors").exists()
    assert train(study, tmp_path / "cut", recipe=recipe) == whole
    columns = ["epoch", "subset", "total", "accuracy"]
    logs = [pd.read_csv(tmp_path / run / "losses.csv")[columns] for run in ("whole", "cut")]
    pd.testing.assert_frame_equal(*logs)


def test_a_checkpoint_of_other_settings_is_not_resumed(study, tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(InterruptError):
        interrupt_after(2, patch)
        train(study, tmp_path / "cut", student="resnet18_cl")
    other = train(study, tmp_path / "cut")
    assert other == train(study, tmp_path / "new")


def test_a_checkpoint_of_other_labels_is_not_resumed(study, tmp_path, monkeypatch):
    alone = {"student": "resnet18_cl", "responses": None, "geometry": None}
    with monkeypatch.context() as patch, pytest.raises(InterruptError):
        interrupt_after(2, patch)
        train(study, tmp_path / "cut", **alone)
    relabeled = []
    for path in study["crops"]:
        shard = shards.read(path, "crops")
        other = {"a": "c", "b": "b", "c": "a"}
        shard.arrays["writer"] = np.array([other[name] for name in shard["writer"]], object)
        relabeled.append(tmp_path / path.name)
        shards.write(relabeled[-1], "crops", shard.arrays, shard.attributes)
    other = train(study, tmp_path / "cut", **alone | {"crops": relabeled})
    assert other == train(study, tmp_path / "new", **alone | {"crops": relabeled})
    assert other != train(study, tmp_path / "old", **alone)


def test_a_checkpoint_of_other_code_is_not_resumed(study, tmp_path, monkeypatch):
    """Half of the training would have had the old formula, and half the new."""
    with monkeypatch.context() as patch, pytest.raises(InterruptError):
        interrupt_after(2, patch)
        train(study, tmp_path / "cut")
    library = Library.digest
    monkeypatch.setattr(Library, "digest", lambda *given, **named: library(*given, **named)[::-1])
    resumed = []
    whole = fitting._resume
    monkeypatch.setattr(fitting, "_resume", lambda *given: resumed.append(whole(*given)) or 0)
    train(study, tmp_path / "cut")
    assert resumed == [0]


def test_a_checkpoint_knows_the_code_of_the_network_and_of_the_loss(monkeypatch):
    stage = f"{stages.__name__}.train_student"
    reached = Library(Path(fkd.__file__).parent).reached
    places = {text.partition(":")[0] for text in reached(parts=[stage])}
    assert {"fkd.training.fitting", "fkd.training.students", "fkd.training.text_crops"} <= places
    alone = stages.code_of_stage(stages.train_student)
    network = stages.code_of_stage(stages.train_student, Reached("fkd.models.resnet18.ResNet18"))
    loss = stages.code_of_stage(stages.train_student, Reached("fkd.losses.barlow_twins"))
    entry = stages.code_of_stage(stages.train_student, Reached("fkd.losses.barlow_twins", "a loss"))
    assert len({alone, network, loss, entry}) == 4


def test_a_checkpoint_of_other_targets_is_not_resumed(study, tmp_path, monkeypatch):
    """Halved responses, which teacher.half_precision keeps, are of the same teacher."""
    with monkeypatch.context() as patch, pytest.raises(InterruptError):
        interrupt_after(2, patch)
        train(study, tmp_path / "cut")
    halved = [tmp_path / path.name for path in study["responses"]]
    for crops, out in zip(study["crops"], halved, strict=True):
        ask = {"crops": crops, "teacher": study["teacher"], "batch": 7, "threads": 1}
        targets.cache_responses(**ask, out=out, half_precision=True)
    resumed = train(study, tmp_path / "cut", responses=halved)
    assert resumed == train(study, tmp_path / "new", responses=halved)


def test_a_damaged_checkpoint_is_not_resumed(study, tmp_path):
    whole = train(study, tmp_path / "whole")
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut/checkpoint.pt").write_bytes(b"half")
    assert train(study, tmp_path / "cut") == whole


def test_guidance_that_is_not_given_is_asked_for(study, tmp_path):
    with pytest.raises(FkdError, match="needs the teacher's geometry: give --geometry"):
        train(study, tmp_path, geometry=None)
    with pytest.raises(FkdError, match="1 shards of responses for 2 of crops"):
        train(study, tmp_path, responses=study["responses"][:1])


def test_crops_of_two_lists_of_writers_are_refused(study, tmp_path):
    shard = shards.read(study["crops"][1], "crops")
    other = tmp_path / "other.h5"
    names = {"a": "b", "b": "c", "c": "d"}
    arrays = shard.arrays | {"writer": np.array([names[w] for w in shard["writer"]], object)}
    shards.write(other, "crops", arrays, shard.attributes | {"writers": list("bcd")})
    with pytest.raises(FkdError, match=r"other\.h5: its list of writers is not that of .*crops0"):
        train(
            study,
            tmp_path,
            "resnet18_cl",
            crops=[study["crops"][0], other],
            responses=None,
            geometry=None,
        )


@pytest.mark.parametrize(
    ("student", "message"),
    [
        ({"architecture": "vgg", "classification": 1.0}, "'vgg' is no architecture"),
        ({"architecture": "signet", "classifikation": 1.0}, "classifikation"),
    ],
)
def test_a_student_that_cannot_be(student, message):
    with pytest.raises(FkdError, match=message):
        Student.from_settings(student)


def test_students_of_one_architecture_start_alike(study, tmp_path):
    random = tmp_path / "random.safetensors"
    stages.random_student(out=random, architecture="resnet18", networks=NETWORKS)
    start = models.build("resnet18", 3, NETWORKS)
    loaded, _ = models.load(random)
    for name, value in loaded.state_dict().items():
        torch.testing.assert_close(value, start.state_dict()[name])


def test_cl_alone_needs_no_targets(study, tmp_path):
    alone = train(study, tmp_path, student="resnet18_cl", responses=None, geometry=None)
    assert alone == train(study, tmp_path, student="resnet18_cl")


def test_targets_of_other_crops_are_refused(study, tmp_path):
    with pytest.raises(FkdError, match=r"responses1\.h5: made for other crops"):
        train(study, tmp_path, responses=study["responses"][::-1])


def test_a_loss_that_explodes_is_named(study, tmp_path):
    with pytest.raises(FkdError, match=r"loss is not finite in epoch 1: classification nan"):
        train(study, tmp_path, recipe=dataclasses.replace(RECIPE, learning_rate=1e30))


def test_too_few_crops_for_a_batch(study, tmp_path):
    with pytest.raises(FkdError, match="32 text crops for training do not fill one batch of 64"):
        train(study, tmp_path, recipe=dataclasses.replace(RECIPE, batch=64))


def test_unknown_student(study, tmp_path):
    with pytest.raises(FkdError, match="'resnet18_xl' is none of the paper's students"):
        train(study, tmp_path, student="resnet18_xl")


@pytest.mark.fidelity("teacher's training")
def test_the_teacher_learns_from_genuine_signatures_alone(tmp_path):
    rng = np.random.default_rng(0)
    writer = np.repeat(["a", "b", "c"], 12)
    forgery = np.tile(np.arange(12) >= 8, 3)
    level = 80 + 60 * np.repeat([0, 1, 2], 12)
    image = ((rng.random((36, 170, 242)) < 0.03) * level[:, None, None]).astype(np.uint8)
    image[forgery] = 255
    sets = [tmp_path / "one.h5", tmp_path / "two.h5"]
    for path in sets:
        arrays = {"image": image, "writer": writer.astype(object), "forgery": forgery}
        shards.write(path, "signatures", arrays, {"set": path.stem})
    stages.train_teacher(
        signatures=sets,
        out=tmp_path / "teacher.safetensors",
        losses=tmp_path / "losses.csv",
        checkpoint=tmp_path / "checkpoint.pt",
        networks=NETWORKS,
        recipe=RECIPE,
        threads=1,
    )
    log = pd.read_csv(tmp_path / "losses.csv")
    assert log["images"].tolist() == [48, 48, 48]
    _, about = models.load(tmp_path / "teacher.safetensors")
    assert about["images"] == 48
    assert about["sets"] == ["one", "two"]


@pytest.mark.fidelity("network input")
def test_networks_see_gray_levels_from_0_to_1():
    found = as_input(np.array([[[0, 51, 255]]], np.uint8))
    assert found.dtype == torch.float32 and found.shape == (1, 1, 1, 3)
    torch.testing.assert_close(found.flatten(), torch.tensor([0, 0.2, 1.0]))


class OneWeight(torch.nn.Module):
    """A network of one weight whose gradient is 3 throughout."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(2.0, dtype=torch.float64))

    def step(self, optimizer):
        optimizer.zero_grad()
        (3 * self.weight).backward()
        optimizer.step()


@pytest.mark.fidelity("students' training")
@pytest.mark.parametrize("nesterov", [True, False])
def test_the_optimizer_steps_as_published(nesterov):
    network, recipe = OneWeight(), Recipe(nesterov=nesterov)
    optimizer = recipe.optimizer(network)
    weight, velocity = 2.0, 0.0
    for _ in range(4):
        network.step(optimizer)
        velocity = 0.9 * velocity + 3
        weight -= 0.01 * (3 + 0.9 * velocity if nesterov else velocity)
        assert network.weight.item() == pytest.approx(weight)


@pytest.mark.fidelity("teacher's training")
def test_weight_decay_is_added_to_the_gradient():
    network = OneWeight()
    network.step(Recipe(momentum=0.0, nesterov=False, weight_decay=1e-4).optimizer(network))
    assert network.weight.item() == pytest.approx(2 - 0.01 * (3 + 2e-4), abs=1e-12)


@pytest.mark.fidelity("students' training")
def test_the_published_schedule():
    network, recipe, steps = OneWeight(), Recipe(), 3
    optimizer = recipe.optimizer(network)
    scheduler = recipe.scheduler(optimizer, steps)
    rates = []
    for _ in range(recipe.epochs * steps):
        rates.append(optimizer.param_groups[0]["lr"])
        network.step(optimizer)
        scheduler.step()
    expected = np.repeat([0.01, 0.001, 0.0001], 20 * steps)
    np.testing.assert_allclose(rates, expected, rtol=1e-9)


@pytest.fixture
def fits(monkeypatch):
    """The arguments of every call of fit, in place of the fit."""
    calls = []

    def note(network, loss_terms, batches, recipe, record):
        calls.append(batches)

    monkeypatch.setattr(stages, "fit", note)
    monkeypatch.setattr(models, "load", lambda path: (torch.nn.Linear(1, 1), {}))
    return calls


@pytest.mark.fidelity("batches")
def test_every_epoch_is_shuffled_and_cut_into_whole_batches(study, tmp_path, fits):
    recipe = dataclasses.replace(RECIPE, batch=9)
    for student in ("resnet18_cl_geom_bc", "resnet18_cl"):
        train(study, tmp_path, student, recipe=recipe)
    images, held_out = [], []
    for path in study["crops"]:
        shard = shards.read(path, "crops")
        center = shard["image"][:, 10:160, 11:231].astype(np.float32) / 255
        images += list(center[~shard["validation"]])
        held_out += list(center[shard["validation"]])
    row_of = {image.tobytes(): row for row, image in enumerate(images)}
    seen = []
    for epoch in (0, 1, 0):
        batches = [batch["image"].numpy() for batch in fits[0].training(epoch)]
        assert [len(batch) for batch in batches] == [9, 9, 9]  # of 32: the last 5 are left out
        seen.append([row_of[image[0].tobytes()] for batch in batches for image in batch])
    assert all(len(set(rows)) == 27 and rows != sorted(rows) for rows in seen)
    assert seen[0] == seen[2] != seen[1]
    for one, other in zip(*(call.training(1) for call in fits), strict=True):
        assert torch.equal(one["image"], other["image"])  # both students see the same
    found = [image for batch in fits[0].validation() for image in batch["image"][:, 0].numpy()]
    np.testing.assert_array_equal(found, held_out)


@pytest.mark.fidelity("teacher's training")
def test_the_teacher_sees_random_windows(tmp_path, fits):
    place = np.arange(170 * 242).reshape(170, 242)
    image = np.stack([place // 242, place % 242]).astype(np.uint8)  # tells row, or column
    image = np.tile(image, (60, 1, 1))
    arrays = {"image": image, "writer": np.array(["a", "b"] * 60, object)}
    shards.write(
        tmp_path / "s.h5", "signatures", arrays | {"forgery": np.zeros(120, bool)}, {"set": "s"}
    )
    paths = {name: tmp_path / name for name in ("out", "losses", "checkpoint")}
    stages.train_teacher(signatures=[tmp_path / "s.h5"], networks=NETWORKS, recipe=RECIPE, **paths)
    rows, columns = [], []
    for epoch in range(3):
        for batch in fits[0].training(epoch):
            for window in (batch["image"][:, 0] * 255).round().int():
                assert window.shape == (150, 220)
                (rows if window[0, 0] == window[0, 1] else columns).append(int(window[0, 0]))
    assert set(rows) == set(range(21)) and set(columns) == set(range(23))


@pytest.mark.fidelity("last epoch")
def test_the_last_epochs_weights_are_the_model(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(fitting, "save", lambda network, *_: saved.append(network.weight.item()))
    batch = {"writer": torch.zeros(1, dtype=torch.int64)}

    def terms(network, batch):
        sign = 1 if network.training else -1  # what training gains, validation loses
        return {"total": sign * 3 * network.weight}, torch.zeros(1, 2)

    recipe = Recipe(epochs=4, momentum=0.0, nesterov=False, milestones=())
    paths = [tmp_path / name for name in ("out", "losses.csv", "checkpoint")]
    batches = Batches(lambda _: iter([batch]), 1, lambda: iter([batch]))
    fit(OneWeight(), terms, batches, recipe, Record(*paths, about={}))
    log = pd.read_csv(tmp_path / "losses.csv").query("subset == 'validation'")["total"]
    assert log.is_monotonic_increasing and len(log) == 4
    assert saved == [pytest.approx(2 - 4 * 0.01 * 3)]


def test_weights_that_the_last_step_broke_are_refused(tmp_path):
    """The loss of the last batch is computed before its step."""
    batch = {"writer": torch.zeros(1, dtype=torch.int64)}
    recipe = Recipe(epochs=1, learning_rate=1e300, momentum=0.0, nesterov=False, milestones=())
    paths = [tmp_path / name for name in ("out", "losses.csv", "checkpoint")]

    def terms(network, batch):
        return {"total": 1e30 * network.weight.sum()}, torch.zeros(1, 2)

    with pytest.raises(FkdError, match=r"epoch 1: after the last step, 1 of .* is weight\. Lower"):
        fit(OneWeight(), terms, Batches(lambda _: iter([batch]), 1), recipe, Record(*paths, {}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("scale", "half", "cause"),
    [(1e6, True, "half_precision"), (float("nan"), False, "learning_rate")],
)
def test_targets_that_are_not_finite_are_refused(study, tmp_path, monkeypatch, scale, half, cause):
    teacher, _ = models.load(study["teacher"])
    whole = type(teacher).describe

    def describe(network, images):
        maps, feature = whole(network, images)
        return maps, feature * scale

    monkeypatch.setattr(type(teacher), "describe", describe)
    with pytest.raises(FkdError, match=f"feature of a text crop is not finite.*{cause}"):
        targets.cache_responses(
            crops=study["crops"][0],
            teacher=study["teacher"],
            out=tmp_path / "r.h5",
            half_precision=half,
            threads=1,
        )
    assert list(tmp_path.iterdir()) == []


def test_reading_as_needed_trains_the_same_as_holding(study, tmp_path):
    held = train(study, tmp_path / "held")
    assert train(study, tmp_path / "read", memory=1e-9) == held


def test_targets_in_half_precision_are_the_same_to_three_digits(study, tmp_path):
    ask = {"crops": study["crops"][0], "teacher": study["teacher"], "batch": 7, "threads": 1}
    targets.cache_responses(**ask, out=tmp_path / "r.h5", half_precision=True)
    half = shards.read(tmp_path / "r.h5", "responses")["feature"]
    whole = shards.read(study["responses"][0], "responses")["feature"]
    assert half.dtype == np.float16
    np.testing.assert_allclose(half, whole, rtol=1e-3, atol=1e-6)
    halves = [tmp_path / "r.h5", study["responses"][1]]
    assert train(study, tmp_path / "student", responses=halves)


def test_training_in_bfloat16_follows_float32(study, tmp_path):
    logs = []
    for precision in ("float32", "bfloat16"):
        recipe = dataclasses.replace(RECIPE, precision=precision)
        train(study, tmp_path / precision, recipe=recipe)
        logs.append(pd.read_csv(tmp_path / precision / "losses.csv"))
    np.testing.assert_allclose(logs[0]["total"][0], logs[1]["total"][0], rtol=0.05)
    assert logs[0]["total"][0] != logs[1]["total"][0]


@pytest.mark.parametrize(
    ("has", "chosen"), [({"avx512_bf16": True}, "bfloat16"), ({"avx512_f": True}, "float32")]
)
def test_precision_is_chosen_by_what_the_processor_multiplies_in(
    has, chosen, study, tmp_path, monkeypatch
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    weights = [
        train(study, tmp_path / precision, recipe=dataclasses.replace(RECIPE, precision=precision))
        for precision in ("auto", chosen)
    ]
    assert weights[0] == weights[1]  # with what was used in their metadata


def test_a_network_is_compiled_where_the_recipe_says_so(study, tmp_path, monkeypatch):
    compiled = []

    def record(function):
        compiled.append(function)
        return lambda images: function(images)

    monkeypatch.setattr(torch, "compile", record)
    plain = train(study, tmp_path / "plain")
    assert compiled == []
    assert (
        train(study, tmp_path / "compiled", recipe=dataclasses.replace(RECIPE, compile=True))
        == plain
    )
    assert [function.__name__ for function in compiled] == ["describe"]
