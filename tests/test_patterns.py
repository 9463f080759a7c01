"""Patterns of file names, and the layouts of public sets that docs/data_set.md describes by them."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from fkd.errors import FkdError
from fkd.layouts import list_files, missing_data
from fkd.patterns import compile_patterns
from fkd.signatures.prepare import prepare_signatures
from fkd.storage import shards

ROOT = Path(__file__).resolve().parents[1]


def draw(folder, *files):
    """Write small scans, each with a stroke of its own."""
    for number, file in enumerate(files):
        image = np.full((60, 140), 230, np.uint8)
        cv2.line(image, (10, 10 + number % 40), (100 + number // 40, 40), 30, 4)
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(cv2.imencode(".png", image)[1].tobytes())


def read(pattern, file):
    [compiled] = compile_patterns(pattern, "sample")
    found = compiled.read(file)
    return found and (found["writer"], found["sample"])


@pytest.mark.parametrize(
    ("pattern", "file", "found"),
    [
        ("{writer:3}{sample}.png", "0017.png", ("001", "7")),
        ("{writer:3}/{writer:3}-{sample}.png", "001/001-7.png", ("001", "7")),
        ("{writer:3}/{writer}-{sample}.png", "001/002-7.png", None),
        ("{writer:3}-{sample}.png", "01-7.png", None),
        ("{writer}{sample:2}.png", "00107.png", ("001", "07")),
        ("?{writer}_{sample}.png", "x1_2.png", ("1", "2")),
        ("?{writer}_{sample}.png", "/1_2.png", None),
        ("{writer}?{sample:2}.png", "ann-07.png", ("ann", "07")),
        ("a{writer}_{sample:01-40}.png", "a001_40.png", ("001", "40")),
        ("a{writer}_{sample:01-40}.png", "a001_41.png", None),
        ("a{writer}_{sample:01-40}.png", "a001_1.png", None),
        ("a{writer}_{sample:1-40}.png", "a001_01.png", ("001", "01")),
        ("a{writer}_{sample:1-40}.png", "a001_x.png", None),
        ("{writer}{sample:01-40}.png", "00107.png", ("001", "07")),
        ("{writer:1-300}/{sample}.png", "300/1.png", ("300", "1")),
        ("{writer:1-300}/{sample}.png", "301/1.png", None),
        ("{x}({writer})+/{sample}.png", "{x}(a)+/1.png", ("a", "1")),
        ("{writer}/{sample}.*", "a/1.TIFF", ("a", "1")),
        ("{writer}/{sample}.*", "a/1.gif", None),
    ],
)
def test_what_the_parts_of_a_pattern_stand_for(pattern, file, found):
    assert read(pattern, file) == found


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("a{writer:x}_{sample}.png", r"'\{writer:x\}' at character 2 is neither .*\{writer:3\}"),
        ("a{writer}_{sample:40-1}.png", r"'\{sample:40-1\}' at character 11 is neither"),
        ("a{writer}_{sample:0}.png", r"'\{sample:0\}' at character 11 is neither"),
        ("a{writer}_{sample:3.png", r"'\{sample:3' at character 11 is neither"),
        ("{writers}/{sample}.png", r"'\{writers\}' at character 1 is neither"),
        ("{writer}/{writer:3}{sample}.png", r"'\{writer:3\}' at character 10 contradicts '\{wr"),
        ("{writer}/{sample}{sample:2}.png", r"'\{sample:2\}' at character 18 is the second"),
        ("{writer}/{sample}", r"needs \{writer\}, \{sample\} once and an ending"),
        ("{writr}/{sample}.png", r"needs \{writer\}, \{sample\} once"),
        ("", r"needs \{writer\}, \{sample\} once"),
    ],
)
def test_a_pattern_that_cannot_be_read_says_where_and_why(pattern, reason):
    with pytest.raises(FkdError, match=reason):
        compile_patterns(pattern, "sample")


def test_a_file_fits_one_of_several_patterns(tmp_path):
    draw(tmp_path, "train/a-1.png", "test/b-2.TIF", "old/c-3.png", "a-4.png")
    rows = list_files(tmp_path, ["train/{writer}-{sample}.png", "test/{writer}-{sample}.tif"])
    assert [(row.writer, row.sample) for row in rows] == [("a", "1"), ("b", "2")]
    # Two patterns that say the same of a file do not contradict each other.
    patterns = ["train/{writer}-{sample}.png", "*/{writer}-{sample}.png"]
    assert [row.writer for row in list_files(tmp_path, patterns)] == ["a", "c"]
    with pytest.raises(FkdError, match=r"train/a-1\.png: matches both .* different things"):
        list_files(tmp_path, ["train/{writer}-{sample}.png", "*/{sample}-{writer}.png"])


def lack(folder, **entry):
    entry = {"layout": "folder", "path": folder, "genuine": "g/{writer}-{sample}.png", **entry}
    return missing_data({"signatures.mine.path": entry})


def test_each_pattern_must_fit_a_file(tmp_path):
    draw(tmp_path, "g/a-1.png", "f/a-1.png")
    assert not lack(tmp_path, skilled="f/{writer}-{sample}.png")
    [message] = lack(tmp_path, skilled="forged/{writer}-{sample}.png")
    assert f"{tmp_path} holds no such file as forged/{{writer}}-{{sample}}.png." in message
    [message] = lack(tmp_path, skilled=["f/{writer}-{sample}.png", "f/{writer}-{sample}.tif"])
    assert "holds no such file as f/{writer}-{sample}.tif." in message
    assert "skilled forgeries f/{writer}-{sample}.png or f/{writer}-{sample}.tif" in message
    counts = {"writers": 1, "genuine": 1}
    none = {"skilled": "forged/{writer}-{sample}.png", "expected": {**counts, "skilled": 0}}
    assert not lack(tmp_path, **none)


def test_a_set_without_the_forgeries_of_its_pattern_is_refused(tmp_path):
    draw(tmp_path, "g/a-1.png", "g/b-1.png")
    with pytest.raises(FkdError, match=r"no such file as f/\{writer\}-\{sample\}\.png"):
        prepared(tmp_path, "g/{writer}-{sample}.png", "f/{writer}-{sample}.png")


def prepared(folder, genuine, skilled):
    """Prepare a set, and give writer, sample and forgery of each file."""
    out = folder.with_name("prepared.h5")
    prepare_signatures(
        name="mine",
        source=folder,
        layout="folder",
        genuine=genuine,
        skilled=skilled,
        out=out,
        quarantine=folder.with_name("aside.csv"),
        max_pixels=10**6,
        max_share=0.0,
    )
    shard = shards.read(out, "signatures")
    rows = zip(shard["writer"], shard["sample"], shard["forgery"].tolist(), strict=True)
    return dict(zip(shard["file"].tolist(), rows, strict=True))


def documented():
    """The patterns of each set in docs/data_set.md."""
    text = (ROOT / "docs/data_set.md").read_text(encoding="utf-8")
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and "{writer" in cells[1]:
            found[cells[0].split(",")[0]] = [re.findall(r"`([^`]+)`", cell) for cell in cells[1:]]
    return found


SETS = {
    "one folder": {
        "a001_01.png": ("001", "01", False),
        "a001_40.png": ("001", "40", False),
        "a001_51.png": ("001", "51", True),
        "a002_07.png": ("002", "07", False),
        "a002_60.png": ("002", "60", True),
    },
    "SigComp2009": {
        "genuine/NFI-00101001.png": ("001", "01", False),
        "genuine/NFI-02303023.png": ("023", "03", False),
        "forged/NFI-00602023.png": ("023", "02", True),
    },
    "SigComp2011": {
        "Offline Genuine/001_12.PNG": ("001", "12", False),
        "Offline Genuine/014_1.PNG": ("014", "1", False),
        "Offline Forgeries/0119001_01.png": ("001", "01", True),
        "Offline Forgeries/0205014_04.png": ("014", "04", True),
    },
    "ICDAR 2011": {
        "train/001/001_12.PNG": ("001", "12", False),
        "train/049/02_049.png": ("049", "02", False),
        "test/050/02_050.png": ("050", "02", False),
        "train/001_forg/0119001_01.png": ("001", "01", True),
        "test/050_forg/01_0125050.PNG": ("050", "01", True),
    },
    "UTSig": {
        "Genuine/1/1.tif": ("1", "1", False),
        "Genuine/115/27.tif": ("115", "27", False),
        "Forgery/Skilled/1/6.tif": ("1", "6", True),
        "Forgery/Simple/1/36.tif": ("1", "36", True),
    },
    "HanSig": {
        "original_w1_2_3.jpg": ("1_2", "3", False),
        "original_w238_1_20.jpg": ("238_1", "20", False),
        "forgery_w1_2_3.jpg": ("1_2", "3", True),
    },
}
"""Names of files of public sets, with their writer, sample and whether they are forgeries."""


def test_every_documented_set_is_tried():
    assert documented().keys() == SETS.keys()


@pytest.mark.parametrize("name", SETS)
def test_documented_patterns_read_the_names_of_their_set(name, tmp_path):
    draw(tmp_path / "set", *SETS[name])
    assert prepared(tmp_path / "set", *documented()[name]) == SETS[name]


def test_the_icdar_2011_signatures_as_they_are(shared):
    genuine, skilled = documented()["ICDAR 2011"]
    rows = list_files(shared / "data/icdar2011", genuine, skilled)
    assert len(rows) == 1649 + 500 and len({row.writer for row in rows}) == 64
    assert all(re.fullmatch(r"\d{3}", row.writer) for row in rows)
    for row in rows:
        assert row.file.split("/")[1] == row.writer + "_forg" * row.forgery
