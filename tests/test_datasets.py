"""Signature data sets: names, counts, bad files, and what is missing."""

import logging
import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from fkd.errors import FkdError
from fkd.layouts import (
    LAYOUTS,
    OTHERS,
    list_files,
    missing_data,
)
from fkd.signatures.prepare import prepare_signatures as prepare
from fkd.storage import shards
from fkd.storage.files import files_below, natural_order
from fkd.storage.quarantine import Quarantine

LIMITS = {"max_pixels": 10**7, "max_share": 0.0}


def sign(path: Path, number: int = 0) -> None:
    """Write a small scan with a stroke that depends on `number`."""
    image = np.full((60, 140), 230, np.uint8)
    cv2.line(image, (10, 10 + number % 40), (120, 40), 30, 4)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


def touch(folder: Path, *files: str) -> None:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()


@pytest.fixture
def cedar(tmp_path) -> Path:
    """Three writers with two genuine signatures and two forgeries each."""
    source = tmp_path / "cedar"
    for writer in (1, 2, 10):
        for sample in (2, 10):
            sign(source / f"full_org/original_{writer}_{sample}.png", writer + sample)
            sign(source / f"full_forg/forgeries_{writer}_{sample}.png", writer)
    return source


@pytest.fixture
def stage(tmp_path):
    """The stage's fixed parameters, with the folder it writes to."""
    files = {"out": tmp_path / "out/s.h5", "quarantine": tmp_path / "out/q.csv"}
    return {"name": "mine", **files, **LIMITS}


SMALL = {"writers": 3, "genuine": 2, "skilled": 2}


def test_rows_are_in_order_and_say_what_they_are(cedar, stage):
    prepare(source=cedar, layout="cedar", expected=SMALL, **stage)
    shard = shards.read(stage["out"], "signatures")
    assert shard["image"].shape == (12, 170, 242) and shard["image"].dtype == np.uint8
    assert shard["writer"].tolist() == ["1"] * 4 + ["2"] * 4 + ["10"] * 4
    assert shard["forgery"].tolist() == [False, False, True, True] * 3
    assert shard["sample"].tolist() == ["2", "10"] * 6
    assert shard["file"][1] == "full_org/original_1_10.png"
    assert shard.attributes["set"] == "mine" and shard.attributes["layout"] == "cedar"
    assert shard.attributes["settings"]["canvas"] == [952, 1360]
    assert len(np.unique(shard["image"][~shard["forgery"]], axis=0)) > 1
    assert len(Quarantine.read(stage["quarantine"])) == 0


def test_raw_cedar_equals_the_preprocessed_file(shared, tmp_path, stage):
    data = shared / "data"
    counts = {"writers": 6}  # six of the 55 writers are at hand as scans
    prepare(source=data / "cedar", layout="cedar", expected=counts, **stage)
    raw = shards.read(stage["out"], "signatures")
    stage["out"] = tmp_path / "npz.h5"
    prepare(source=data / "cedar_170x242.npz", layout="npz", **stage)
    ready = shards.read(stage["out"], "signatures")
    assert len(ready["image"]) == 55 * 48 and len(raw["image"]) == 6 * 48
    row_of = {file: row for row, file in enumerate(ready["file"])}
    rows = [row_of[Path(file).name] for file in raw["file"]]
    # Another BLAS may sum in another order, and a truncated pixel then be one level off.
    apart = np.abs(raw["image"].astype(int) - ready["image"][rows])
    equal, close = np.mean(apart == 0), np.mean(apart <= 1)
    assert close >= 0.999, f"{close:.6%} of the pixels are within one level, {equal:.6%} are equal"
    np.testing.assert_array_equal(raw["forgery"], ready["forgery"][rows])
    # The file keeps the order in which the published evaluation draws.
    with np.load(data / "cedar_170x242.npz", allow_pickle=False) as file:
        assert ready["file"].tolist() == file["filenames"].tolist()


