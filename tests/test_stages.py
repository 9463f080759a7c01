"""The command line: every stage by hand, from drawn pages to tables."""

import inspect
import json
import re
import subprocess
import sys
from dataclasses import asdict

import onnx
import pandas as pd
import pytest
from docstring_parser import parse

from fkd.__main__ import COMMANDS, STAGES, load, main
from fkd.inspection.shards import ARRAYS
from fkd.storage import shards
from fkd.study.students import PAPER


@pytest.mark.parametrize("name", STAGES)
def test_every_parameter_is_explained(name):
    described = {p.arg_name: p.description for p in parse(inspect.getdoc(load(name))).params}
    parameters = inspect.signature(load(name)).parameters
    assert [p for p in parameters if not described.get(p)] == []
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters.values())


def test_the_overview_names_everything_without_heavy_imports():
    script = "import sys; from fkd.__main__ import main; main([]); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    *overview, modules = done.stdout.splitlines()
    for name in STAGES | COMMANDS:
        assert sum(line.startswith(f"  {name} ") for line in overview) == 1
    assert {"torch", "onnx", "h5py", "matplotlib"} & set(modules.split()) == set()


@pytest.mark.parametrize("name", STAGES | COMMANDS)
def test_help_is_in_plain_words_and_ends_with_an_example(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text.partition("example: ")[2].startswith(f"python -m fkd {name} ")
    assert re.findall(r":\w+:`|``", text) == []


def test_an_unknown_name_is_told_what_is_close(capsys):
    with pytest.raises(SystemExit):
        main(["inspekt"])
    assert "Did you mean inspect?" in capsys.readouterr().err


def run(stage, **arguments):
    words = [stage]
    for name, value in arguments.items():
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        words += [f"--{name.replace('__', '.')}", text.strip('"')]
    main(words)


def test_a_fault_of_the_user_is_one_message(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        run("export_onnx", weights=tmp_path / "no.safetensors", out=tmp_path / "a.onnx", name="a")
    assert stop.value.code == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert "no.safetensors: no such file" in captured.err
    assert "Traceback" not in captured.err


def test_from_pages_to_tables_by_hand(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = {"networks__width": 0.05, "networks__features": 16, "threads": 1}
    recipe = {"recipe__epochs": 1, "recipe__batch": 8}
    run("draw_pages", folder="pages", writers=3, pages=2, lines=3, seed=1)
    run(
        "list_pages",
        source="pages",
        layout="folder",
        out="pages.csv",
        quarantine="pages.aside.csv",
        shards=1,
        validation_share=0.3,
        seed=1,
    )
    run(
        "segment_pages",
        pages="pages.csv",
        shard=0,
        out="stripes.h5",
        quarantine="stripes.aside.csv",
        max_pixels=100_000_000,
        seed=1,
    )
    run(
        "make_crops",
        stripes="stripes.h5",
        out="crops.h5",
        quarantine="crops.aside.csv",
        canvases=[[952, 1360], [730, 1042]],
        ratios=[1.6757, 2.721],
        ratio_per="interval",
        max_per_page=8,
        seed=1,
    )
    run(
        "check_text",
        pages="pages.csv",
        crops=["crops.h5"],
        page_lists=["pages.aside.csv", "stripes.aside.csv"],
        crop_lists=["crops.aside.csv"],
        out="aside.csv",
        max_share=0.01,
    )
    assert pd.read_csv("aside.csv").empty
    for name, first in (("development", 11), ("drawn", 1)):
        draw = {"writers": 3, "genuine": 6, "skilled": 3, "first": first}
        run("draw_signatures", folder=name, seed=1, **draw)
        run(
            "prepare_signatures",
            name=name,
            source=name,
            layout="folder",
            genuine="genuine/{writer}-{sample}.png",
            skilled="skilled/{writer}-{sample}.png",
            out=f"{name}.h5",
            quarantine=f"{name}.aside.csv",
            max_pixels=100_000_000,
            max_share=0.01,
        )
    run(
        "compare_appearance",
        crops=["crops.h5"],
        signatures=["drawn.h5"],
        csv="appearance.csv",
        markdown="appearance.md",
        svg="appearance.svg",
        png="appearance.png",
    )
    assert pd.read_csv("appearance.csv")["images of"].tolist() == ["text crops", "drawn"]
    run(
        "train_teacher",
        signatures=["development.h5"],
        out="teacher.safetensors",
        losses="teacher.csv",
        checkpoint="teacher.pt",
        **small,
        **recipe,
    )
    teacher = {"crops": "crops.h5", "teacher": "teacher.safetensors", "threads": 1}
    run("cache_responses", out="responses.h5", **teacher)
    run("cache_geometry", out="geometry.h5", **teacher)
    run(
        "train_student",
        crops=["crops.h5"],
        responses=["responses.h5"],
        geometry=["geometry.h5"],
        out="student.safetensors",
        losses="student.csv",
        checkpoint="student.pt",
        student="signet_cl_geom_bc",
        **small,
        **recipe,
    )
    networks = {key: small[key] for key in ("networks__width", "networks__features")}
    run("random_student", out="random.safetensors", architecture="resnet18", **networks)
    metrics = []
    for model in ("teacher", "student", "random"):
        run("export_onnx", weights=f"{model}.safetensors", out=f"{model}.onnx", name=model)
        run(
            "extract_features",
            model=f"{model}.onnx",
            signatures="drawn.h5",
            out=f"{model}.h5",
            threads=1,
        )
        metrics.append(f"{model}.metrics.csv")
        run(
            "evaluate_wd",
            features=f"{model}.h5",
            metrics=metrics[-1],
            scores=f"{model}.scores.h5",
            protocol__references=3,
            protocol__test_genuine=3,
            protocol__test_skilled=3,
            protocol__splits=3,
        )
        run(
            "set_verifier",
            development=[f"{model}.h5"],
            out=f"{model}.verifier.h5",
            verifier="wd",
            protocol__references=3,
            protocol__test_genuine=3,
            protocol__test_skilled=3,
        )
    run("train_wi", development=["teacher.h5"], out="machine.h5", development_references=2)
    run(
        "list_pairs",
        name="drawn",
        signatures="drawn.h5",
        out="pairs.h5",
        quarantine="pairs.csv",
        audit="audit.csv",
        max_share=0.0,
        shares__split="pairs",
        draw__pairs=4,
    )
    students = {
        "student": {"architecture": "signet", "classification": 1},
        "random": asdict(PAPER["resnet18_cl_geom_bc"]),
    }
    run(
        "compare_models",
        scores=[metric.replace("metrics.csv", "scores.h5") for metric in metrics],
        out="differences.csv",
        students=students,
    )
    run(
        "write_tables",
        metrics=metrics,
        differences=["differences.csv"],
        csv="eer.csv",
        markdown="eer.md",
        title="By hand",
        students=students,
        synthetic=["text", "signatures"],
    )
    table = pd.read_csv("eer.csv")
    assert sorted(table["model"]) == ["random", "student", "teacher"]
    assert table["EER_mean"].between(0, 100).all()
    properties = {p.key: p.value for p in onnx.load("student.onnx").metadata_props}
    assert json.loads(properties["trained_with"])["student"]["architecture"] == "signet"
    scores = shards.read("student.scores.h5", "scores")
    assert scores.attributes["protocol"]["references"] == 3
    assert len(scores["score"]) == 3 * 3 * 6
    # What `inspect` says of arrays is what stages write, no more and no less.
    written = {name for path in tmp_path.glob("*.h5") for name in shards.read(path).arrays}
    described = {name: re.compile(name) for name in ARRAYS}
    unknown = [n for n in written if not any(rule.fullmatch(n) for rule in described.values())]
    unwritten = [n for n, rule in described.items() if not any(map(rule.fullmatch, written))]
    assert (unknown, unwritten) == ([], [])
