"""Data, configs and machines as strangers have them: what changes unseen, or narrows without a word."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import onnx
import pytest
import yaml
from PIL import Image

from fkd import models
from fkd.errors import FkdError
from fkd.inspection import inspect_file
from fkd.layouts import list_files
from fkd.models.export import export_onnx
from fkd.models.features import prepare_image
from fkd.report.narrowing import narrowing
from fkd.signatures.check import check_signatures, read_leaks
from fkd.signatures.prepare import prepare_signatures
from fkd.signatures.sufficiency import too_few
from fkd.storage import atomic, shards
from fkd.storage.atomic import writing
from fkd.storage.files import refuse_alike
from fkd.storage.quarantine import Quarantine
from fkd.study.config import complete
from fkd.study.parts import Networks
from fkd.study.sources import expanded, refuse_double_keys, same_place, state_of
from fkd.study.summary import read_splits
from fkd.text.pages import list_pages
from fkd.verification import Protocol

ROOT = Path(__file__).resolve().parents[1]


def write_signature(path, seed=0, inverted=False, size=(120, 300)):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full(size, 250, np.uint8)
    draw = np.random.default_rng(seed)
    points = draw.integers((30, 30), (size[1] - 30, size[0] - 30), (9, 2)).astype(np.int32)
    cv2.polylines(image, [points], False, 40, 3)
    cv2.imwrite(str(path), 255 - image if inverted else image)


@pytest.fixture
def folder(tmp_path):
    """Three writers with five genuine signatures and two forgeries each."""
    for writer in ("ann", "bob", "cat"):
        for number in range(5):
            write_signature(tmp_path / f"set/{writer}/g{number}.png", number)
        for number in range(2):
            write_signature(tmp_path / f"set/{writer}/f{number}.png", 10 + number)
    return tmp_path / "set"


PATTERNS = {"genuine": "{writer}/g{sample}.png", "skilled": "{writer}/f{sample}.png"}


def prepare(folder, out, **changes):
    settings = {"max_pixels": 10**7, "max_share": 0.0, "layout": "folder", **PATTERNS, **changes}
    prepare_signatures(
        name="mine", source=folder, out=out, quarantine=out.with_suffix(".csv"), **settings
    )
    return shards.read(out)


# The writers of one set, divided


def test_the_writers_of_one_folder_are_divided(folder, tmp_path):
    whole, first, rest = (
        prepare(folder, tmp_path / f"{number}.h5", writers=writers, expected={"writers": 3})
        for number, writers in enumerate((None, (1, 2), (2, 3)))
    )
    assert set(first["writer"]) == {"ann", "bob"} and set(rest["writer"]) == {"bob", "cat"}
    assert np.array_equal(whole["image"][:14], first["image"])
    assert np.array_equal(whole["image"][7:], rest["image"])
    assert Quarantine.read(tmp_path / "1.csv").passed_over == []
    np.savez(
        tmp_path / "set.npz",
        x=whole["image"],
        y=np.array([["ann", "bob", "cat"].index(w) for w in whole["writer"]]),
        yforg=whole["forgery"].astype(int),
        filenames=np.array([f"{n:02}.png" for n in range(21)]),
        user_mapping=np.array(["ann", "bob", "cat"]),
    )
    changes = {"layout": "npz", "genuine": None, "skilled": None, "writers": (3, 3)}
    with pytest.raises(FkdError, match="1 writers, at least 2 are needed"):
        prepare(tmp_path / "set.npz", tmp_path / "npz.h5", **changes)
    read = prepare(tmp_path / "set.npz", tmp_path / "npz.h5", **changes | {"writers": (2, 3)})
    assert np.array_equal(read["image"], rest["image"])
    with pytest.raises(FkdError, match=r"signatures\.mine\.writers: 2 to 4, but the set has wri"):
        prepare(folder, tmp_path / "x.h5", writers=(2, 4))


@pytest.mark.parametrize(
    ("one", "other", "fault"),
    [
        ([1, 2], [3, 5], None),
        ([1, 2], [2, 5], "has writers of evaluation"),
        ([1, 2], None, "has writers of evaluation"),
        ([2, 1], [3, 5], "the first, 2, is after the last, 1"),
    ],
)
def test_two_parts_of_a_folder_may_stand_on_both_sides(folder, tmp_path, one, other, fault):
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    for name, writers in (("part", one), ("judged", other)):
        entry = {"layout": "folder", "path": "set", **PATTERNS}
        config["signatures"][name] = entry | ({"writers": writers} if writers else {})
    protocol = {"references": [3], "test_genuine": 2, "test_skilled": 2}
    config |= {"data": str(tmp_path), "sizes": {"standard": {}}}
    config["evaluation"] = {"sets": {"judged": [protocol]}, "development": ["part"]}
    schema = ROOT / "workflow/schemas/config.schema.yaml"
    if fault:
        with pytest.raises(FkdError, match=fault):
            complete(config, schema)
    else:
        assert complete(config, schema).used == ["development", "judged", "part"]


def test_drawn_writers_are_chosen_by_the_drawing():
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    config["signatures"]["synthetic"]["writers"] = [1, 2]
    with pytest.raises(FkdError, match=r"draw\.first and draw\.writers choose drawn writers"):
        complete(config, ROOT / "workflow/schemas/config.schema.yaml")


# What changes unseen


def test_a_file_that_comes_goes_or_changes_below_a_folder_shows(folder):
    states = [state_of(folder)]
    write_signature(folder / "ann/g9.png")
    states.append(state_of(folder))
    (folder / "ann/g9.png").rename(folder / "ann/g8.png")
    states.append(state_of(folder))
    write_signature(folder / "bob/g0.png", 77)
    os.utime(folder / "bob/g0.png", (1, 1))  # an older date than before
    states.append(state_of(folder))
    assert len(set(states)) == 4 and state_of(folder) == states[-1]


def test_of_a_file_the_content_counts(tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(b"one")
    before = state_of(file)
    os.utime(file, (1, 1))
    assert state_of(file) == before
    file.write_bytes(b"two")
    assert state_of(file) != before
    assert state_of(tmp_path / "none") == "missing"


def test_links_and_slashes_do_not_hide_that_two_places_are_one(folder, tmp_path):
    (tmp_path / "link").symlink_to("set")
    for other in (folder, f"{folder}/", tmp_path / "link", f"{folder}/ann/.."):
        assert same_place(folder, other)
    assert not same_place(folder, folder / "ann")


@pytest.mark.parametrize("spelling", ["set", "set/", "./link", "set/ann/.."])
def test_signatures_of_one_folder_do_not_stand_on_both_sides(folder, tmp_path, spelling):
    (tmp_path / "link").symlink_to("set")
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    config |= {"data": str(tmp_path), "teacher": {"development": ["development"]}}
    config["signatures"] = {
        "development": {"layout": "folder", "path": spelling, **PATTERNS},
        "mine": {"layout": "folder", "path": "set", **PATTERNS},
    }
    protocol = {"references": [3], "test_genuine": 2, "test_skilled": 2}
    config["evaluation"] = {"sets": {"mine": [protocol]}}
    config["sizes"] = {"standard": {}}
    with pytest.raises(FkdError, match=r"development has writers of evaluation\.sets\.mine"):
        complete(config, ROOT / "workflow/schemas/config.schema.yaml")


def check(folder, teacher, judged, verifiers=(), max_share=0.0, pairs=()):
    """Check sets that were prepared by their names in a folder, and return the leaks."""
    names = sorted({*teacher, *verifiers, *judged})
    check_signatures(
        signatures=[folder / f"{name}.h5" for name in names],
        quarantine=[folder / f"{name}.csv" for name in names],
        teacher=teacher,
        verifiers=list(verifiers),
        judged=judged,
        pairs=pairs,
        out=folder / "copies.csv",
        max_share=max_share,
    )
    return list(read_leaks(folder / "copies.csv"))


def write_set(folder, name, seeds):
    images = np.array([np.full((170, 242), seed, np.uint8) for seed in seeds])
    shards.write(folder / f"{name}.h5", "signatures", {"image": images}, {"set": name})
    Quarantine().write(folder / f"{name}.csv")


def test_copies_of_a_set_under_other_names_do_not_stand_on_both_sides(tmp_path):
    write_set(tmp_path, "mine", range(10))
    write_set(tmp_path, "copied", [*range(6), 50])
    write_set(tmp_path, "partly", [*range(5), 60])
    with pytest.raises(FkdError, match=r"6 of the 10 signatures of evaluation\.sets\.mine are al"):
        check(tmp_path, ["copied"], ["mine"])
    assert check(tmp_path, ["partly"], ["mine"]) == [("teacher", "partly", "mine", 5, 10)]
    assert check(tmp_path, [], ["mine"]) == []


def test_one_person_is_not_two_classes_by_a_copy_of_a_set(tmp_path):
    write_set(tmp_path, "one", range(10))
    write_set(tmp_path, "two", [*range(4, 10), 99])
    write_set(tmp_path, "mine", range(100, 104))
    with pytest.raises(FkdError, match="6 of the 7 signatures of two are also in one"):
        check(tmp_path, ["one", "two"], ["mine"])


def test_a_lowered_max_share_stops_a_set_that_was_prepared_before(tmp_path):
    write_set(tmp_path, "mine", range(9))
    aside = Quarantine([("a.png", "blank")])
    aside.write(tmp_path / "mine.csv")
    check(tmp_path, [], ["mine"], max_share=0.1)
    with pytest.raises(FkdError, match="1 of 10 signatures of mine were set aside"):
        check(tmp_path, [], ["mine"], max_share=0.05)


def test_what_verifiers_are_set_on_is_not_judged(tmp_path):
    """Pairs for training and pairs that are tested, and both sides of a threshold."""
    write_set(tmp_path, "mine", range(10))
    write_set(tmp_path, "same", [*range(6), 50])
    write_set(tmp_path, "partly", [*range(2), 60, 61])
    with pytest.raises(FkdError, match=r"evaluation\.development: 6 of the 10 signatures"):
        check(tmp_path, [], ["mine"], ["same"])
    (leak,) = check(tmp_path, [], ["mine"], ["partly"])
    assert leak == ("verifiers", "partly", "mine", 2, 10)
    assert "also in partly, on which verifiers are set: rates on them are too low" in str(leak)
    with pytest.raises(FkdError, match=r"evaluation\.development: 6 of the 7 signatures of same"):
        check(tmp_path, [], ["partly"], ["mine", "same"])


def test_what_siamese_networks_learned_from_is_named_where_it_is_judged(tmp_path):
    write_set(tmp_path, "mine", range(10))
    images = shards.read(tmp_path / "mine.h5", "signatures")["image"]
    lists = {
        "first": np.array([0, 2, 4], np.int32),
        "second": np.array([1, 3, 5], np.int32),
        "part": np.array([0, 1, 2], np.int8),  # the last is of the test
        "signature": np.array([*map(shards.digest, images[2:7]), ""], object),
    }
    shards.write(tmp_path / "pairs.h5", "pairs", lists, {"pairs": "handed_round"})
    (leak,) = check(tmp_path, [], ["mine"], pairs=[tmp_path / "pairs.h5"])
    assert leak == ("pairs", "handed_round", "mine", 4, 10)
    assert "4 of 10 signatures of mine are also in the pairs handed_round, from which" in str(leak)


def test_references_are_not_among_the_tests(tmp_path):
    write_set(tmp_path, "mine", [*range(10), 3, 3])
    (leak,) = check(tmp_path, [], ["mine"])
    assert leak == ("itself", "mine", "mine", 3, 12)
    assert "there more than once, so that tests may be among the references" in str(leak)
    write_set(tmp_path, "mine", [*range(4), *range(4), 9])
    with pytest.raises(FkdError, match="8 of its 9 signatures are there more than once"):
        check(tmp_path, [], ["mine"])


def test_a_few_common_signatures_are_in_the_last_lines(tmp_path):
    write_set(tmp_path, "a", [*range(3), 160, 161])
    write_set(tmp_path, "b", [*range(100), 7])
    (tmp_path / "quarantine").mkdir()
    check(tmp_path, ["a"], ["b"])
    (tmp_path / "copies.csv").rename(tmp_path / "quarantine/copies.csv")
    lines = narrowing(tmp_path, {})
    assert len(lines) == 3 and lines[1].startswith("3 of 101 signatures of b are also in a")
    assert lines[2].startswith("2 of 101 signatures of b are there more than once")


# Plausibility


def test_images_that_may_be_no_single_signature_are_counted_and_named(folder, tmp_path, caplog):
    def change(place, draw):
        image = cv2.imread(str(folder / place), cv2.IMREAD_GRAYSCALE)
        draw(image)
        cv2.imwrite(str(folder / place), image)

    def two(image):
        image[:] = 250
        image[40:80, 10:40:2] = image[40:80, 260:290:2] = 30

    change("ann/g0.png", lambda image: image.__setitem__((slice(50, 60), slice(0, 60)), 20))
    change("bob/g1.png", two)
    change("cat/f0.png", lambda image: image.__setitem__((slice(35, 85), slice(35, 265)), 20))
    shard = prepare(folder, tmp_path / "set.h5")
    assert shard.attributes["doubtful"] == {
        "ink_at_border": 1,
        "several_bodies": 1,
        "much_ink": 1,
    }
    for said in ("ink at the border, the first is ann/g0", "bodies of ink, the first is bob/g1"):
        assert said in caplog.text
    assert "1 of 21 images of mine have much ink, the first is cat/f0.png" in caplog.text


def test_plain_signatures_are_not_doubtful(folder, tmp_path):
    assert prepare(folder, tmp_path / "set.h5").attributes["doubtful"] == {}


# Labels


@pytest.mark.parametrize("other", ["Ann", "ann ", "a\u0301nn".replace("a\u0301", "\u00e1")])
def test_names_that_differ_by_their_spelling_alone_are_refused(other):
    first = "a\u0301nn" if "\u00e1" in other else "ann"
    with pytest.raises(FkdError, match="differ only by case, blanks or Unicode spelling"):
        refuse_alike([first, other, "bob"], "the writers", "Give one person one name.")
    refuse_alike(["ann", "anna", "bob"], "the writers", "")


def test_blanks_around_a_writers_name_are_no_part_of_it(tmp_path):
    for name in "abc":
        write_signature(tmp_path / f"iam/pages/{name}.png")
    lines = ["page,writer", "a.png, anna", "b.png ,anna", "c.png,anna "]
    (tmp_path / "iam/writers.csv").write_text("\n".join(lines), encoding="utf-8")
    list_pages(
        source=tmp_path / "iam",
        layout="iam",
        out=tmp_path / "pages.csv",
        quarantine=tmp_path / "aside.csv",
        shards=1,
        validation_share=0.3,
        seed=1,
    )
    rows = (tmp_path / "pages.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [row.split(",")[:2] for row in rows] == [[f"{name}.png", "anna"] for name in "abc"]


def test_writers_whose_folders_differ_by_case_are_refused(folder, tmp_path):
    write_signature(folder / "Ann/g0.png")
    with pytest.raises(FkdError, match="the writers 'Ann' and 'ann' differ only by case"):
        prepare(folder, tmp_path / "a.h5")


# Polarity


def test_light_ink_on_dark_paper_is_set_aside_with_a_remedy(folder, tmp_path):
    write_signature(folder / "ann/g0.png", inverted=True)
    shard = prepare(folder, tmp_path / "a.h5", max_share=0.1)
    aside = Quarantine.read(tmp_path / "a.csv")
    assert len(shard["file"]) == 20
    ((file, reason),) = aside.rows
    assert file.endswith("ann/g0.png")
    assert reason.startswith("mostly dark: ink must be dark on light paper. Invert the image")
    with pytest.raises(FkdError, match=r"g0\.png: mostly dark"):
        prepare_image(folder / "ann/g0.png")


# What narrows the data


def test_the_last_lines_name_what_was_passed_over_and_cut(folder, tmp_path):
    results = tmp_path / "results"
    (folder / "ann/notes.txt").write_text("notes", encoding="utf-8")
    for number in range(2):
        write_signature(folder / f"bob/x{number}.jpg")
    write_signature(folder / "cat/g0.png", 3, size=(1500, 2000))
    prepare(folder, results / "signatures/mine.h5")
    (results / "quarantine/signatures").mkdir(parents=True)
    (results / "signatures/mine.csv").rename(results / "quarantine/signatures/mine.csv")
    lines = narrowing(results, {"mine": "folder"})
    assert lines[0] == "0 files were set aside."
    assert lines[1].startswith("3 of 24 files of mine fit no pattern, the first is ")
    assert "ann/notes.txt. " in lines[1] and "mend signatures.mine" in lines[1]
    assert lines[2].startswith("1 of 21 signatures of mine are larger than the canvas")
    assert "set signatures.mine.resolution" in lines[2]
    drawn = narrowing(results, {"mine": "synthetic"})[2]
    assert "signatures.mine.canvas" in drawn and "dpi" not in drawn
    aside = Quarantine([("a.png", "blank")])
    aside.pass_over(results / "synthetic/pages/1/w251/w251-1.png", "fits no pattern")
    aside.write(results / "quarantine/text.csv")
    assert not any("in the text" in line for line in narrowing(results, {}))
    aside.pass_over("b.txt", "fits no pattern")
    aside.write(results / "quarantine/text.csv")
    assert any(
        line.startswith("1 file was passed over in the text") for line in narrowing(results, {})
    )
    assert narrowing(results, {})[0].startswith("1 file was set aside: 1 in ")


def test_an_ending_may_stand_for_all_formats(folder):
    write_signature(folder / "ann/g7.TIF")
    write_signature(folder / "bob/g7.jpg")
    (folder / "cat/g7.txt").write_text("no image", encoding="utf-8")
    found = list_files(folder, "{writer}/g{sample}.*")
    assert len(found) == 17 and {row.file for row in found} >= {"ann/g7.TIF", "bob/g7.jpg"}


def test_notes_among_pages_are_passed_over_and_not_counted(tmp_path):
    for name in ("ann/1.png", "bob/1.png"):
        write_signature(tmp_path / "pages" / name)
    for name in ("ann/Thumbs.db", "ann/readme.txt", "desktop.ini"):
        (tmp_path / "pages" / name).write_text("x", encoding="utf-8")
    list_pages(
        source=tmp_path / "pages",
        layout="folder",
        out=tmp_path / "pages.csv",
        quarantine=tmp_path / "aside.csv",
        shards=1,
        validation_share=0.3,
        seed=1,
    )
    aside = Quarantine.read(tmp_path / "aside.csv")
    assert (len(aside), len(aside.passed_over)) == (0, 3)
    assert "not an image by its ending" in aside.passed_over[0][1]


def test_a_key_that_stands_twice_is_refused_with_its_lines(tmp_path):
    text = "signatures:\n  one: {layout: npz}\n# pasted\nsignatures:\n  two: {a: 1, a: 2}\n"
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "good.yaml").write_text("a: &x {b: 1}\nc: {<<: *x, d: 2}\n", encoding="utf-8")
    with pytest.raises(FkdError) as error:
        refuse_double_keys([tmp_path / "good.yaml", tmp_path / "mine.yaml", tmp_path / "none"])
    assert "mine.yaml: signatures occurs twice (lines 1 and 4)" in str(error.value)
    assert "mine.yaml: signatures.two.a occurs twice (lines 5 and 5)" in str(error.value)
    assert "good" not in str(error.value)
    refuse_double_keys([tmp_path / "good.yaml"])


# What comes late


def test_a_writer_with_too_few_signatures_is_known_from_the_files(folder):
    entry = {"layout": "folder", "path": folder, **PATTERNS}
    assert too_few("mine", entry, [Protocol(3, 2, 2)]) == []
    (folder / "bob/f0.png").unlink()
    (folder / "cat/g0.png").unlink()
    (message,) = too_few("mine", entry, [Protocol(2, 2, 1), Protocol(3, 2, 2)])
    assert message.startswith("evaluation.sets.mine: 3 references and the tests need 5 genuine")
    assert "writer bob has 5 and 1, writer cat has 4 and 2. Complete" in message
    jpg = entry | {"skilled": "{writer}/f{sample}.jpg"}
    (message,) = too_few("mine", jpg, [Protocol(3, 1, 1)])
    assert "5 of 19 files there fit no pattern, the first is ann/f0.png." in message


# Machines


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )


def test_loops_are_compiled_where_machine_code_cannot_be_kept():
    code = """