def test_gpds_names_as_they_are(shared):
    layout = LAYOUTS["gpds_synthetic"]
    rows = list_files(shared / "data/gpds_synthetic", layout.genuine, layout.skilled)
    assert len(rows) == 2 * (24 + 30)
    assert sum(row.forgery for row in rows) == 2 * 30
    assert rows[0][:3] == ("001", False, "01")


@pytest.mark.parametrize(
    ("layout", "genuine", "skilled"),
    [
        ("mcyt75", "0007/0007v03.bmp", "0007/0007f14.bmp"),
        ("mcyt75", "0007/0007v03.BMP", "0007/0021_0007f14.Bmp"),
        ("gpds300", "007/c-007-03.png", "007/cf-007-14.png"),
        ("gpds_synthetic", "007/c-007-03.jpg", "007/cf-007-14.JPG"),
        ("bhsig260_hindi", "007/H-S-007-G-03.tif", "007/H-S-007-F-14.tif"),
        ("bhsig260_bengali", "7/B-S-007-G-03.tif", "7/B-S-007-F-14.tif"),
    ],
)
def test_names_of_each_layout(tmp_path, layout, genuine, skilled):
    others = ("Thumbs.db", "007/notes.txt", "007/._c-007-03.png", "sub/" + genuine)
    touch(tmp_path, genuine, skilled, *others)
    found = list_files(tmp_path, LAYOUTS[layout].genuine, LAYOUTS[layout].skilled)
    writer = "0007" if layout == "mcyt75" else "007"
    assert found == [(writer, False, "03", genuine), (writer, True, "14", skilled)]


def test_linked_folders_are_entered_once(tmp_path):
    """A set may be linked, whole or by writer; a link to what holds it makes no loop."""
    touch(tmp_path, "disk/002/c-002-01.png", "disk/003/c-003-01.png", "set/001/c-001-01.png")
    source = tmp_path / "set"
    (source / "002").symlink_to(tmp_path / "disk/002")
    (source / "003").symlink_to("../disk/003")
    (source / "000").symlink_to("001")  # the folder itself, not the link, gives the name
    (source / "001/up").symlink_to("..")
    (source / "out").symlink_to(tmp_path)
    (tmp_path / "disk/002/back").symlink_to(source)
    (source / "broken.png").symlink_to("nowhere")
    (source / ".hidden").symlink_to(tmp_path / "disk")
    names = ["001/c-001-01.png", "002/c-002-01.png", "003/c-003-01.png"]
    found = [file.relative_to(source).as_posix() for file in files_below(source)]
    assert sorted(found) == [*names, "broken.png"]
    assert [row.file for row in list_files(source, LAYOUTS["gpds300"].genuine)] == names
    (tmp_path / "link").symlink_to(source)
    assert [row.file for row in list_files(tmp_path / "link", "*/c-{writer}-{sample}.png")] == names


def test_a_folder_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(FkdError, match=r"nowhere: cannot be read \(No such file"):
        list(files_below(tmp_path / "nowhere"))


def test_a_repeated_writer_must_agree(tmp_path):
    touch(tmp_path, "001/c-001-01.png", "001/c-002-01.png", "c-003-01.png")
    found = list_files(tmp_path, LAYOUTS["gpds300"].genuine)
    assert [row.file for row in found] == ["001/c-001-01.png"]


def test_gpds300_is_the_first_300_writers(tmp_path):
    touch(tmp_path, *(f"{n:03}/c-{n:03}-01.png" for n in (1, 300, 301, 960)))
    layout = LAYOUTS["gpds300"]
    found = list_files(tmp_path, layout.genuine, layout.skilled)
    assert [row.writer for row in found] == ["001", "300"]


def test_patterns_that_say_nothing_are_refused(tmp_path):
    for pattern in (
        "{writer}.png",
        "{sample}.png",
        "{writer}-{sample}",
        "{sample}{writer}{sample}.x",
    ):
        with pytest.raises(FkdError, match=r"needs \{writer\}, \{sample\} once and an ending"):
            list_files(tmp_path, pattern)
    touch(tmp_path, "a-1.png")
    with pytest.raises(FkdError, match=r"a-1\.png: matches both"):
        list_files(tmp_path, "{writer}-{sample}.png", "{writer}*{sample}.png")
    # What a regular expression would take for its own is itself here.
    touch(tmp_path, "b(x)/1.png", "bx/2.png")
    found = list_files(tmp_path, "{writer}(x)/{sample}.png")
    assert [row.file for row in found] == ["b(x)/1.png"]


