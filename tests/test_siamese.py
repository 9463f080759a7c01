"""Siamese networks: training on pairs, resumption, export, and what is said of their direction."""

import logging
from dataclasses import asdict

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch

from fkd import models
from fkd.errors import FkdError
from fkd.models.export import check_onnx, export_onnx, export_siamese
from fkd.models.siamese import Comparer, SiameseNetwork, load_siamese, save_siamese
from fkd.pairs.drawing import Draw
from fkd.pairs.listing import list_pairs
from fkd.pairs.parts import PartShares
from fkd.preprocess import INPUT
from fkd.storage import shards
from fkd.study.parts import Networks
from fkd.study.siamese import PAIR_LOSSES, Siamese, Start
from fkd.training import fitting, siamese
from fkd.training.recipe import PairRecipe

SMALL = Networks(width=0.05, features=8)
RECIPE = PairRecipe(epochs=3, batch=8, steps=3, learning_rate=0.003)


def write_signatures(path, writers=8, genuine=4, skilled=3):
    """Writers sign with a bar at a place of their own; forgers miss the place."""
    rng = np.random.default_rng(0)
    image, writer, forgery = [], [], []
    for number in range(writers):
        for sample in range(genuine + skilled):
            pixels = (rng.random((170, 242)) < 0.02).astype(np.uint8) * 90
            left = 30 + 20 * number + 12 * (sample >= genuine)
            pixels[60:110, left : left + 8] = 220
            image.append(pixels)
            writer.append(f"w{number}")
            forgery.append(sample >= genuine)
    rows = np.arange(len(image))
    shards.write(
        path,
        "signatures",
        {
            "image": np.stack(image),
            "writer": np.array(writer, object),
            "forgery": np.array(forgery),
            "sample": np.array([str(row) for row in rows], object),
            "file": np.array([f"{row}.png" for row in rows], object),
            "copy_of": rows.astype(np.int32),
        },
        {"set": "drawn"},
    )


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    write_signatures(folder / "signatures.h5")
    list_pairs(
        name="drawn",
        signatures=folder / "signatures.h5",
        draw=Draw(pairs=8),
        out=folder / "pairs.h5",
        quarantine=folder / "aside.csv",
        audit=folder / "audit.csv",
        max_share=0.0,
        shares=PartShares(validation=0.2, test=0.2),
        seed=1,
    )
    return folder / "pairs.h5"


def train(pairs, out, spec=None, **changes):
    out.mkdir(exist_ok=True)
    arguments = {
        "pairs": pairs,
        "out": out / "weights.safetensors",
        "losses": out / "losses.csv",
        "checkpoint": out / "checkpoint.pt",
        "siamese": spec or Siamese("drawn", "contrastive", "signet"),
        "networks": SMALL,
        "recipe": RECIPE,
        "seed": 1,
        "threads": 1,
    }
    siamese.train_siamese(**arguments | changes)
    return (out / "weights.safetensors").read_bytes()


@pytest.mark.parametrize("loss", PAIR_LOSSES)
def test_every_loss_trains_a_network(pairs, tmp_path, loss):
    spec = Siamese("drawn", loss, "article_cnn", width=0.05)
    train(pairs, tmp_path, spec, recipe=PairRecipe(epochs=1, batch=8, steps=1))
    log = pd.read_csv(tmp_path / "losses.csv")
    assert log["subset"].tolist() == ["training", "validation"]
    assert np.isfinite(log[["total", "accuracy", "f1"]]).all(axis=None)
    network, about = load_siamese(tmp_path / "weights.safetensors")
    assert network.comparer.kind == PAIR_LOSSES[loss].comparison
    assert about["siamese"]["loss"] == loss
    assert not (tmp_path / "checkpoint.pt").exists()


def test_a_network_learns_what_tells_pairs_apart(pairs, tmp_path):
    spec = Siamese("drawn", "binary_cross_entropy", "signet")
    recipe = PairRecipe(epochs=6, batch=8, learning_rate=0.01)
    train(pairs, tmp_path, spec, recipe=recipe)
    log = pd.read_csv(tmp_path / "losses.csv").query("subset == 'training'")
    assert log["total"].iloc[-1] < 0.8 * log["total"].iloc[0]
    assert log["accuracy"].iloc[-1] > 0.8


