"""Shards, seeding, quarantine and atomic files."""

import logging
import re
from pathlib import Path

import numpy as np
import pytest

from fkd.__main__ import main
from fkd.errors import FkdError
from fkd.logs import stage
from fkd.seeding import entropy, generator
from fkd.storage import shards
from fkd.storage.atomic import writing
from fkd.storage.files import is_utf8, printable, printable_lines
from fkd.storage.quarantine import Quarantine
from fkd.text.check import check_text
from fkd.threads import ahead
from fkd.verification import evaluate


def test_shard_gives_back_what_was_written(tmp_path):
    image = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    arrays = {"image": image, "writer": np.array(["Zoë", "b"], object), "none": np.zeros((0, 5))}
    shards.write(tmp_path / "a.h5", "crops", arrays, {"writers": ["Zoë", "b"], "seed": 3})
    shard = shards.read(tmp_path / "a.h5", "crops")
    np.testing.assert_array_equal(shard["image"], image)
    assert shard["image"].dtype == np.uint8
    assert shard["writer"].tolist() == ["Zoë", "b"]
    assert shard["none"].shape == (0, 5)
    assert shard.attributes == {"writers": ["Zoë", "b"], "seed": 3}
    assert set(shards.read(tmp_path / "a.h5", "crops", ["image"]).arrays) == {"image"}


def test_shard_names_the_file_and_the_fault(tmp_path):
    path = tmp_path / "a.h5"
    with pytest.raises(FkdError, match=r"a\.h5: no such file"):
        shards.read(path, "crops")
    shards.write(path, "crops", {"image": np.ones((4, 4))})
    with pytest.raises(FkdError, match="kind 'features'"):
        shards.read(path, "features")
    with pytest.raises(FkdError, match="label"):
        shards.read(path, "crops", ["label"])
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(FkdError, match="not a whole HDF5 file"):
        shards.read(path, "crops")


def test_a_failed_write_leaves_the_old_file_and_no_part(tmp_path):
    path = tmp_path / "new" / "table.csv"
    with writing(path) as part:
        part.write_text("whole")
    with pytest.raises(RuntimeError), writing(path) as part:
        part.write_text("ha")
        raise RuntimeError
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_draws_depend_on_what_they_are_for():
    first = generator(1, "crop", "page", 3).random(4)
    generator(1, "crop", "page", 4).random(9)
    np.testing.assert_array_equal(first, generator(1, "crop", "page", 3).random(4))
    assert len({entropy(1, "a", 12), entropy(1, "a1", 2), entropy(2, "a", 12)}) == 3


def test_quarantine_round_trip_and_limit(tmp_path):
    quarantine = Quarantine()
    quarantine.set_aside("page, 1.png", "blank")
    quarantine.write(tmp_path / "one.csv")
    Quarantine().write(tmp_path / "two.csv")
    joined = Quarantine.read(tmp_path / "one.csv", tmp_path / "two.csv")
    assert joined.rows == [("page, 1.png", "blank")]
    joined.check(total=100, max_share=0.01, what="pages")
    with pytest.raises(FkdError, match=r"1 of 99 pages.*0\.01(?s:.*)page, 1\.png: blank"):
        joined.check(total=99, max_share=0.01, what="pages")


def test_a_file_of_any_name_can_be_set_aside(tmp_path, caplog):
    quarantine = Quarantine()
    quarantine.set_aside("Zo\udceb\ud800.png", "no file \udcff")
    quarantine.write(tmp_path / "one.csv")
    rows = [(r"Zo\udceb\ud800.png", r"no file \udcff")]
    assert Quarantine.read(tmp_path / "one.csv").rows == rows
    assert rows[0][0] in caplog.text


def test_the_list_of_a_stage_that_stops_stays_until_the_next_attempt(tmp_path):
    listed, kept = tmp_path / "cedar.csv", tmp_path / "cedar.stopped.csv"
    quarantine = Quarantine([("a.png", "blank"), ("b.png", "blank")])
    quarantine.pass_over("notes.txt", "no image")
    quarantine.write(listed)
    with pytest.raises(FkdError, match=re.escape(f"lists them all, as does {kept}")):
        quarantine.check(3, 0.1, "signatures", listed)
    assert kept.read_bytes() == listed.read_bytes()
    quarantine.write(listed)
    quarantine.check(3, 0.9, "signatures", listed)
    assert not kept.exists()


HOSTILE = "\x1b]0;owned\x07\x1b[2J\r\nerror: \x9b31m\u2028\u202egnp.\udcff"
"""Escapes, a bell, line breaks of three kinds, C1 codes, text turned around, and no UTF-8."""


def test_names_reach_the_terminal_spelled_out():
    spelled = printable(HOSTILE)
    assert spelled == (r"\x1b]0;owned\x07\x1b[2J\r\nerror: \x9b31m\u2028\u202egnp.\udcff")
    for harmless in ("подпись-署名-توقيع-שלום.png", "क्ष\u200dन", "Zoe\u0308 \u00a0.png", r"C:\x1b"):
        assert printable(harmless) == harmless
    assert printable_lines(f"two:\n{HOSTILE}").startswith("two:\n\\x1b]0;owned\\x07\\x1b[2J\\r\n")
    assert is_utf8(HOSTILE[:-1]) and not is_utf8(HOSTILE)