def test_natural_order():
    names = ["10", "2", "a10", "a9", "007", "7", "b", "é1"]
    assert sorted(names, key=natural_order) == ["2", "007", "7", "10", "a9", "a10", "b", "é1"]


def test_counts_name_the_writers_that_lack(cedar, stage):
    (cedar / "full_org/original_2_10.png").unlink()
    (cedar / "full_forg/forgeries_10_2.png").unlink()
    sign(cedar / "full_forg/forgeries_10_3.png")
    sign(cedar / "full_forg/forgeries_10_4.png")
    with pytest.raises(FkdError) as caught:
        prepare(source=cedar, layout="cedar", expected={**SMALL, "writers": 4}, **stage)
    message = str(caught.value)
    assert "3 writers, expected 4" in message
    assert "writer 2: 1 genuine, expected 2" in message
    assert "writer 10: 3 skilled, expected 2" in message
    assert "writer 1:" not in message and "signatures.mine.expected" in message
    assert not stage["out"].exists()


def test_the_layout_knows_its_own_counts(cedar, stage):
    with pytest.raises(FkdError, match=r"3 writers, expected 55(.|\n)*2 genuine, expected 24"):
        prepare(source=cedar, layout="cedar", **stage)


def test_bad_files_are_set_aside_up_to_a_share(cedar, stage):
    (cedar / "full_org/original_2_10.png").write_bytes(b"no image")
    blank = cedar / "full_forg/forgeries_1_2.png"
    cv2.imwrite(str(blank), np.full((50, 50), 200, np.uint8))
    with pytest.raises(FkdError, match="2 of 12 signatures of mine were set aside"):
        prepare(source=cedar, layout="cedar", expected=SMALL, **stage)
    assert not stage["out"].exists()
    prepare(source=cedar, layout="cedar", expected=SMALL, **{**stage, "max_share": 0.2})
    reasons = dict(Quarantine.read(stage["quarantine"]).rows)
    assert set(reasons) == {str(blank), str(cedar / "full_org/original_2_10.png")}
    assert "blank" in reasons[str(blank)]
    shard = shards.read(stage["out"], "signatures")
    assert len(shard["image"]) == len(shard["file"]) == 10
    assert not set(reasons) & {str(cedar / file) for file in shard["file"]}
    assert shard["image"].any(axis=(1, 2)).all()


def test_names_that_are_not_utf_8_are_set_aside(cedar, stage):
    """They count as found, so the reason is told rather than a wrong number."""
    sign(cedar / "full_org/original_2_3.png")
    latin_1 = os.fsdecode("original_2_é.png".encode("latin-1"))
    try:
        (cedar / "full_org/original_2_10.png").rename(cedar / "full_org" / latin_1)
    except OSError as error:
        pytest.skip(f"this file system takes UTF-8 names alone ({error})")
    expected = {"writers": 3, "skilled": 2}
    settings = {"source": cedar, "layout": "cedar", "expected": {**expected, "genuine": 2}}
    with pytest.raises(FkdError, match="writer 2: 3 genuine, expected 2"):
        prepare(**settings, **{**stage, "max_share": 0.5})
    (cedar / "full_org/original_2_3.png").unlink()
    prepare(**settings, **{**stage, "max_share": 0.5})
    [(name, reason)] = Quarantine.read(stage["quarantine"]).rows
    assert name == rf"{cedar}/full_org/original_2_\udce9.png" and "not UTF-8" in reason
    assert len(shards.read(stage["out"], "signatures")["file"]) == 11


