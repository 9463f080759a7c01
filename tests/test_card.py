"""Cards of models: what stands on them is what the files say, and their commands run."""

import hashlib
import json
import re
from dataclasses import asdict

import numpy as np
import onnx
import pandas as pd
import pytest

from fkd import models
from fkd.__main__ import main
from fkd.errors import FkdError
from fkd.models.export import export_onnx
from fkd.models.features import prepare_image
from fkd.report.card import NOT_STATED, write_cards
from fkd.study.parts import Networks
from fkd.study.students import PAPER
from fkd.synthesis import draw_signatures
from fkd.training.recipe import PairRecipe, Recipe

NETWORKS = Networks(width=0.05, features=8)
TRAINED = {"recipe": asdict(Recipe(epochs=7)), "networks": asdict(NETWORKS), "seed": 3}
OF_TEACHER = {"architecture": "signet", "sets": ["development"], "images": 840, **TRAINED}
OF_STUDENT = {
    "student": asdict(PAPER["resnet18_cl_geom_bc"]),
    "half": True,
    "radius": 4,
    "images": 1117,
    **TRAINED,
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A student as the study exports it."""
    folder = tmp_path_factory.mktemp("models")
    network = models.build("resnet18", 5, NETWORKS, 1)
    models.save(network, folder / "weights.safetensors", OF_STUDENT)
    name = "resnet18_cl_geom_bc"
    export_onnx(weights=folder / "weights.safetensors", out=folder / f"{name}.onnx", name=name)
    return folder / f"{name}.onnx", network


def relabel(source, out, **changes):
    """Copy an ONNX file under other metadata."""
    model = onnx.load(source)
    about = {entry.key: entry.value for entry in model.metadata_props} | changes
    onnx.helper.set_model_props(model, about)
    onnx.save(model, out)
    return out


@pytest.fixture
def card(exported, tmp_path):
    """Write the card of a model as some training left it."""
    layout = {"text": "iam", "development": "npz", "cedar": "cedar", "of_mine": "folder"}
    rows = [("text", "text", 24), *(("signatures", s, 60) for s in list(layout)[1:])]
    data = pd.DataFrame(rows, columns=["kind", "name", "writers"]).assign(pages=72)
    rates = pd.DataFrame(
        {
            "model": ["teacher", "resnet18_cl_geom_bc", "resnet18_cl_geom_bc", "resnet18_random"],
            "set": ["cedar", "cedar", "of_mine", "cedar"],
            "references": [12, 12, 5, 12],
        }
    )
    for number, rate in enumerate(("EER_userthresholds", "EER", "mean_AUC"), 1):
        rates[f"{rate}_mean"] = number * np.array([1.0, 2.004, 3.0, 4.0])
        rates[f"{rate}_sd"] = number * np.array([0.1, 0.2, 0.3, 0.4])
    rates.to_csv(tmp_path / "eer.csv", index=False)

    def write(
        drawn=(),
        of_teacher=OF_TEACHER,
        license=None,
        title="A study",
        text="iam",
        verifiers=None,
        **changes,
    ):
        layouts = layout | {"text": text} | dict.fromkeys(drawn, "synthetic")
        data.assign(layout=data["name"].map(layouts)).to_csv(tmp_path / "data.csv", index=False)
        path, teacher = exported[0], tmp_path / "teacher.onnx"
        about = {
            "name": "teacher",
            "architecture": "signet",
            "trained_with": json.dumps(of_teacher),
        }
        relabel(path, teacher, **about)
        if changes and changes["name"] != "teacher":
            path = relabel(path, tmp_path / f"{changes['name']}.onnx", **changes)
        write_cards(
            models=[teacher if changes.get("name") == "teacher" else path],
            teacher=teacher,
            eer=tmp_path / "eer.csv",
            data=tmp_path / "data.csv",
            title=title,
            markdown=[tmp_path / "card.md"],
            license=license,
            verifiers=verifiers,
        )
        return (tmp_path / "card.md").read_text()

    return write


RATES_AT = ("FRR", "FAR_skilled", "FAR_random", "HTER")


def section(text, heading):
    return text.split(f"## {heading}\n")[1].split("\n## ")[0]


def test_text_that_others_cut_has_no_pages(card):
    learned = section(card(text="crops"), "What it learned from")
    assert "1,117 crops of handwriting that others cut, 24 writers; no signature" in learned


def test_a_student_names_its_training(card):
    text = card()
    assert text.startswith("# resnet18_cl_geom_bc: ResNet-18 CL+GEOM+BC\n")
    learned = section(text, "What it learned from")
    for expected in (
        "1,117 crops of handwriting of the IAM database, 72 pages by 24 writers; no signature",
        "cross-entropy on the writers of the text (CL, weight 1)",
        "GEOM, weight 10 on conv2 and 100 on conv5, neighbors within 4 hops",
        "Barlow Colleagues between the responses (weight 0.0001, lambda 0.0001)",
        "7 epochs, batches of 64; seed 3",
        "Teacher: 840 genuine signatures of 60 writers (development)",
    ):
        assert expected in learned


def test_the_model_is_described_as_it_is(card, exported):
    path, network = exported
    text = section(card(), "Model")
    features = network.settings["features"]
    count = sum(
        values.numel() for key, values in network.named_parameters() if "classifier" not in key
    )
    assert f"parameters: {count:,}" in text
    assert f"feature: {features} elements" in text
    assert hashlib.sha256(path.read_bytes()).hexdigest() in text


def test_verifiers_are_told_where_thresholds_were_set(card, tmp_path):
    rows = [
        ("a posteriori", "EER", 0.03),
        *[("EER", rate, 0.01 * n) for n, rate in enumerate(RATES_AT, 1)],
        ("EER", "threshold", 0.25),
        ("evidence", "Cllr", 0.5),
        ("evidence", "Cllr_min", 0.4),
    ]
    table = pd.DataFrame(rows, columns=["aim", "rate", "value"])
    table = table.assign(model="resnet18_cl_geom_bc", set="cedar", verifier="wi", references=12)
    other = table.assign(model="teacher", value=0.9)
    pd.concat([table, other]).to_csv(tmp_path / "verifiers.csv", index=False)
    text = card(verifiers=tmp_path / "verifiers.csv")
    told = section(text, "Verifiers")
    assert "| wi         | cedar | 12     | EER   | 0.25" in told
    cells = [cell.strip() for cell in told.splitlines()[3].split("|")]
    assert cells[-5:-1] == ["1.00", "2.00", "3.00", "4.00"]
    assert "Cllr of wi on cedar 0.500; Cllr min of wi on cedar 0.400 (bits)" in told
    assert "No threshold comes with the model" not in text
    assert "## Verifiers" not in card() and "No threshold comes with the model" in card()


def test_error_rates_are_those_of_the_table(card):
    rates = section(card(), "Error rates")
    assert "| cedar   | 12     | 2.00 ± 0.20" in rates
    assert "| of_mine | 5      | 3.00 ± 0.30" in rates
    assert "4.01 ± 0.40" in rates and "6.01 ± 0.60" in rates
    assert "1.00 ± 0.10" not in rates
    assert "All thresholds are a posteriori" in rates
    assert "cedar and of_mine alone" in section(card(), "Limits")


def test_the_teachers_card(card):
    text = card(name="teacher")
    assert text.startswith("# teacher: SigNet (teacher)\n")
    learned = section(text, "What it learned from")
    assert "840 genuine signatures of 60 writers (development)" in learned
    assert "crops" not in learned
    assert "1.00 ± 0.10" in text
    imported = card(name="teacher", of_teacher={"imported": "signet.pth"})
    assert "trained by others, signet.pth" in section(imported, "What it learned from")


@pytest.mark.parametrize(
    ("forgeries", "told"),
    [
        ("classes", "told apart, with the skilled forgeries of each as a class of their own"),
        ("output", "told apart, and skilled forgeries by a further output, as SigNet-F does"),
    ],
)
def test_a_teacher_tells_what_it_learned_from_forgeries(card, forgeries, told):
    about = OF_TEACHER | {"forgeries": forgeries, "editions": {"development": 7}}
    learned = section(card(of_teacher=about, name="teacher"), "What it learned from")
    assert "840 signatures and forgeries of 60 writers (development)" in learned
    assert f"{told}, other ones of development in each epoch; " in learned


OF_PAIRS = {
    "siamese": {"pairs": "of_people", "loss": "contrastive", "parameters": {"margin": 1.5}},
    "pairs": {"pairs": "of_people", "signatures": "of_mine", "parts": {"split": "writers"}},
    "start": None,
    "images": 321,
    **TRAINED,
    "recipe": asdict(PairRecipe(schedule="exponential", keep="accuracy", patience=4)),
}
OF_PAIRS["siamese"]["architecture"] = "signet"


def test_a_siamese_network_names_its_pairs(card):
    about = {"name": "of_pairs", "trained_with": json.dumps(OF_PAIRS)}
    text = card(drawn=["of_mine"], **about)
    learned = section(text, "What it learned from")
    for expected in (
        "321 pairs of signatures of of_mine for training, the list of_people, divided by writers",
        "contrastive (margin 1.5); compared by the distance of two embeddings",
        "Start: random weights",
        "Adam, a learning rate of 0.001, halved every 500 steps; 20 epochs, batches of 32; the epoch "
        "with the best validation accuracy is kept, ended after 4 epochs without a better one",
    ):
        assert expected.replace("_", "\\_") in learned or expected in learned
    assert "it learned from signatures drawn by a program" in text


def test_a_siamese_network_that_starts_from_a_student_learned_from_its_data(card):
    start = {"model": "resnet18_cl_geom_bc", "weights": "0"}
    siamese = OF_PAIRS["siamese"] | {"initialize": {"student": start["model"]}}
    trained = OF_PAIRS | {"start": start, "siamese": siamese}
    about = {"name": "of_pairs", "trained_with": json.dumps(trained)}
    text = card(drawn=["development"], text="synthetic", **about)
    assert "it learned from text and signatures drawn by a program" in text
    assert "Start: resnet18" in section(text, "What it learned from")


def test_random_weights_learned_nothing(card):
    about = json.dumps({"networks": asdict(NETWORKS), "seed": 9})
    text = card(name="resnet18_random", trained_with=about)
    assert text.startswith("# resnet18_random: ResNet-18 random weights\n")
    assert "Nothing: its weights are random, drawn from seed 9" in text
    assert "ynthetic" not in text


@pytest.mark.parametrize(
    ("drawn", "learned", "judged"),
    [
        ((), None, None),
        (["text"], "text", None),
        (["development"], "signatures", None),
        (["text", "development"], "text and signatures", None),
        (["cedar"], None, "cedar"),
        (["text", "cedar", "of_mine"], "text", "cedar and of_mine"),
    ],
)
def test_synthetic_data_is_named_on_the_face(card, drawn, learned, judged):
    text = card(drawn)
    face = text.split("## Model")[0]
    assert (f"it learned from {learned} drawn by a program" in face) == bool(learned)
    assert (f"judged on signatures drawn by a program ({judged})" in face) == bool(judged)
    assert face.count("**Synthetic data") == bool(learned) + bool(judged)
    assert ("Its training data is drawn" in text) == bool(learned)


def test_drawn_text_does_not_unmake_rates_of_real_signatures(card):
    measured, unmeasured = card(["text"]), card(["text", "cedar", "of_mine"])
    for unmade in ("have no meaning", "shows that the study runs, and no more"):
        assert unmade not in measured and unmade in unmeasured
    assert "error rates below say what it is worth" in measured.split("## Model")[0]


def test_drawn_signatures_of_the_teacher_do_not_touch_a_student_of_cl_alone(card):
    about = json.dumps(OF_STUDENT | {"student": asdict(PAPER["resnet18_cl"])})
    text = card(["development"], name="resnet18_cl", trained_with=about)
    assert "ynthetic" not in text
    assert "Teacher:" not in text


def test_the_license_is_given_or_said_not_to_be(card):
    assert f"license: {NOT_STATED}" in card()
    assert "license: CC BY-NC 4.0\n" in card(license="CC BY-NC 4.0")


def test_markup_in_title_license_and_names_is_text(card):
    teacher = {**OF_TEACHER, "imported": "sig*net*`.pth"}
    text = card(of_teacher=teacher, title="A *study* <b>\n\n# of", license="[mine](http://x.y) _v_")
    assert "offline signatures. A \\*study\\* \\<b> \\# of.\n" in text
    assert "license: \\[mine\\](http://x.y) \\_v\\_\n" in text
    assert "trained by others, sig\\*net\\*\\`.pth." in text


def test_a_model_that_was_not_judged_says_so(card):
    assert "It was not judged." in card(name="resnet18_cl")


def test_what_the_card_says_of_use_runs(card, exported, tmp_path, monkeypatch):
    use = section(card(), "Use")
    draw_signatures(folder=tmp_path / "drawn", writers=1, genuine=1, skilled=0, seed=1)
    scan = next((tmp_path / "drawn/genuine").iterdir())
    scan.rename(tmp_path / "signature.png")
    (tmp_path / exported[0].name).write_bytes(exported[0].read_bytes())
    monkeypatch.chdir(tmp_path)
    command, python = re.findall(r"```\w+\n(.*?)```", use, re.DOTALL)
    main(command.removeprefix("python -m fkd ").split())
    found: dict = {}
    exec(python, found)
    with np.load("features.npz", allow_pickle=False) as file:
        np.testing.assert_allclose(file["features"], found["features"], rtol=1e-5, atol=1e-6)
    assert found["features"].shape == (1, 8)
    assert prepare_image("signature.png").shape == (150, 220)


def test_each_model_has_its_own_card(card, exported, tmp_path):
    alone = {name: card(name=name) for name in ("teacher", "resnet18_cl_geom_bc")}
    cards = [tmp_path / f"{name}.md" for name in alone]
    given = {
        "teacher": tmp_path / "teacher.onnx",
        "eer": tmp_path / "eer.csv",
        "data": tmp_path / "data.csv",
        "title": "A study",
    }
    students = tmp_path / "resnet18_cl_geom_bc.onnx"
    write_cards(models=[tmp_path / "teacher.onnx", students], markdown=cards, **given)
    found = [path.read_text(encoding="utf-8") for path in cards]
    assert found == list(alone.values()) and found[0] != found[1]
    assert [f"`{name}.onnx`" in text for name, text in zip(alone, found, strict=True)] == [True] * 2


@pytest.mark.parametrize(
    "content", [b"", b"no model", onnx.ModelProto().SerializeToString() + b"\x08\x07"]
)
def test_other_files_are_refused(card, exported, tmp_path, content):
    card()
    (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(FkdError, match=r"bad\.onnx: no ONNX model of a study"):
        write_cards(
            models=[tmp_path / "bad.onnx"],
            teacher=tmp_path / "teacher.onnx",
            eer=tmp_path / "eer.csv",
            data=tmp_path / "data.csv",
            title="A study",
            markdown=[tmp_path / "card.md"],
        )