import numba.core.caching as caching
caching.CacheImpl._locator_classes = []
from fkd.verification.solver import clip_step
print(clip_step(0.0, 0.0, 1.0, 1.0, 2.0, 2.0))
"""
    done = run(code)
    assert done.stdout.split("\n")[0] == "(1.0, 1.0)", done.stderr


@pytest.mark.parametrize(("given", "expected"), [({}, "1"), ({"ORT_DISABLE_TELEMETRY": "0"}, "0")])
def test_nothing_of_a_run_leaves_the_machine_unless_the_user_says_so(given, expected):
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    code = "import fkd, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment | given
    )
    assert done.stdout.strip() == expected


def test_shards_are_read_where_files_cannot_be_locked(tmp_path):
    shards.write(tmp_path / "a.h5", "crops", {"line": np.arange(3)}, {})
    code = f"""
from fkd.storage import shards
print(shards.read({str(tmp_path / "a.h5")!r})["line"].tolist())
"""
    # HDF5 itself would lock the file; held by another process, it could not be opened.
    holder = "import h5py, sys; f = h5py.File(sys.argv[1], 'r+'); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path / "a.h5")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline().strip() == "1"
        done = run(code)
        process.communicate("\n")
    assert done.stdout.strip() == "[0, 1, 2]", done.stderr


def test_an_exported_model_tells_nothing_of_its_makers_machine(tmp_path):
    network = models.build("signet", None, Networks(width=0.05, features=8), seed=1)
    for place in ("one", "other/deeper"):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        models.save(network, folder / "weights.safetensors")
        export_onnx(weights=folder / "weights.safetensors", out=folder / "m.onnx", name="m")
    contents = [(tmp_path / place / "m.onnx").read_bytes() for place in ("one", "other/deeper")]
    assert contents[0] == contents[1]
    for place in (str(ROOT), str(Path(sys.prefix)), str(Path(torch_folder())), str(tmp_path)):
        assert place.encode() not in contents[0]
    model = onnx.load_from_string(contents[0])
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)


def torch_folder():
    import torch

    return Path(torch.__file__).parent


# What cannot be written


def write(path):
    with writing(path) as part:
        part.write_text("rates", encoding="utf-8")


def test_a_file_that_cannot_be_written_is_told_as_what_it_is(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for place, reason in (
        (tmp_path / "folder", "Is a directory"),
        (tmp_path / "file/eer.csv", "Not a directory|File exists"),
        (tmp_path / ("a" * 300), "File name too long"),
    ):
        with pytest.raises(FkdError, match=rf"cannot be written \(({reason})\)"):
            write(place)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_read_only_disk_is_no_full_disk(tmp_path, monkeypatch):
    """Such a disk, an image of a file system, has no free bytes."""
    status = os.statvfs(tmp_path)
    fake = SimpleNamespace(f_flag=os.ST_RDONLY, f_bavail=0, f_frsize=status.f_frsize)
    monkeypatch.setattr(os, "statvfs", lambda _: fake)

    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system", str(tmp_path / "a.csv"))

    monkeypatch.setattr(atomic, "_give_name", refuse)
    with pytest.raises(FkdError, match=r"cannot be written \(Read-only file system\)"):
        write(tmp_path / "a.csv")


@pytest.mark.parametrize("flag", [0, os.ST_RDONLY])
def test_a_librarys_own_error_means_a_full_disk_only_where_one_could_write(
    tmp_path, monkeypatch, flag
):
    fake = SimpleNamespace(f_flag=flag, f_bavail=0, f_frsize=4096)
    monkeypatch.setattr(os, "statvfs", lambda _: fake)
    expected = (ValueError, "encoder") if flag else (FkdError, "no more room")
    with pytest.raises(expected[0], match=expected[1]), writing(tmp_path / "a.png"):
        raise ValueError("the encoder failed")


def test_an_input_that_is_missing_is_no_fault_of_the_output(tmp_path):
    with pytest.raises(FileNotFoundError), writing(tmp_path / "a.csv"):
        (tmp_path / "none").read_text(encoding="utf-8")


def test_a_home_of_nobody_is_refused(tmp_path):
    with pytest.raises(FkdError, match=r"~nosuchuser/data: .*Write the path without ~"):
        expanded("~nosuchuser/data")
    with pytest.raises(FkdError, match="~nosuchuser"):
        same_place("~nosuchuser", tmp_path)


# At the terminal


def test_a_pipe_that_closes_early_leaves_no_traceback(tmp_path):
    rows = "".join(f"teacher,{row}\n" for row in range(5000))
    (tmp_path / "eer.csv").write_text("model,EER\n" + rows, encoding="utf-8")
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "fkd", "inspect", str(tmp_path / "eer.csv")]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    os.close(writer)
    assert done.stderr == "" and done.returncode == 1


def test_a_folder_given_to_inspect_is_told_as_one(tmp_path):
    with pytest.raises(FkdError, match=r"a folder\. Give one file in it, or check"):
        inspect_file(file=tmp_path)


# Names that look like other things


def test_names_in_tables_stay_text(tmp_path):
    table = "model,set,references,split,EER\nNA,007,3,0,0.1\nnull,01,3,0,0.2\n"
    (tmp_path / "a.csv").write_text(table, encoding="utf-8")
    rates = read_splits([tmp_path / "a.csv"])
    assert rates["model"].tolist() == ["NA", "null"]
    assert rates["set"].tolist() == ["007", "01"]
    assert rates["EER"].tolist() == [0.1, 0.2]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("model,set,references,EER\na,b,3,\n", "a rate is missing"),
        ("model,set,references,EER\na,b,3,x\n", "no table of error rates"),
        ("file,reason\na,b\n", "no table of error rates"),
        ("", "no table of error rates"),
    ],
)
def test_what_is_no_table_of_rates_is_refused(tmp_path, table, message):
    (tmp_path / "a.csv").write_text(table, encoding="utf-8")
    with pytest.raises(FkdError, match=message):
        read_splits([tmp_path / "a.csv"])


def test_a_second_config_can_drop_what_the_first_one_has(tmp_path):
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    dropped, *kept = config["students"]
    config["students"][dropped] = False
    study = complete(config, ROOT / "workflow/schemas/config.schema.yaml")
    assert dropped not in study.students and set(kept) <= set(study.students)


@pytest.mark.parametrize("kind", ["npz", "npy", "png"])
def test_a_file_of_ones_own_is_told_as_what_it_is_and_never_to_be_removed(tmp_path, kind):
    file = tmp_path / f"features.{kind}"
    if kind == "npz":
        np.savez(file, feature=np.eye(3))
    elif kind == "npy":
        np.save(file, np.eye(3))
    else:
        write_signature(file)
    with pytest.raises(FkdError, match=r"and no shard of a study, which is an HDF5 file\.$"):
        shards.read(file, "features")


def test_a_damaged_shard_is_to_be_removed_only_if_a_run_wrote_it(tmp_path):
    (tmp_path / "0.h5").write_bytes(b"not what was written")
    with pytest.raises(FkdError, match=r"If a run of a study wrote it, remove it"):
        shards.read(tmp_path / "0.h5", "features")


# Resolution


def write_scans(folder, scale=1, dpi=None, seeds=range(4)):
    """Scans of two writers, enlarged, with their resolution written into the file."""
    for writer in ("ann", "bob"):
        for seed in seeds:
            path = folder / writer / f"g{seed}.png"
            write_signature(path, seed)
            image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            size = None if scale == 1 else (image.shape[1] * scale, image.shape[0] * scale)
            image = (
                image if size is None else cv2.resize(image, size, interpolation=cv2.INTER_NEAREST)
            )
            with Image.fromarray(image) as scan:
                scan.save(path, **({} if dpi is None else {"dpi": (dpi, dpi)}))
    return folder


def prepared(folder, out, **changes):
    return prepare(folder, out, skilled=None, **changes)


def test_scans_of_twice_the_resolution_are_prepared_as_the_usual_ones(tmp_path):
    usual = prepared(write_scans(tmp_path / "usual"), tmp_path / "usual.h5")
    twice = write_scans(tmp_path / "twice", 2, 600)
    for resolution in ("file", 600):
        found = prepared(twice, tmp_path / "found.h5", resolution=resolution)
        np.testing.assert_array_equal(found["image"], usual["image"])
        assert found.attributes["resolutions"] == {"600": 8}
        assert found.attributes["settings"]["resolution"] == resolution
    unscaled = prepared(twice, tmp_path / "unscaled.h5")
    assert (unscaled["image"] != usual["image"]).any(axis=(1, 2)).all()
    assert "resolution" not in unscaled.attributes["settings"]


def test_scans_of_the_usual_resolution_stay_bit_for_bit(tmp_path):
    folder = write_scans(tmp_path / "scans", 1, 300)
    usual, found = (
        prepared(folder, tmp_path / f"{given}.h5", resolution=given) for given in (None, "file")
    )
    np.testing.assert_array_equal(usual["image"], found["image"])


def test_scans_without_a_resolution_and_with_an_impossible_one_are_set_aside(tmp_path):
    with pytest.raises(FkdError, match=r"8 of 8 .*(?s:.*)states no resolution"):
        prepared(write_scans(tmp_path / "none"), tmp_path / "a.h5", resolution="file")
    with pytest.raises(FkdError, match=r"a resolution of 3\.9878 dpi, and scans have 50 to"):
        prepared(write_scans(tmp_path / "four", 1, 4), tmp_path / "b.h5", resolution="file")
    with pytest.raises(FkdError, match="resolution: expected a number, above 0, or file"):
        prepared(tmp_path / "none", tmp_path / "c.h5", resolution="dpi")


def test_several_resolutions_in_one_set_are_named(tmp_path, caplog):
    write_scans(tmp_path / "set", 1, 300, range(4))
    write_scans(tmp_path / "set", 2, 600, range(4, 6))
    found = prepared(tmp_path / "set", tmp_path / "set.h5", resolution="file")
    assert found.attributes["resolutions"] == {"300": 8, "600": 4}
    assert "the scans of mine have several resolutions: 8 of 300 dpi, 4 of 600 dpi" in caplog.text


def test_a_set_may_have_a_canvas_of_its_own(tmp_path):
    folder = write_scans(tmp_path / "scans", 10)
    assert prepared(folder, tmp_path / "a.h5").attributes["oversized"] > 0
    larger = prepared(folder, tmp_path / "b.h5", canvas=(1200, 3000))
    assert larger.attributes["oversized"] == 0
