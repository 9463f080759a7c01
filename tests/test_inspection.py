"""What ``python -m fkd inspect`` says: of every kind of file, and of those that are none."""

import json
import pickle
import re
import zipfile
from dataclasses import asdict

import h5py
import numpy as np
import onnx
import pandas as pd
import pytest
import torch
from foreign import linear
from PIL import Image
from safetensors.torch import save_file

from fkd import models
from fkd.__main__ import main
from fkd.errors import FkdError
from fkd.graph import rooted_trees
from fkd.inspection import describe, inspect_file
from fkd.inspection.shards import ARRAYS, WHAT
from fkd.models.export import export_onnx
from fkd.models.features import extract_features
from fkd.models.weights import METADATA
from fkd.pairs.evaluation import evaluate_pairs
from fkd.pairs.listing import list_pairs
from fkd.pairs.parts import PartShares
from fkd.signatures.npz import export_signatures
from fkd.signatures.prepare import prepare_signatures
from fkd.storage import shards
from fkd.storage.quarantine import Quarantine
from fkd.study.parts import Networks
from fkd.study.siamese import Siamese
from fkd.study.students import PAPER
from fkd.synthesis import draw_pages, draw_signatures
from fkd.text.crops import make_crops
from fkd.text.pages import list_pages
from fkd.text.stripes import segment_pages
from fkd.training.fitting import Batches, Record, fit
from fkd.training.recipe import PairRecipe, Recipe
from fkd.training.siamese import train_siamese
from fkd.training.targets import cache_geometry, cache_responses
from fkd.verification import Protocol, evaluate_wd, set_verifier, train_wi

COUNT = 6
SMALL = Networks(width=0.05, features=8)
ABOUT = {"student": asdict(PAPER["resnet18_cl_geom_bc"]), "images": 77, "seed": 1}
draw = np.random.default_rng(3)


def images():
    pixels = np.zeros((COUNT, 170, 242), np.uint8)
    pixels[:, 80:90, 100:140] = draw.integers(50, 200, (COUNT, 10, 40))
    return pixels


def place():
    """What stripes and crops have in common."""
    return {
        "page": np.array(["a/1.png"] * 3 + ["b/1.png"] * 3, object),
        "line": np.arange(COUNT, dtype=np.int32),
        "writer": np.repeat(np.array(["ann", "bob"], object), 3),
        "validation": np.arange(COUNT) % 2 == 0,
        "width": np.full(COUNT, 300, np.int32),
    }


SIGNED = {"writer": np.array(list("aaabbb"), object), "forgery": np.arange(COUNT) % 3 == 2}
TAUGHT = {"crops": "c0ffee", "teacher": "7ea", "about_teacher": {"sets": ["dev"]}}


def tree(nodes):
    return rooted_trees(torch.rand(COUNT, nodes, 3)).numpy()


