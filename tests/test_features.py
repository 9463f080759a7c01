"""From images to features, on the command line."""

import re

import cv2
import numpy as np
import pandas as pd
import pytest
from foreign import expected, linear
from PIL import Image

from fkd.__main__ import main
from fkd.images import read_gray
from fkd.models.features import describe_images
from fkd.preprocess import normalize
from fkd.synthesis import draw_signatures


@pytest.fixture
def scans(tmp_path, monkeypatch):
    """Twelve signatures in a folder, and a model for one image at a time."""
    monkeypatch.chdir(tmp_path)
    linear(tmp_path / "model.onnx", (1, 1, 150, 220), (1, 1, 6))
    draw_signatures(folder=tmp_path / "scans", writers=1, genuine=12, skilled=0, seed=1)
    return sorted((tmp_path / "scans/genuine").iterdir())


def features_of(paths):
    pixels = [normalize(read_gray(path))[10:160, 11:231] for path in paths]
    return expected(np.stack(pixels))


@pytest.mark.fidelity("network input")
def test_images_become_an_npz(scans):
    names = [str(path) for path in (scans[3], scans[0])]
    main(["features", "model.onnx", *names, "-o", "new/features.npz"])
    with np.load("new/features.npz", allow_pickle=False) as file:
        assert set(file) == {"features", "filenames"}
        assert file["filenames"].tolist() == names
        assert file["features"].dtype == np.float32
        np.testing.assert_allclose(file["features"], features_of(names), rtol=1e-4, atol=1e-4)


def test_a_folder_becomes_a_csv_in_natural_order(scans):
    for at in (2, 11):
        scans[at].rename(scans[at].with_name(f"{at}.PNG"))
    (scans[0].parent / "notes.txt").write_text("no image")
    main(["features", "model.onnx", "scans", "-o", "features.csv"])
    table = pd.read_csv("features.csv")
    assert table.columns.tolist() == ["filename", "1", "2", "3", "4", "5", "6"]
    assert len(table) == 12
    assert table["filename"][10:].tolist() == [f"scans/genuine/{at}.PNG" for at in (2, 11)]
    found = table.drop(columns="filename").to_numpy()
    np.testing.assert_allclose(found, features_of(table["filename"]), rtol=1e-4, atol=1e-4)


def refusal(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        main(["features", *map(str, words)])
    assert stop.value.code != 0
    text = capsys.readouterr().err
    assert "Traceback" not in text
    return text


def test_every_bad_image_is_named_and_nothing_is_written(scans, capsys, tmp_path):
    cv2.imwrite("blank.png", np.full((80, 200), 250, np.uint8))
    scans[1].write_bytes(scans[1].read_bytes()[:200])
    text = refusal(capsys, "model.onnx", scans[0], "blank.png", scans[1], "none.png", "-o", "a.npz")
    assert "3 of 4 images cannot be used, so nothing is written" in text
    assert "blank.png: blank: all pixels are equal" in text
    assert f"{scans[1]}: damaged" in text
    assert "none.png: no such file" in text
    assert not (tmp_path / "a.npz").exists()


def test_hostile_names_are_spelled_out(scans, capsys):
    """Of a file that cannot be used, of one that can, and of one of several images."""
    bad, good, several = (
        scans[0].with_name(f"{name}\x1b]0;owned\x07\nerror: \u202e{ending}")
        for name, ending in (("bad", ".png"), ("good", ".png"), ("several", ".tif"))
    )
    spelled = r"\x1b]0;owned\x07\nerror: \u202e"
    scans[0].rename(good)
    pages = [Image.fromarray(read_gray(scans[1]))] * 2
    pages[0].save(several, save_all=True, append_images=pages[1:])
    main(["features", "model.onnx", str(good), str(several), "-o", "a.csv"])
    said = capsys.readouterr().err
    assert f"several{spelled}.tif: holds several images" in said
    assert pd.read_csv("a.csv")["filename"][0].endswith(f"good{spelled}.png")
    bad.write_bytes(b"no image")
    said += refusal(capsys, "model.onnx", bad, "-o", "b.csv")
    assert f"bad{spelled}.png: not a readable image" in said
    assert not re.search("[\x07\x1b\u202e]|^error: .?png", said, re.M)


def test_faults_of_the_command(scans, capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "a.txt: features are written as .npz or .csv" in refusal(
        capsys, "model.onnx", scans[0], "-o", "a.txt"
    )
    assert "none.onnx: no such file" in refusal(capsys, "none.onnx", scans[0], "-o", "a.npz")
    assert "empty: no image" in refusal(capsys, "model.onnx", "empty", "-o", "a.npz")
    assert "images" in refusal(capsys, "model.onnx", "-o", "a.npz")
    assert "out" in refusal(capsys, "model.onnx", scans[0])


def test_help_lists_stages_and_commands(capsys):
    main(["--help"])
    text = capsys.readouterr().out
    for name in ("features", "teacher-check", "train_student", "export_signatures"):
        assert f"\n  {name} " in text


def test_the_library_does_what_the_command_does(scans, tmp_path):
    describe_images(model=tmp_path / "model.onnx", images=scans[:2], out=tmp_path / "a.npz")
    with np.load("a.npz") as file:
        np.testing.assert_allclose(file["features"], features_of(scans[:2]), rtol=1e-4, atol=1e-4)