@pytest.mark.parametrize("to_file", [False, True])
def test_messages_of_a_stage_obey_no_name(tmp_path, capsys, to_file):
    """Neither errors nor logs hand on what a terminal obeys; each message of a log is a line."""
    log = tmp_path / "stage.log" if to_file else None
    with pytest.raises(SystemExit), stage(log):
        logging.getLogger("fkd.some.stage").warning("%s: holds %d images", Path(HOSTILE[:-1]), 2)
        raise FkdError(f"2 images are bad:\n  {HOSTILE}")
    said = capsys.readouterr().err
    logged = log.read_text(encoding="utf-8") if to_file else said
    assert re.search(r"fkd\.some\.stage: .*\\n.*: holds 2 images\n", logged)
    for text in (said, logged):
        assert "2 images are bad:\n  \\x1b]0;owned" in text
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e\udc00-\udfff]", text)


def test_arguments_reach_the_terminal_spelled_out(capsys):
    name = HOSTILE[:-1]
    for arguments in ([name], ["inspect", name], ["verify", "folder", f"--{name}"]):
        with pytest.raises(SystemExit):
            main(arguments)
        said = capsys.readouterr().err
        assert r"\x1b]0;owned" in said and "\x1b" not in said and "\x07" not in said


def test_where_text_is_refused_the_log_lists_all_that_was_set_aside(tmp_path, caplog):
    """A workflow removes the lists of a stage that failed."""
    of_pages = Quarantine((f"page {n}.png", "blank") for n in range(12))
    of_crops = Quarantine([("page 12.png line 3 crop 4", "no ink")])
    of_pages.write(tmp_path / "pages.aside.csv")
    of_crops.write(tmp_path / "crops.aside.csv")
    rows = "".join(f"page {n}.png\n" for n in range(14))
    (tmp_path / "pages.csv").write_text(f"file\n{rows}")
    shards.write(tmp_path / "crops.h5", "crops", {"line": np.zeros(3, np.int32)})
    caplog.clear()
    with pytest.raises(
        FkdError, match=r"12 of 14 pages(?s:.*)and 2 more(?s:.*)log .* lists them all"
    ):
        check_text(
            pages=tmp_path / "pages.csv",
            crops=[tmp_path / "crops.h5"],
            page_lists=[tmp_path / "pages.aside.csv"],
            crop_lists=[tmp_path / "crops.aside.csv"],
            out=tmp_path / "text.csv",
            max_share=0.5,
        )
    assert all(f"{file}: {reason}" in caplog.text for file, reason in of_pages.rows + of_crops.rows)


def test_a_protocol_that_lacks_signatures_points_to_what_was_set_aside():
    y, yforg = np.repeat([1, 2], 6), np.tile([0, 0, 0, 0, 1, 1], 2)
    x, y, yforg = (values[1:] for values in (np.eye(12), y, yforg))
    with pytest.raises(FkdError, match=r"writer 1 has 3(?s:.*)see results/quarantine"):
        evaluate(x, y, yforg, references=2, test_genuine=2, test_skilled=2)


def test_a_shard_written_in_parts_is_the_one_written_at_once(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "image": rng.integers(0, 255, (7, 30, 40), dtype=np.uint8),
        "nac": rng.random((7, 11)).astype(np.float32),
        "file": np.array([f"é{k}" for k in range(7)], object),
    }
    shards.write(tmp_path / "whole.h5", "crops", arrays, {"seed": 1})
    with shards.appending(tmp_path / "parts.h5", "crops") as shard:
        for part in (slice(0, 3), slice(3, 3), slice(3, 7)):
            shard.append({name: values[part] for name, values in arrays.items()})
        shard.attributes["seed"] = 1
    whole, parts = (shards.read(tmp_path / f"{name}.h5", "crops") for name in ("whole", "parts"))
    assert whole.digests == parts.digests
    assert whole.attributes == parts.attributes == {"seed": 1}
    for name, values in arrays.items():
        np.testing.assert_array_equal(parts[name], values)
    assert whole.digests["image"] == shards.digest(arrays["image"])
    assert len(set(whole.digests.values())) == 3


def test_a_shard_that_fails_half_way_is_not_there(tmp_path):
    with pytest.raises(ZeroDivisionError), shards.appending(tmp_path / "a.h5", "crops") as shard:
        shard.append({"line": np.zeros(3)})
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_rows_of_a_shard_are_read_alone(tmp_path):
    shards.write(tmp_path / "a.h5", "crops", {"line": np.arange(9), "file": list("abcdefghi")})
    with shards.opened(tmp_path / "a.h5", "crops", ["line"]) as shard:
        assert shard.rows("line", 4) == 4
        assert shard.rows("file", slice(2, 4)).tolist() == ["c", "d"]
        assert shard.shape("line") == (9,)
    with (
        pytest.raises(FkdError, match="arrays width are missing"),
        shards.opened(tmp_path / "a.h5", "crops", ["width"]),
    ):
        pass


def test_items_made_ahead_come_in_order_and_with_their_errors():
    made = []

    def numbers():
        for number in range(4):
            made.append(number)
            yield number
        raise FkdError("no more")

    taken = []
    with pytest.raises(FkdError, match="no more"):
        for number in ahead(numbers()):
            taken.append(number)
    assert taken == made == [0, 1, 2, 3]