def test_a_writer_of_any_name_can_be_named(tmp_path, stage):
    source = tmp_path / "own"
    sign(source / "a-1.png")
    (source / "a-1.png").rename(source / os.fsdecode(b"\xe9-1.png"))
    settings = {"layout": "folder", "genuine": "{writer}-{sample}.png", "expected": {"genuine": 2}}
    with pytest.raises(FkdError, match=r"writer \\udce9: 1 genuine"):
        prepare(source=source, **settings, **stage)


def test_the_log_lists_all_that_was_set_aside(cedar, stage, caplog):
    """A workflow removes the list of a stage that failed."""
    files = sorted(cedar.rglob("*.png"))
    for file in files[1:]:
        file.write_bytes(b"no image")
    with pytest.raises(FkdError, match=r"11 of 12(?s:.*)and 1 more(?s:.*)log .* lists them all"):
        prepare(source=cedar, layout="cedar", expected=SMALL, **stage)
    assert all(str(file) in caplog.text for file in files[1:])


def test_signatures_cut_to_the_canvas_are_counted_in_one_line(cedar, stage, caplog):
    settings = {"source": cedar, "layout": "cedar", "expected": SMALL, **stage}
    prepare(**settings)
    assert shards.read(stage["out"], "signatures").attributes["oversized"] == 0
    assert "larger than" not in caplog.text
    with caplog.at_level(logging.WARNING):
        prepare(**settings, canvas=(20, 60))
    assert shards.read(stage["out"], "signatures").attributes["oversized"] == 12
    [record] = [record for record in caplog.records if "larger than" in record.message]
    assert "12 of 12 signatures of mine are larger than the canvas of 20 x 60" in record.message


def test_a_folder_of_ones_own(tmp_path, stage):
    patterns = {"genuine": "ok/{writer}-{sample}.png", "skilled": "fake/{writer}-{sample}.png"}
    source = tmp_path / "own"
    for file in ("ok/Zoë-1.PNG", "ok/Zoë-2.png", "ok/b-1.png", "fake/b-1.png"):
        sign(source / file)
    prepare(source=source, layout="folder", **patterns, **stage)
    shard = shards.read(stage["out"], "signatures")
    assert shard["writer"].tolist() == ["Zoë", "Zoë", "b", "b"]
    assert shard["forgery"].tolist() == [False, False, False, True]
    prepare(source=source, layout="folder", genuine=patterns["genuine"], **stage)
    assert not shards.read(stage["out"], "signatures")["forgery"].any()
    sign(source / "fake/c-1.png")
    with pytest.raises(FkdError, match="no genuine signature of writer c"):
        prepare(source=source, layout="folder", **patterns, **stage)
    (source / "ok/b-1.png").unlink()
    with pytest.raises(FkdError, match="1 writers, at least 2"):
        prepare(source=source, layout="folder", genuine=patterns["genuine"], **stage)
    with pytest.raises(FkdError, match=r"signatures\.mine\.genuine: a folder needs the pattern"):
        prepare(source=source, layout="folder", **stage)


def test_unknown_layouts_and_absent_sets_are_named(tmp_path, stage):
    with pytest.raises(FkdError, match=r"signatures\.mine\.layout: 'cedra' is none of cedar"):
        prepare(source=tmp_path, layout="cedra", **stage)
    with pytest.raises(FkdError, match=r"signatures\.mine: .*nowhere does not exist"):
        prepare(source=tmp_path / "nowhere", layout="mcyt75", **stage)


class Bomb:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def interchange(path: Path, **changes) -> Path:
    """Write a file as the sigver package does: two writers, three rows each."""
    images = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 170, 242), np.uint8)
    images[..., 0, 0] = 200
    arrays = {
        "x": images,
        "y": np.array([11, 11, 11, 2, 2, 2], np.int32),
        "yforg": np.array([0, 1, 0, 0, 0, 1], np.int32),
        "filenames": np.array([f"c-{n}.png" for n in (10, 1, 2, 3, 4, 5)]),
        **changes,
    }
    np.savez(path, **arrays)
    return path