@pytest.mark.parametrize("architecture", ["signet", "article_cnn"])  # the latter has dropout
def test_a_killed_training_ends_with_the_same_bytes(pairs, tmp_path, monkeypatch, architecture):
    spec = Siamese("drawn", "contrastive", architecture, width=0.05)
    whole = train(pairs, tmp_path / "whole", spec)
    (tmp_path / "killed").mkdir()
    real, calls = fitting._go_over, []

    def go_over(*arguments):
        calls.append(arguments)
        if len(calls) == 4:  # the validation of the second epoch
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "_go_over", go_over)
        with pytest.raises(KeyboardInterrupt):
            train(pairs, tmp_path / "killed", spec)
    assert (tmp_path / "killed/checkpoint.pt").exists()
    torch.manual_seed(99)  # another process draws otherwise
    assert train(pairs, tmp_path / "killed", spec) == whole
    columns = ["epoch", "subset", "total", "accuracy", "f1"]
    logs = [pd.read_csv(tmp_path / f"{name}/losses.csv")[columns] for name in ("whole", "killed")]
    pd.testing.assert_frame_equal(*logs)


def test_the_best_epoch_is_kept_and_training_ends_early(pairs, tmp_path, monkeypatch):
    accuracies, saved = iter([0.5, 0.9, 0.6, 0.9, 0.8, 1.0]), []

    def measured(kept, is_learned):
        is_validation = len(kept) < 24
        return {"accuracy": next(accuracies) if is_validation else 0.0, "f1": 0.0}

    real = fitting._save_checkpoint

    def save_checkpoint(record, epoch, network, *others):
        saved.append({name: v.clone() for name, v in network.state_dict().items()})
        real(record, epoch, network, *others)

    monkeypatch.setattr(siamese, "_measured", measured)
    monkeypatch.setattr(fitting, "_save_checkpoint", save_checkpoint)
    recipe = PairRecipe(epochs=6, batch=8, steps=3, keep="accuracy", patience=3)
    train(pairs, tmp_path, recipe=recipe)
    assert len(saved) == 5  # three epochs after the second one
    network, _ = load_siamese(tmp_path / "weights.safetensors")
    for name, value in network.state_dict().items():
        assert torch.equal(value, saved[1][name]), name


def test_the_best_epoch_needs_a_validation(pairs, tmp_path):
    stored = shards.read(pairs, "pairs")
    arrays = stored.arrays | {"part": np.where(stored["part"] == 1, 2, stored["part"])}
    shards.write(tmp_path / "pairs.h5", "pairs", arrays, dict(stored.attributes))
    with pytest.raises(FkdError, match="validation part, which is empty"):
        train(tmp_path / "pairs.h5", tmp_path, recipe=PairRecipe(batch=8, keep="loss"))
    with pytest.raises(FkdError, match="patience: needs keep"):
        PairRecipe(patience=2)


def test_the_rate_is_halved_step_by_step():
    weight = torch.nn.Linear(1, 1)
    recipe = PairRecipe(schedule="exponential", half_life=4, learning_rate=0.1)
    optimizer = recipe.optimizer(weight)
    scheduler = recipe.scheduler(optimizer, 10)
    for _ in range(8):
        optimizer.step()
        scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.025)