SHARDS = {
    "pair_scores": lambda: (
        {
            "row": np.arange(COUNT, dtype=np.int32),
            "forged": np.arange(COUNT) % 3 == 2,
            "part": np.array([1, 1, 2, 2, 2, 2], np.int8),
            "score": np.arange(COUNT) / 4 - 1,
        },
        {"model": "mine", "pairs": "drawn", "threshold": 0.0, "set_on": "validation"},
        "4 test pairs, 2 with a forgery",
    ),
    "pairs": lambda: (
        SIGNED
        | {
            "file": np.array([f"{row}.png" for row in range(COUNT)], object),
            "copy_of": np.arange(COUNT, dtype=np.int32),
            "signature": np.array([f"{row:016x}" for row in range(COUNT)], object),
            "offset": np.arange(COUNT) * 600,
            "height": np.full(COUNT, 20, np.int32),
            "width": np.full(COUNT, 30, np.int32),
            "pixels": draw.integers(0, 255, COUNT * 600).astype(np.uint8),
            "first": np.array([0, 0, 3], np.int32),
            "second": np.array([1, 2, 4], np.int32),
            "forged": np.array([False, True, False]),
            "part": np.array([0, 0, 2], np.int8),
        },
        {"pairs": "mine", "images": "raw", "parts": {}},
        "training: 2 pairs, 1 with a forgery.",
    ),
    "stripes": lambda: (
        place()
        | {
            "height": np.full(COUNT, 30, np.int32),
            "top": np.arange(COUNT, dtype=np.int32) * 40,
            "columns": np.tile(np.arange(300, dtype=np.int32), COUNT),
            "offset": np.arange(COUNT) * 9000,
            "pixels": draw.integers(0, 255, COUNT * 9000).astype(np.uint8),
        },
        {"writers": ["a", "b"], "shard": 0},
        "6 stripes of 2 writers (2 in the study), 3 of them for validation",
    ),
    "crops": lambda: (
        place()
        | {
            "image": images(),
            "stripe": np.arange(COUNT, dtype=np.int32),
            "left": np.zeros(COUNT, np.int32),
            "crop": np.zeros(COUNT, np.int32),
            "ratio": np.full(COUNT, 2, np.float32),
            "canvas": np.full((COUNT, 2), (730, 1042), np.int32),
        },
        {"writers": ["a", "b", "c"], "seed": 1},
        "6 crops of 2 writers (3 in the study), 3 of them for validation",
    ),
    "signatures": lambda: (
        SIGNED
        | {
            "image": images(),
            "sample": np.array(list("123123"), object),
            "file": np.array(list("123456"), object),
            "copy_of": np.arange(COUNT, dtype=np.int32),
        },
        {"set": "mine", "layout": "folder", "copies": 2},
        "The set mine: 2 writers, 4 genuine signatures and 2 skilled forgeries",
    ),
    "responses": lambda: (
        {"feature": np.eye(COUNT, 5, dtype=np.float32)},
        TAUGHT,
        "6 vectors of 5 elements, one for each crop",
    ),
    "geometry": lambda: (
        {
            "tree_conv2": tree(442),
            "nac_conv2": draw.random((COUNT, 442), np.float32),
            "tree_own": tree(12),
            "nac_own": np.zeros((COUNT, 12), np.float32),
        },
        TAUGHT | {"maps": ["conv2", "own"], "radius": 5},
        "6 text crops, map conv2 of 17 x 26 nodes, map own of 3 x 4 nodes; neighbors are within 5",
    ),
    "features": lambda: (
        SIGNED | {"feature": draw.random((COUNT, 5), np.float32)},
        {"model": "resnet18_cl", "set": "mine"},
        "the model resnet18_cl says of the set mine: 6 vectors of 5 elements, of 2 writers; 2 are",
    ),
    "scores": lambda: (
        SIGNED
        | {
            "split": np.arange(COUNT) % 2,
            "row": np.arange(COUNT),
            "score": draw.random(COUNT),
            "random_split": np.zeros(2, np.int32),
            "random_writer": np.arange(2, dtype=np.int32),
            "random_score": draw.random(2),
            "references": np.zeros((2, 2, 3), np.int32),
        },
        {"model": "resnet18_cl", "set": "mine", "protocol": {"references": 3}},
        "6 scores in 2 splits, 4 of genuine signatures and 2 of skilled forgeries",
    ),
    "machine": lambda: (
        {
            "vector": draw.random((COUNT, 5), np.float32),
            "coefficient": np.array([1.0, 1, -1, -1, -1, 1]),
            "deviation": np.ones(5),
        },
        {"model": "resnet18_cl", "sets": ["theirs"], "writers": 4, "development_references": 2},
        "compares features of the model resnet18_cl and learned from 4 writers of theirs",
    ),
    "verifier": lambda: (
        {
            "score": draw.random(COUNT),
            "forgery": np.arange(COUNT) % 2 == 1,
            "person": np.arange(COUNT) // 2,
            "knot_score": np.array([0.0, 1.0]),
            "knot_log10_lr": np.array([-0.5, 0.5]),
        },
        {
            "model": "resnet18_cl",
            "verifier": "cosine",
            "protocol": {"references": 3},
            "measured_on": {"sets": ["theirs"], "writers": 3, "genuine": 3, "forged": 3},
            "thresholds": {"EER": {"value": 0.5, "frr": 0.25, "far": 0.25, "note": ""}},
        },
        "The verifier cosine of the model resnet18_cl with 3 references, set on 3 writers of theirs",
    ),
}
EVIDENCE = {
    "model": ["mine"] * 5,
    "set": ["theirs"] * 5,
    "verifier": ["wi"] * 5,
    "references": [3] * 5,
    "aim": ["EER"] * 3 + ["evidence"] * 2,
    "rate": ["FRR", "FAR_skilled", "HTER", "Cllr", "Cllr_min"],
    "value": [0.1, 0.2, 0.15, 0.5, 0.4],
}
DIFFERENCES = {
    "set": ["theirs"] * 2,
    "references": [3] * 2,
    "model": ["mine"] * 2,
    "seeds": [1] * 2,
    "rate": ["EER"] * 2,
    "versus": ["", "teacher"],
    "value": [0.1, -0.02],
    "low": [0.05, -0.04],
    "high": [0.2, 0.01],
    "p": ["", 0.3],
}
LOSSES = {
    "epoch": [1, 1, 2, 2],
    "subset": ["training", "validation"] * 2,
    "images": [80, 20] * 2,
    "classification": [3.0, 3.1, 1.0, 1.5],
    "total": [3.0, 3.1, 1.0, 1.5],
    "accuracy": [0.1, 0.1, 0.8, 0.5],
    "seconds": [1.0] * 4,
}
RATES = {
    "model": ["teacher"] * 2,
    "set": ["mine"] * 2,
    "references": [3] * 2,
    "split": [0, 1],
    **{rate: [0.1, 0.3] for rate in ("FRR", "FAR_random", "FAR_skilled", "mean_AUC", "EER")},
    "EER_userthresholds": [0.05, 0.15],
}
EER = {
    "set": ["mine"] * 2,
    "references": [3] * 2,
    "model": ["teacher", "mine"],
    "label": ["Teacher", "mine"],
    **{
        f"{rate}_{what}": [4.0, 2.5]
        for rate in ("EER_userthresholds", "EER")
        for what in ("mean", "sd")
    },
}
PAGES = {
    "page": ["1.png", "2.png"],
    "writer": ["a", "a"],
    "file": ["a/1.png", "a/2.png"],
    "shard": [0, 0],
    "validation_share": [0, 1],
}
TABLES = {
    "losses.csv": (LOSSES, "Training, 80 images: the total loss went from 3 to 1;", True),
    "teacher-3.csv": (RATES, "EER with a threshold for each writer: 10.00 ± 5.00 %", True),
    "eer.csv": (EER, "mine, 3 references: lowest is mine, 2.50 ± 2.50 %", True),
    "pages.csv": (PAGES, "2 pages of 1 writer, in 1 shard.", True),
    "job.tsv": (
        {"s": [3.5], "h:m:s": ["0:00:03"], "max_rss": [100], "cpu_time": [3]},
        "It took 3.5 s and 100 MB of memory at most.",
        False,
    ),
    "appearance.csv": (
        {"images of": ["crops"], "count": [5], "height_p50": [3]},
        "Ink of text crops and of genuine signatures",
        False,
    ),
    "run_times.csv": (
        {"stage": ["train"], "jobs": [5], "time (s)": [3]},
        "Where the time of a run went",
        False,
    ),
    "features.csv": ({"filename": ["a"], "1": [0.5]}, "Features of single images", False),
    "evidence.csv": (EVIDENCE, "the threshold EER: FRR 10.00%, FAR_skilled 20.00%, HTER", False),
    "differences.csv": (DIFFERENCES, "mine less teacher, EER: -2.00 (-4.00 to 1.00) %.", False),
    "across.csv": (
        {
            "set": ["a"],
            "verifier": ["wi"],
            "references": [3],
            "model": ["m"],
            "EER_userthresholds": [3],
            "EER": [4],
        },
        "all models across sets and verifiers",
        False,
    ),
    "others.csv": ({"a": [1, 2], "b": [3, 4]}, "knows no more than its columns", False),
}


