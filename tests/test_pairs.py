"""Lists of pairs: files as they are handed round, drawn pairs, parts and their audit."""

import csv
import logging
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from fkd.errors import FkdError
from fkd.pairs import files
from fkd.pairs.drawing import Draw, draw_pairs
from fkd.pairs.files import read_pair_file
from fkd.pairs.listing import Source, list_pairs
from fkd.pairs.parts import PARTS, PartShares, part_pairs, part_writers
from fkd.pairs.stored import learned_signatures, read_pairs
from fkd.signatures.prepare import prepare_signatures
from fkd.storage import shards

PATTERNS = {"genuine": "{writer:3}/{sample}.png", "skilled": "{writer:3}_forg/{sample}.png"}


def pair_file(folder, text):
    path = folder / "pairs.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a.png,b.png,0\nc.png,d.png,1\n", [1, 2]),
        ("image1,image2,label\na.png,b.png,0\nc.png,d.png,1\n", [2, 3]),
        ("\ufeffa.png,b.png,0\r\n\r\nc.png,d.png,1", [1, 3]),
        ('"a.png","b.png","0.0"\nc.png, d.png ,1.0\n', [1, 2]),
    ],
)
def test_a_first_line_that_is_a_pair_stays_one(tmp_path, text, lines):
    found = read_pair_file(pair_file(tmp_path, text), forged=1)
    assert found.line.tolist() == lines
    assert [found.names[at] for at in (*found.first, *found.second)] == [
        *("a.png", "c.png"),
        *("b.png", "d.png"),
    ]
    assert found.forged.tolist() == [False, True]


def test_what_a_label_means_is_said(tmp_path):
    path = pair_file(tmp_path, "a.png,b.png,0\nc.png,d.png,1\n")
    assert read_pair_file(path, forged=0).forged.tolist() == [True, False]


def test_slashes_of_either_kind_are_one_name(tmp_path):
    found = read_pair_file(pair_file(tmp_path, "001\\a.png,./001/a.png,0\n"), forged=1)
    assert found.names == ["001/a.png"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "pairs.csv: no pair in this file"),
        ("image1,image2,label\n", "pairs.csv: no pair in this file"),
        ("a.png,b.png\n", "line 1: 2 values, expected 3"),
        ("a.png,b.png,0\na.png,b.png,2\n", "line 2: the label '2' is neither 0 nor 1"),
        ("a.png,b.png,2\n", "line 1: the label '2' is neither 0 nor 1"),
        ("a.png,../b.png,0\n", "line 1: '../b.png' is no path within the folder"),
        ("/etc/a.png,b.png,0\n", "line 1: '/etc/a.png' is no path within the folder"),
        ("C:\\a.png,b.png,0\n", "is no path within the folder"),
        (",b.png,0\n", "line 1: '' is no path within the folder"),
        (b"a.png,b\xff.png,0\n", "line 1: not UTF-8"),
        ("a.png,b\0.png,0\n", "line 1: holds a null byte"),
        ('a.png,"b.png,0\n', "not a line of a CSV file"),
        ("a.png,b.png,0\n" + "a" * 5000, "line 2: longer than 4096 bytes"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path, text, said):
    with pytest.raises(FkdError) as refused:
        read_pair_file(pair_file(tmp_path, text), forged=1)
    assert str(tmp_path / "pairs.csv") in str(refused.value)
    assert said in str(refused.value)