def test_npz_is_read_without_unpickling(tmp_path, stage):
    trap = tmp_path / "sprung"
    bomb = np.array({"user": Bomb(trap)}, dtype=object)
    source = interchange(tmp_path / "a.npz", user_mapping=bomb)
    prepare(source=source, layout="npz", **stage)
    shard = shards.read(stage["out"], "signatures")
    assert shard["writer"].tolist() == ["2"] * 3 + ["11"] * 3
    assert shard["forgery"].tolist() == [False, False, True] * 2
    assert shard["file"].tolist() == [f"c-{n}.png" for n in (3, 4, 5, 2, 10, 1)]
    assert shard["image"][:, 5, 7].tolist() == [3, 4, 5, 2, 0, 1]
    with pytest.raises(FkdError, match="pickled ones are never read"):
        prepare(source=interchange(source, y=np.array([Bomb(trap)] * 6)), layout="npz", **stage)
    assert not trap.exists()
    pickle.loads(pickle.dumps(Bomb(trap)))  # the trap works
    assert trap.exists()


def test_blank_rows_of_an_npz_are_set_aside_by_name(tmp_path, stage):
    source = interchange(tmp_path / "a.npz")
    with np.load(source) as file:
        images = file["x"]
    images[1], images[3] = 0, 90
    interchange(source, x=images)
    with pytest.raises(FkdError, match=r"2 of 6 signatures(?s:.*)c-3\.png: blank"):
        prepare(source=source, layout="npz", **stage)
    prepare(source=source, layout="npz", **{**stage, "max_share": 0.5})
    names = [f"c-{n}.png" for n in (4, 5, 2, 10)]
    assert shards.read(stage["out"], "signatures")["file"].tolist() == names
    aside = dict(Quarantine.read(stage["quarantine"]).rows)
    assert set(aside) == {f"{source}/c-1.png", f"{source}/c-3.png"}


def test_npz_with_names_as_bytes(tmp_path, stage):
    names = [f"c-{n}.png".encode() for n in (10, 1, 2, 3, 4)] + ["Zoë.png".encode("latin-1")]
    source = interchange(tmp_path / "a.npz", filenames=np.array(names))
    prepare(source=source, layout="npz", **{**stage, "max_share": 0.5})
    shard = shards.read(stage["out"], "signatures")
    assert shard["file"].tolist() == [f"c-{n}.png" for n in (3, 4, 2, 10, 1)]
    assert shard["sample"].tolist() == [f"c-{n}" for n in (3, 4, 2, 10, 1)]
    [(name, reason)] = Quarantine.read(stage["quarantine"]).rows
    assert name == rf"{source}/Zo\udceb.png" and "not UTF-8" in reason
    pickled = np.array(["c.png"] * 6, dtype=object)
    with pytest.raises(FkdError, match="filenames must be plain arrays; pickled ones are never"):
        prepare(source=interchange(source, filenames=pickled), layout="npz", **stage)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"x": np.zeros((6, 1, 150, 220), np.uint8)},
            r"shape \(150, 220\).*expected \(170, 242\)",
        ),
        ({"x": np.zeros((6, 170, 242), np.float32)}, "type float32"),
        ({"x": np.zeros((5, 170, 242), np.uint8)}, r"have 5, \(6,\), \(6,\) and \(6,\) rows"),
    ],
)
def test_npz_of_another_form_is_refused(tmp_path, stage, changes, message):
    with pytest.raises(FkdError, match=message):
        prepare(source=interchange(tmp_path / "a.npz", **changes), layout="npz", **stage)


def test_damaged_or_foreign_npz_is_refused(tmp_path, stage):
    source = interchange(tmp_path / "a.npz")
    source.write_bytes(source.read_bytes()[:1000])
    with pytest.raises(FkdError, match=r"a\.npz: not a readable \.npz file"):
        prepare(source=source, layout="npz", **stage)
    np.savez(source, x=np.zeros((6, 170, 242), np.uint8))
    with pytest.raises(FkdError, match="needs x, y, yforg and filenames"):
        prepare(source=source, layout="npz", **stage)