def shown(path, capsys, draws=True):
    """What is said of a file; whether a picture was drawn."""
    png = path.with_name("picture.png")
    inspect_file(file=path, png=png if draws else None)
    if draws:
        with Image.open(png) as picture:
            pixels = np.asarray(picture.convert("L"))
        assert min(pixels.shape) > 50 and pixels.std() > 1
    return capsys.readouterr().out


@pytest.mark.parametrize("kind", SHARDS)
def test_shards(kind, tmp_path, capsys):
    arrays, attributes, fact = SHARDS[kind]()
    shards.write(tmp_path / "0.h5", kind, arrays, attributes)
    text = shown(tmp_path / "0.h5", capsys, draws=kind != "machine")
    assert fact in text
    assert "All digests hold" in text
    for name, values in arrays.items():
        row = next(line.split("  ") for line in text.splitlines() if line.startswith(f"{name} "))
        cells = [cell.strip() for cell in row if cell.strip()]
        kind_of = "text" if values.dtype == object else str(values.dtype)
        assert cells[1:3] == [" x ".join(map(str, values.shape)), kind_of]
        assert cells[3]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A shard of each kind, as the stages write it."""
    folder = tmp_path_factory.mktemp("written")
    path = {kind: folder / f"{kind}.h5" for kind in WHAT}
    pages, scans, teacher = folder / "pages", folder / "scans", folder / "teacher.safetensors"
    aside, text = folder / "aside.csv", {"quarantine": folder / "aside.csv", "seed": 1}
    draw_pages(folder=pages, writers=2, pages=1, lines=2, seed=1)
    listed = {"layout": "folder", "shards": 1, "validation_share": 0, **text}
    list_pages(source=pages, out=folder / "pages.csv", **listed)
    limits = {"shard": 0, "max_pixels": 10**7}
    segment_pages(pages=folder / "pages.csv", out=path["stripes"], **limits, **text)
    make_crops(stripes=path["stripes"], out=path["crops"], **text)
    draw_signatures(folder=scans, writers=2, genuine=3, skilled=2, seed=1)
    prepare_signatures(
        name="mine",
        source=scans,
        layout="folder",
        genuine="genuine/{writer}-{sample}.png",
        skilled="skilled/{writer}-{sample}.png",
        out=path["signatures"],
        quarantine=aside,
        max_pixels=10**7,
        max_share=0,
    )
    list_pairs(
        name="mine",
        signatures=path["signatures"],
        out=path["pairs"],
        quarantine=aside,
        audit=folder / "audit.csv",
        max_share=0,
        shares=PartShares("pairs", validation=0.3, test=0.3),
        seed=2,
    )
    given = {"pairs": path["pairs"], "device": "cpu", "threads": 1}
    train_siamese(
        **given,
        out=folder / "siamese.safetensors",
        losses=folder / "siamese.csv",
        checkpoint=folder / "siamese.pt",
        siamese=Siamese("mine", "contrastive", "signet"),
        networks=SMALL,
        recipe=PairRecipe(epochs=1, batch=2, steps=1),
    )
    evaluate_pairs(
        **given,
        weights=folder / "siamese.safetensors",
        out=folder / "rates.csv",
        scores=path["pair_scores"],
        name="mine",
        resamples=2,
    )
    models.save(models.build("signet", None, SMALL), teacher)
    asked = {"crops": path["crops"], "teacher": teacher, "threads": 1}
    cache_responses(out=path["responses"], **asked)
    cache_geometry(out=path["geometry"], **asked)
    model = linear(folder / "theirs.onnx", ("n", 1, 150, 220))
    extract_features(model=model, signatures=path["signatures"], out=path["features"])
    evaluate_wd(
        features=path["features"],
        metrics=folder / "metrics.csv",
        scores=path["scores"],
        protocol=Protocol(2, 1, 2, splits=2),
        threads=1,
    )
    train_wi(development=[path["features"]], out=path["machine"], development_references=2)
    set_verifier(
        development=[path["features"]],
        out=path["verifier"],
        verifier="wd",
        protocol=Protocol(2, 1, 2),
        calibration="isotonic",
        threads=1,
    )
    return path


def described(names):
    """Arrays as :data:`ARRAYS` names them; what is not in it by its own name."""
    return {next((rule for rule in ARRAYS if re.fullmatch(rule, name)), name) for name in names}


@pytest.mark.parametrize("kind", WHAT)
def test_the_arrays_that_a_stage_writes_are_described(kind, written, capsys):
    names = set(shards.read(written[kind], kind).arrays)
    meanings = {name: meaning for name, *_, meaning in describe(written[kind]).rows}
    assert set(meanings) == names
    assert all(meanings.values()), meanings
    assert "All digests hold" in shown(written[kind], capsys, draws=kind != "machine")
    # The shards that these tests make up have the same arrays.
    assert described(SHARDS[kind]()[0]) == described(names)


def test_no_array_and_no_kind_is_described_that_no_stage_writes(written):
    names = {name for path in written.values() for name in shards.read(path).arrays}
    assert described(names) == set(ARRAYS)
    for rule in ARRAYS:  # no name has two meanings
        for name in names:
            assert (rule in described([name])) == bool(re.fullmatch(rule, name))
    assert set(SHARDS) == set(WHAT)


def test_crops_and_stripes_are_told_by_the_names_of_their_writers(written):
    for kind in ("crops", "stripes"):
        writers = set(shards.read(written[kind], kind)["writer"])
        assert writers and all(isinstance(name, str) for name in writers)
        assert f"of {len(writers)} writers (2 in the study)" in str(describe(written[kind]))
    arrays, attributes, _ = SHARDS["crops"]()
    path = written["crops"].with_name("of_others.h5")
    # The names need not be those of the attribute: no writer is looked up by a number.
    shards.write(path, "crops", arrays, attributes | {"writers": []})
    assert "6 crops of 2 writers (0 in the study)" in str(describe(path))


def test_a_shard_without_rows_is_described_but_not_drawn(tmp_path, capsys):
    arrays, attributes, _ = SHARDS["crops"]()
    empty = {name: values[:0] for name, values in arrays.items()}
    shards.write(tmp_path / "0.h5", "crops", empty, attributes)
    assert "0 crops of 0 writers" in shown(tmp_path / "0.h5", capsys, draws=False)


@pytest.mark.parametrize("name", TABLES)
def test_tables(name, tmp_path, capsys):
    table, fact, draws = TABLES[name]
    path = tmp_path / name
    pd.DataFrame(table).to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    text = shown(path, capsys, draws)
    assert fact in text
    assert all(f"\n{column} " in text for column in table)
    if not draws:
        assert "nothing in it to be drawn" in refusal(path, png=tmp_path / "a.png")


def test_what_was_set_aside(tmp_path, capsys):
    aside = Quarantine([("a.png", "blank"), ("b.png", "blank")])
    aside.pass_over("c.txt", "no image")
    aside.write(tmp_path / "text.csv")
    text = shown(tmp_path / "text.csv", capsys, draws=False)
    assert "2 files set aside, 1 passed over." in text
    assert "2: blank" in text


def test_weights_and_model_of_a_study(tmp_path, capsys):
    weights, model = tmp_path / "weights.safetensors", tmp_path / "mine.onnx"
    models.save(models.build("resnet18", 4, SMALL), weights, ABOUT)
    text = shown(weights, capsys)
    told = "a student, trained on 77 text crops with CL + GEOM on conv2, conv5 + barlow_colleagues."
    assert f"Weights of a ResNet-18: {told}" in text
    assert "They fit the network" in text
    assert "network.num_classes" in text and "about.student.geometry.conv5" in text
    export_onnx(weights=weights, out=model, name="mine")
    text = shown(model, capsys)
    assert f"The model mine, a ResNet-18: {told}" in text
    assert "Takes image: float (batch, 1, 150, 220)." in text
    assert "Gives feature: float (batch, 8)." in text


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ({}, "random weights"),
        ({"student": {"colour": "red"}}, "of which this version cannot read the rest"),
        ({"imported": "signet.pth"}, "a teacher, imported from signet.pth"),
        (
            {"signatures": "0", "sets": ["dev"], "images": 9},
            "a teacher, trained on 9 signatures of dev",
        ),
    ],
)
def test_how_weights_came_about(about, told, tmp_path):
    models.save(models.build("signet", None, SMALL), tmp_path / "a.safetensors", about)
    assert told in str(describe(tmp_path / "a.safetensors"))


def test_models_of_others(tmp_path, capsys):
    tensors = {"stem.weight": torch.randn(3, 1, 5, 5), "bias": torch.tensor([0.0, np.nan])}
    save_file(tensors, tmp_path / "others.safetensors")
    text = shown(tmp_path / "others.safetensors", capsys)
    assert "of none of this study's networks" in text
    assert "Not finite: bias." in text
    linear(tmp_path / "others.onnx", (1, 1, 150, 220), (1, 1, 6))
    text = shown(tmp_path / "others.onnx", capsys, draws=False)
    assert "An ONNX model from elsewhere" in text
    assert "Takes data: float (1, 1, 150, 220)." in text
    model = onnx.load(tmp_path / "others.onnx")
    model.graph.node[0].op_type = "Sorcery"
    onnx.save(model, tmp_path / "others.onnx")
    text = shown(tmp_path / "others.onnx", capsys, draws=False)
    assert "ONNX's checker finds a fault" in text and "1 Sorcery" in text
    signet = models.build("signet", None, SMALL)
    torch.save((signet.state_dict(), None, None), tmp_path / "signet.pth")
    assert "Weights of SigNet, as its authors name them" in shown(tmp_path / "signet.pth", capsys)


def test_a_checkpoint(tmp_path, capsys):
    """A training that stops in its second epoch leaves one."""

    def batches(epoch):
        if epoch:
            raise KeyboardInterrupt
        yield {"image": torch.rand(4, 1, 150, 220), "writer": torch.tensor([0, 1, 0, 1])}

    def terms(network, batch):
        logits = network(batch["image"])
        return {"total": logits.square().mean()}, logits

    with pytest.raises(KeyboardInterrupt):
        fit(
            models.build("resnet18", 2, SMALL),
            terms,
            Batches(batches, 1),
            Recipe(epochs=3),
            Record(
                tmp_path / "weights.safetensors",
                tmp_path / "losses.csv",
                tmp_path / "checkpoint.pt",
                ABOUT | {"recipe": {"epochs": 3}},
            ),
        )
    text = shown(tmp_path / "checkpoint.pt", capsys)
    assert "1 of 3 epochs are done. a student, trained on 77" in text
    assert "student.response.loss" in text


def test_archives(tmp_path, capsys):
    arrays, attributes, _ = SHARDS["signatures"]()
    shards.write(tmp_path / "set.h5", "signatures", arrays, attributes)
    export_signatures(signatures=tmp_path / "set.h5", out=tmp_path / "set.npz")
    text = shown(tmp_path / "set.npz", capsys)
    assert "2 writers, 4 genuine signatures and 2 skilled forgeries" in text
    features = draw.random((3, 5), np.float32)
    np.savez(tmp_path / "features.npz", features=features, filenames=np.array(list("abc")))
    assert "3 vectors of 5 elements." in shown(tmp_path / "features.npz", capsys)


def refusal(path, **options):
    with pytest.raises(FkdError) as error:
        inspect_file(file=path, **options)
    return str(error.value)


class Bomb:
    """What a hostile file would have run."""

    def __reduce__(self):
        return (exec, ("raise SystemError('code in a file was run')",))


def text_of(content):
    return lambda path: path.write_text(content)


def hostile_pth(path):
    torch.save({"weight": Bomb()}, path)


def hostile_npz(path):
    np.savez(path, features=np.array([Bomb()], object), filenames=np.array(["a"]))


def huge_npz(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("x.npy", bytes(300_000_000))


def huge_shard(path):
    with h5py.File(path, "w") as file:
        file.attrs.update(kind="crops", version=shards.VERSION)
        file.create_dataset("image", (10**6, 10**4), "u1", chunks=(100, 10**4))


def strange_shard(path):
    shards.write(path, "crops", {"line": np.zeros(2, int)}, {})


def shard_of_another_kind(path):
    shards.write(path, "recipes", {"values": np.zeros((2, 3))}, {})


def foreign_hdf5(path):
    with h5py.File(path, "w") as file:
        file["a"] = [1, 2]


def damaged_shard(path):
    arrays, attributes, _ = SHARDS["signatures"]()
    shards.write(path, "signatures", arrays, attributes)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)


def other_weights(path):
    network = models.build("resnet18", None, SMALL)
    about = {"architecture": network.architecture, "settings": network.settings, "about": {}}
    save_file({"fc.weight": torch.ones(2)}, path, {METADATA: json.dumps(about)})


def strange_about(path):
    models.save(models.build("resnet18", None, SMALL), path, [1, 2])


def strange_checkpoint(path):
    torch.save({"about": "{", "epoch": 1, "network": {}, "log": "[]"}, path)


def sparse_weights(path):
    torch.save({"weight": torch.eye(3).to_sparse()}, path)


FAULTS = {
    "missing": ("a.h5", lambda path: None, "no such file"),
    "a folder": ("a.h5", lambda path: path.mkdir(), "a folder. Give one file"),
    "empty": ("a.csv", lambda path: path.touch(), "the file is empty; expected a shard"),
    "unknown ending": ("a.docx", text_of("x"), "unknown by its ending; expected a shard (*.h5)"),
    "no shard": ("a.h5", text_of("x"), "not a whole HDF5 file"),
    "another's HDF5": ("a.h5", foreign_hdf5, "expected a shard of any kind"),
    "unknown kind": ("a.h5", shard_of_another_kind, "expected one of stripes, crops"),
    "lacking arrays": ("a.h5", strange_shard, "says that it holds crops, but lacks what these"),
    "damaged shard": ("a.h5", damaged_shard, "remove it and run the workflow again"),
    "huge shard": (
        "a.h5",
        huge_shard,
        "content takes 10,000,000,000 bytes, more than 1000 times the file. No shard of a study "
        "shrinks so much. If a run of a study wrote it, remove it",
    ),
    "no weights": ("a.safetensors", text_of("x" * 99), "Expected a safetensors file"),
    "weights that do not fit": (
        "a.safetensors",
        other_weights,
        "these weights do not fit ResNet18",
    ),
    "weights of a strange origin": (
        "a.safetensors",
        strange_about,
        "not what a file *.safetensors",
    ),
    "code in weights": ("a.pth", hostile_pth, "code in it is never run"),
    "code in a checkpoint": (
        "a.pt",
        lambda path: path.write_bytes(pickle.dumps(Bomb())),
        "never run",
    ),
    "no tensors": ("a.pth", lambda path: torch.save({"a": 1}, path), "holds no tensors"),
    "strange checkpoint": ("a.pt", strange_checkpoint, "not a whole checkpoint"),
    "no ONNX": ("a.onnx", text_of("x"), "not a whole ONNX model"),
    "weights that are not plain": ("a.pth", sparse_weights, "not what a file *.pth should be"),
    "no archive": ("a.npz", text_of("x"), "not a readable .npz file"),
    "code in an archive": ("a.npz", hostile_npz, "not a readable .npz file"),
    "huge archive": (
        "a.npz",
        huge_npz,
        "content takes 300,000,000 bytes, more than 100 times the file. Images and "
        "features do not shrink so much; if it holds them, save it without compression",
    ),
    "another archive": (
        "a.npz",
        lambda path: np.savez(path, a=np.ones(2)),
        "holds a; expected a prepared set (x, y, yforg, filenames) or features",
    ),
    "no text": ("a.csv", lambda path: path.write_bytes(b"\xff\xfe\x00"), "not a table in UTF-8"),
    "ragged": ("a.csv", text_of("a,b\n1,2\n3\n"), "row 3 has 1 field, expected 2"),
    "nameless columns": ("a.csv", text_of("a,a\n1,2\n"), "does not name each column once"),
    "no numbers": (
        "a.csv",
        text_of("epoch,subset,images,total,accuracy\n1,training,many,1,1\n"),
        "But a value in it does not fit (could not convert string to float: 'many'). If a run of a study wrote it, remove it",
    ),
}


@pytest.mark.parametrize(("name", "make", "message"), FAULTS.values(), ids=FAULTS)
def test_faults_are_told_without_a_traceback(name, make, message, tmp_path, capsys):
    make(tmp_path / name)
    with pytest.raises(SystemExit) as stop:
        main(["inspect", str(tmp_path / name)])
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert name in error


def test_nothing_of_a_file_reaches_the_terminal_as_control_characters(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("a\x1b[2J,b\n\x1b]0;x\x07,2\n")
    assert "\x1b" not in shown(tmp_path / "a.csv", capsys, draws=False)


def test_what_cannot_be_drawn_is_said(tmp_path):
    table = LOSSES | {"total": ["nan", "inf", "-inf", 1e308]}
    path = tmp_path / "losses.csv"
    pd.DataFrame(table | {"epoch": [1e308] * 4}).to_csv(path, index=False)
    assert "losses.csv: its picture cannot be drawn" in refusal(path, png=tmp_path / "a.png")


def test_a_picture_is_a_png(tmp_path):
    path = tmp_path / "losses.csv"
    pd.DataFrame(LOSSES).to_csv(path, index=False)
    assert "written as *.png" in refusal(path, png=tmp_path / "a.jpg")