def test_a_file_of_too_many_pairs_is_refused_at_its_line(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOST_PAIRS", 3)
    with pytest.raises(FkdError, match=r"line 4: more than 3 pairs\. Divide the file"):
        read_pair_file(pair_file(tmp_path, "a.png,b.png,0\n" * 9), forged=1)


WITHIN = 100_000_000
"""The bytes in which a file of 10 million pairs is refused: 13 a pair, and room for growth."""

READ = """
import resource, sys
from fkd.errors import FkdError
from fkd.pairs.files import read_pair_file

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_pair_file(sys.argv[1], forged=1)
except FkdError as error:
    print(error)
print(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


@pytest.mark.operations
def test_ten_million_pairs_are_refused_within_the_stated_memory(tmp_path):
    part = b"".join(b"%03d.png,b.png,0\n" % number for number in range(1000))
    path = pair_file(tmp_path, part * 10_000)
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True
    )
    said, used = done.stdout.splitlines()
    assert said.startswith(f"{path}, line 5000001: more than 5000000 pairs. Divide the file")
    assert int(used) < WITHIN


def draw_images(folder, writers=4, genuine=3, skilled=2):
    """Images of random ink, named as in the write-ups, and all pairs of each writer."""
    rng = np.random.default_rng(0)
    rows = []
    for writer in range(1, writers + 1):
        names = [f"{writer:03}/{writer:03}_{n:02}.PNG" for n in range(genuine)]
        names += [f"{writer:03}_forg/{n:02}_{writer:03}.png" for n in range(skilled)]
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            ink = rng.random((40 + writer, 90)) < 0.1
            Image.fromarray(np.where(ink, 30, 250).astype(np.uint8)).save(folder / name)
        for first in range(genuine):
            for second in range(first + 1, genuine + skilled):
                rows.append((names[first], names[second], int(second >= genuine)))
    return rows


def write_rows(path, rows):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)


@pytest.fixture
def handed_round(tmp_path):
    """A folder as it is handed round, whose test images are copies of training images."""
    folder = tmp_path / "data"
    rows = draw_images(folder / "train")
    shutil.copytree(folder / "train", folder / "test")
    write_rows(folder / "train.csv", rows)
    write_rows(folder / "test.csv", [row for row in rows if row[0][:3] in ("001", "002")])
    return folder


def listed(folder, out, max_share=0.0, shares=None, **changes):
    source = Source(
        path=folder,
        files={"training": "train.csv", "test": "test.csv"},
        folders={"training": "train", "test": "test"},
        **PATTERNS | {"forged": 1} | changes.pop("source", {}),
    )
    arguments = {"name": "mine", "out": out / "pairs.h5", "quarantine": out / "aside.csv"}
    arguments |= {"audit": out / "audit.csv", "max_share": max_share, "source": source}
    arguments |= {"shares": shares or PartShares(), "images": "raw", "seed": 1, "threads": 1}
    list_pairs(**arguments | changes)
    with (out / "audit.csv").open(newline="") as stream:
        audit = {(row["part"], row["against"]): row for row in csv.DictReader(stream)}
    return read_pairs(out / "pairs.h5"), audit


def test_the_audit_of_the_published_split_counts_copies(handed_round, tmp_path, caplog):
    found, audit = listed(handed_round, tmp_path, shares=PartShares("published", 0.2))
    assert np.bincount(found.part).tolist() == [29, 7, 18]
    row = audit["test", "training and validation"]
    counted = [int(row[f"common_{kind}"]) for kind in ("pairs", "images", "writers")]
    assert counted == [int(row[kind]) for kind in ("pairs", "images", "writers")] == [18, 10, 2]
    assert "18 of 18 pairs, 10 of 10 images and 2 of 2 writers are also in training" in caplog.text


def test_parts_by_writer_have_nothing_in_common(handed_round, tmp_path):
    found, audit = listed(handed_round, tmp_path)
    for row in audit.values():
        assert [row[f"common_{kind}"] for kind in ("pairs", "images", "writers")] == ["0"] * 3
    writers = [set(found.writer[found.first[found.rows(part)]]) for part in PARTS]
    assert [len(names) for names in writers] == [2, 1, 1]
    # The test file repeats training pairs, which count once.
    assert len(found.first) == 36
    assert (found.forged == found.forgery[found.second]).all()


def test_a_random_split_of_pairs_shares_writers(handed_round, tmp_path):
    found, audit = listed(handed_round, tmp_path, shares=PartShares("pairs", 0.1, 0.25))
    assert np.bincount(found.part).tolist() == [23, 4, 9]
    row = audit["test", "training"]
    assert row["common_pairs"] == "0"
    assert int(row["common_writers"]) == int(row["writers"])


def test_raw_images_are_scans_with_bright_ink(handed_round, tmp_path):
    found, _ = listed(handed_round, tmp_path)
    images = found.images((42, 90))
    file = handed_round / found.file[3]
    with Image.open(file) as scan:
        rows = np.asarray(scan)
    same = images[3] if rows.shape[0] == 42 else None
    assert images.shape == (len(found.file), 42, 90)
    assert same is None or np.array_equal(same, 255 - rows)
    learned = learned_signatures(found.path)
    prepared, _ = listed(handed_round, tmp_path, images="prepared")
    assert prepared.images((7, 7)).shape[1:] == (150, 220)
    assert learned == learned_signatures(prepared.path) and len(learned[1]) > 5


@pytest.mark.parametrize("images", ["raw", "prepared"])
def test_pairs_are_prepared_like_the_set_of_the_same_scans(handed_round, tmp_path, images):
    preparation = {"resolution": 400, "canvas": (200, 300), "threshold": "blurred"}
    prepare_signatures(
        name="set",
        source=handed_round / "train",
        layout="folder",
        out=tmp_path / "set.h5",
        quarantine=tmp_path / "set.csv",
        max_pixels=10**6,
        max_share=0.0,
        **PATTERNS,
        **preparation,
    )
    held = shards.read(tmp_path / "set.h5", "signatures", ["image"])["image"]
    expected = {shards.digest(image) for image in held}
    for changes, common in ((preparation, len(expected)), ({}, 0)):
        found, _ = listed(handed_round, tmp_path, images=images, **changes)
        learned = learned_signatures(found.path)[1]
        assert len(learned) > 5 and len(expected & learned) == min(common, len(learned))


@pytest.mark.parametrize("damage", ["removed", "cut", "misnamed"])
def test_a_pair_without_an_image_is_set_aside_with_its_line(handed_round, tmp_path, damage):
    image = handed_round / "train/003/003_01.PNG"
    if damage == "cut":
        image.write_bytes(image.read_bytes()[:60])
    elif damage == "removed":
        image.unlink()
    else:
        image.rename(handed_round / "train/003/other.png")
    with pytest.raises(FkdError, match="4 of 54 pairs of mine were set aside") as refused:
        listed(handed_round, tmp_path)
    assert f"{handed_round / 'train.csv'} line 19: 003/003_01.PNG: " in str(refused.value)
    found, _ = listed(handed_round, tmp_path, max_share=0.1)
    assert len(found.first) == 32
    assert len((tmp_path / "aside.csv").read_text().splitlines()) == 5


def test_an_ending_may_be_in_the_other_case(handed_round, tmp_path):
    rows = [
        (a.replace("PNG", "png"), b.replace(".png", ".Png"), label)
        for a, b, label in csv.reader((handed_round / "train.csv").open(newline=""))
    ]
    write_rows(handed_round / "train.csv", rows)
    assert len(listed(handed_round, tmp_path)[0].first) == 36


def test_labels_the_wrong_way_round_are_noticed(handed_round, tmp_path, caplog):
    found, _ = listed(handed_round, tmp_path, source={"forged": 0})
    assert "54 of 54 labels contradict the names of the images" in caplog.text
    assert "the wrong way round" in caplog.text
    assert (found.forged != found.forgery[found.second]).all()


def test_names_that_fit_two_patterns_are_set_aside(handed_round, tmp_path):
    wide = {"genuine": "{writer}/{sample}.png", "skilled": "{writer}_forg/{sample}.png"}
    with pytest.raises(FkdError, match="fits several patterns"):
        listed(handed_round, tmp_path, source=wide)


def write_signatures(path, writers=10, genuine=4, skilled=3):
    rng = np.random.default_rng(0)
    per_writer = genuine + skilled
    rows = np.arange(writers * per_writer)
    image = (rng.random((len(rows), 170, 242)) < 0.05).astype(np.uint8) * 200
    shards.write(
        path,
        "signatures",
        {
            "image": image,
            "writer": np.array([f"w{row // per_writer}" for row in rows], object),
            "forgery": rows % per_writer >= genuine,
            "sample": np.array([str(row) for row in rows], object),
            "file": np.array([f"{row}.png" for row in rows], object),
            "copy_of": rows.astype(np.int32),
        },
        {"set": "drawn"},
    )
    return path


@pytest.mark.parametrize("split", ["writers", "pairs"])
def test_drawn_pairs_are_of_the_stated_kinds(tmp_path, split):
    signatures = write_signatures(tmp_path / "signatures.h5")
    draw = Draw(pairs=8, genuine=0.5, skilled=0.25, random=0.25)
    list_pairs(
        name="drawn",
        out=tmp_path / "pairs.h5",
        quarantine=tmp_path / "aside.csv",
        audit=tmp_path / "audit.csv",
        max_share=0.0,
        signatures=signatures,
        draw=draw,
        shares=PartShares(split, 0.2, 0.2),
        seed=1,
    )
    found = read_pairs(tmp_path / "pairs.h5")
    assert len(found.first) == 80
    assert not found.forgery[found.first].any()
    same_writer = found.writer[found.first] == found.writer[found.second]
    assert (found.forged == (found.forgery[found.second] | ~same_writer)).all()
    assert found.forgery[found.second].sum() == (~same_writer).sum() == 20
    ends = np.stack([found.first, found.second])
    assert (ends[0] != ends[1]).all()
    if split == "writers":
        of_part = [set(found.writer[ends[:, found.part == part]].ravel()) for part in range(3)]
        assert not (of_part[0] & of_part[1] or of_part[0] & of_part[2] or of_part[1] & of_part[2])


def test_draws_are_seeded_and_few_writers_are_among_more(tmp_path):
    signatures = write_signatures(tmp_path / "signatures.h5")
    digests, writers = [], []
    for count, seed in ((2, 1), (2, 1), (4, 1), (2, 5)):
        list_pairs(
            name="drawn",
            out=tmp_path / "pairs.h5",
            quarantine=tmp_path / "aside.csv",
            audit=tmp_path / "audit.csv",
            max_share=0.0,
            signatures=signatures,
            writers=count,
            shares=PartShares(validation=0.0, test=0.0),
            seed=seed,
        )
        found = read_pairs(tmp_path / "pairs.h5")
        digests.append(found.digest)
        writers.append(set(found.writer))
    assert digests[0] == digests[1] != digests[3]
    assert len(writers[0]) == 2 and writers[0] < writers[2] and len(writers[2]) == 4


def test_writers_with_few_signatures_have_fewer_pairs(caplog):
    rows = np.arange(6).reshape(2, 3)
    empty = [rows[0][:0]] * 2
    with caplog.at_level(logging.WARNING):
        first, _, forged = draw_pairs(rows, empty, Draw(pairs=10), np.random.default_rng(0))
    assert len(first) == 6 and not forged.any()
    assert "14 pairs fewer than wanted" in caplog.text


def test_what_cannot_be_divided_is_refused():
    with pytest.raises(FkdError, match="2 writers are too few"):
        part_writers(["a", "b"], PartShares(), seed=0)
    with pytest.raises(FkdError, match="nothing to learn from"):
        PartShares(validation=0.5, test=0.5)
    with pytest.raises(FkdError, match=r"add up to 1\.5"):
        Draw(genuine=1.0)


def test_parts_of_pairs_are_what_the_shares_say():
    part = part_pairs(100, 0.1, 0.2, seed=3)
    assert np.bincount(part).tolist() == [70, 10, 20]
    assert not np.array_equal(part, part_pairs(100, 0.1, 0.2, seed=4))


def test_of_icdar_2011_all_test_pairs_are_training_rows(shared, tmp_path):
    folder = shared / "data/icdar2011"
    copied = tmp_path / "data"
    copied.mkdir()
    for part in ("train", "test"):
        rows = list(csv.reader((folder / f"{part}_data.csv").open(newline="")))
        chosen = [row for row in rows if row[0][:3] in ("068", "001", "060")]
        write_rows(copied / f"{part}.csv", chosen)
        (copied / part).symlink_to(folder / part)
    found, audit = listed(copied, tmp_path, shares=PartShares("published", 0.2))
    row = audit["test", "training and validation"]
    assert int(row["common_pairs"]) == int(row["pairs"]) == (found.part == 2).sum() > 0
    assert int(row["common_images"]) == int(row["images"]) > 0