@pytest.mark.parametrize(
    ("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
)
def test_frozen_weights_are_not_trained(name, kind):
    layer = torch.nn.Linear(2, 2)
    layer.weight.requires_grad_(False)
    optimizer = PairRecipe(optimizer_name=name, weight_decay=0.2).optimizer(layer)
    assert type(optimizer) is kind
    ((group),) = optimizer.param_groups
    assert group["params"] == [layer.bias] and group["weight_decay"] == 0.2


def test_a_network_starts_from_a_student(pairs, tmp_path):
    student = models.build("signet", 5, SMALL, seed=7)
    models.save(student, tmp_path / "student.safetensors")
    spec = Siamese("drawn", "nt_xent", initialize=Start(student="signet_cl"))
    recipe = PairRecipe(epochs=1, batch=8, steps=1, learning_rate=1e-9)
    train(pairs, tmp_path, spec, start=tmp_path / "student.safetensors", recipe=recipe)
    network, about = load_siamese(tmp_path / "weights.safetensors")
    torch.testing.assert_close(
        network.embedding.conv_layers.conv1.conv.weight, student.conv_layers.conv1.conv.weight
    )
    student.classifier = None
    assert about["start"] == {"model": "signet_cl", "weights": models.checksum(student)}
    with pytest.raises(FkdError, match="start: missing"):
        train(pairs, tmp_path, spec)


def test_labels_the_wrong_way_round_are_noticed_after_training(pairs, tmp_path, caplog):
    stored = shards.read(pairs, "pairs")
    arrays = stored.arrays | {"forged": ~stored["forged"].astype(bool)}
    shards.write(tmp_path / "pairs.h5", "pairs", arrays, dict(stored.attributes))
    recipe = PairRecipe(epochs=6, batch=8, learning_rate=0.01)
    spec = Siamese("drawn", "binary_cross_entropy", "signet")
    with caplog.at_level(logging.WARNING):
        train(pairs, tmp_path / "right", spec, recipe=recipe)
        assert "wrong way round" not in caplog.text
        train(tmp_path / "pairs.h5", tmp_path / "wrong", spec, recipe=recipe)
    assert "wrong: genuine pairs of drawn lie farther apart" in caplog.text


def test_pairs_stand_in_runs_of_one_writer():
    rows, writer = np.arange(100, 130), np.arange(30) % 3
    order = siamese._order(rows, writer, 5, seed=1, epoch=0)
    assert sorted(order) == rows.tolist()
    assert all(len(set(part % 3)) == 1 for part in np.split(order - 100, 6))
    assert not np.array_equal(order, siamese._order(rows, writer, 5, seed=1, epoch=1))
    single = siamese._order(rows, writer, 1, seed=1, epoch=0)
    assert sorted(single) == rows.tolist() and (np.diff(single % 3) == 0).sum() < 20


@pytest.mark.parametrize(
    ("architecture", "kind"),
    [("signet", "learned"), ("custom_cnn", "euclidean"), ("dey_signet", "cosine")],
)
def test_both_onnx_files_equal_the_network(tmp_path, architecture, kind):
    loss = {"learned": "binary_cross_entropy", "euclidean": "triplet", "cosine": "nt_xent"}[kind]
    spec = Siamese("drawn", loss, architecture)
    embedding = models.build(architecture, None, SMALL, seed=1)
    network = SiameseNetwork(embedding, Comparer(kind, 8, seed=2)).eval()
    save_siamese(network, tmp_path / "w.safetensors", {"siamese": asdict(spec)})
    export_onnx(weights=tmp_path / "w.safetensors", out=tmp_path / "e.onnx", name="mine")
    export_siamese(weights=tmp_path / "w.safetensors", out=tmp_path / "s.onnx", name="mine")
    first, second = torch.rand(2, 5, 1, *INPUT, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        expected = network(first, second).numpy()
    session = onnxruntime.InferenceSession(tmp_path / "s.onnx")
    (score,) = session.run(None, {"first": first.numpy(), "second": second.numpy()})
    assert score.shape == (5,)
    np.testing.assert_allclose(score, expected, atol=1e-4)
    (itself,) = session.run(None, {"first": first.numpy(), "second": first.numpy()})
    assert (itself >= score - 1e-5).all() or kind == "learned"
    assert spec.comparison == kind


def test_scores_that_nearly_cancel_are_checked_by_what_they_are_made_of(tmp_path):
    network = SiameseNetwork(
        models.build("custom_cnn", None, SMALL, seed=1), Comparer("learned", 8)
    )
    network.eval()
    with torch.no_grad():
        network.embedding.fc.bias += 1000
    about = {"siamese": asdict(Siamese("drawn", "binary_cross_entropy", "custom_cnn"))}
    save_siamese(network, tmp_path / "w.safetensors", about)
    export_siamese(weights=tmp_path / "w.safetensors", out=tmp_path / "s.onnx", name="mine")
    with torch.no_grad():
        network.comparer.fc.bias += 1
    with pytest.raises(FkdError, match="differs from PyTorch"):
        check_onnx(tmp_path / "s.onnx", network, ["first", "second"], "score")


def test_files_that_are_no_siamese_network_are_refused(tmp_path):
    models.save(models.build("signet", None, SMALL), tmp_path / "w.safetensors")
    with pytest.raises(FkdError, match="no Siamese network"):
        load_siamese(tmp_path / "w.safetensors")


def test_settings_that_fit_nothing_are_refused():
    with pytest.raises(FkdError, match="loss: expected one of"):
        Siamese("p", "hinge", "resnet18")
    with pytest.raises(FkdError, match="architecture: expected one of"):
        Siamese("p", "triplet", "resnet")
    with pytest.raises(FkdError, match="architecture: missing"):
        Siamese("p", "triplet")
    with pytest.raises(FkdError, match=r"parameters.alpha: triplet has no such parameter"):
        Siamese("p", "triplet", "resnet18", {"alpha": 1.0})
    with pytest.raises(FkdError, match="either student, teacher: true, onnx or weights"):
        Start()


def test_sizes_are_the_networks_own_unless_given():
    study = Networks(width=0.25, features=512)
    assert Siamese("p", "triplet", "resnet18").size(study) == study
    assert Siamese("p", "triplet", "article_cnn").size(study) == Networks(1.0, 2)
    assert Siamese("p", "triplet", "dey_signet", width=0.5).size(study) == Networks(0.5, 128)