def test_what_is_missing_is_said_at_once(cedar, tmp_path):
    touch(tmp_path, "pages/a/1.png", "cvl/0001-1.tif", "empty/readme.txt", "signet.pth")
    needed = {
        "signatures.cedar": {"layout": "cedar", "path": cedar},
        "signatures.gpds300": {"layout": "gpds300", "path": tmp_path / "none"},
        "signatures.mcyt75": {"layout": "mcyt75", "path": str(tmp_path / "empty")},
        "signatures.own": {
            "layout": "folder",
            "path": tmp_path / "empty",
            "genuine": "{writer}/{sample}.png",
            "expected": {"writers": 4, "genuine": 3, "skilled": 2},
        },
        "signatures.ready": {"layout": "npz", "path": tmp_path / "a.npz"},
        "pages.mine": {"layout": "folder", "path": tmp_path / "pages"},
        "pages.cvl": {"layout": "cvl", "path": tmp_path / "cvl"},
        "pages.iam": {"layout": "iam", "path": tmp_path / "empty"},
        "teacher.weights": {"layout": "signet", "path": tmp_path / "signet.pth"},
    }
    messages = missing_data(needed)
    absent = ["gpds300", "mcyt75", "own", "ready", "iam"]
    assert [message.split(":")[0].split(".")[1] for message in messages] == absent
    gpds300, mcyt75, own, _, iam = messages
    assert f"{tmp_path / 'none'} does not exist" in gpds300
    assert "{writer:1-300}/c-{writer}-{sample}.png" in gpds300 and "253 writers x 24" in gpds300
    assert LAYOUTS["gpds300"].obtain in gpds300
    assert "holds no such file" in mcyt75
    assert "4 writers x 3 genuine + 2 skilled" in own
    assert "writers.csv" in iam and OTHERS["iam"].obtain in iam
    with pytest.raises(FkdError, match=r"pages\.x\.layout: 'cvk' is none of"):
        missing_data({"pages.x": {"layout": "cvk", "path": tmp_path}})


def test_what_lacks_is_said_with_its_place(tmp_path, monkeypatch):
    touch(tmp_path, "iam/pages/a.png", "bare/writers.csv", "cvl/0001-1-0-0-word.tif")
    touch(tmp_path, "flat/a.png", "text/ann/notes.txt", "whole/pages/a.PNG", "whole/writers.csv")
    (tmp_path / "disk/ann").mkdir(parents=True)
    touch(tmp_path, "disk/ann/1.tiff", "disk/0001-1-cropped.tif")
    for place in ("linked", "linked_cvl"):
        (tmp_path / place).mkdir()
    (tmp_path / "linked/ann").symlink_to(tmp_path / "disk/ann")
    (tmp_path / "linked_cvl/trainset").symlink_to(tmp_path / "disk")
    monkeypatch.chdir(tmp_path)

    def lack(layout, path):
        message = "".join(missing_data({"pages.path": {"layout": layout, "path": path}}))
        return message.partition("\n")[0].removeprefix(f"pages.path: {tmp_path.resolve()}/")

    assert lack("iam", "iam") == "iam holds no writers.csv."
    assert lack("iam", "bare") == "bare holds no pages/*.png."
    assert lack("iam", "flat") == "flat holds no pages/*.png and no writers.csv."
    assert lack("cvl", "cvl") == "cvl holds no such page."
    assert lack("folder", "flat") == lack("folder", "cvl").replace("cvl", "flat")
    assert lack("folder", "text/../text") == "text holds no page in a writer's folder."
    assert lack("folder", "flat/a.png") == "flat/a.png is no folder."
    assert lack("folder", "none") == "none does not exist."
    assert lack("signet", "flat") == "flat is no file."
    assert lack("crops", "flat") == "flat holds no text crop in a writer's folder."
    entry = {
        "layout": "crops",
        "path": "flat",
        "pattern": ["{writer}-{page}.png", "{writer}{page}.*"],
    }
    [message] = missing_data({"pages.path": entry})
    assert "flat holds no such file as {writer}-{page}.png and no such file as" in message
    assert "images {writer}-{page}.png or {writer}{page}.*" in message
    assert lack("iam", "whole") == lack("folder", "linked") == lack("cvl", "linked_cvl") == ""
