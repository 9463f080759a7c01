"""Sets of signatures as the sigver package stores them: there and back."""

import logging

import numpy as np
import pytest

from fkd.errors import FkdError
from fkd.signatures.npz import export_signatures, read_npz
from fkd.signatures.prepare import prepare_signatures
from fkd.storage import shards

pytestmark = pytest.mark.fidelity("sigver's sets")

NAMES = ("x", "y", "yforg", "filenames")


def prepare(source, out):
    prepare_signatures(
        name="mine",
        source=source,
        layout="npz",
        out=out,
        quarantine=out.with_suffix(".csv"),
        max_pixels=10**7,
        max_share=0.0,
    )


def test_cedar_there_and_back(shared, tmp_path):
    source = shared / "data/cedar_170x242.npz"
    prepare(source, tmp_path / "cedar.h5")
    export_signatures(signatures=tmp_path / "cedar.h5", out=tmp_path / "back.npz")
    with np.load(source) as there, np.load(tmp_path / "back.npz") as back:
        for name in NAMES:
            np.testing.assert_array_equal(back[name], there[name])
            assert back[name].dtype == there[name].dtype
        assert back["user_mapping"].tolist() == [str(writer) for writer in range(55)]


@pytest.fixture
def own(tmp_path):
    """A shard of three writers with names of their own."""
    writer = np.array(["Zoë", "Zoë", "a 2", "a 2", "a 10", "a 10"], object)
    shards.write(
        tmp_path / "own.h5",
        "signatures",
        {
            "image": np.arange(6 * 170 * 242).reshape(6, 170, 242).astype(np.uint8),
            "writer": writer,
            "forgery": np.array([False, True] * 3),
            "sample": np.array(list("121212"), object),
            "file": np.array([f"{w}/{s}.png" for w, s in zip(writer, "121212", strict=True)]),
        },
        {"set": "own"},
    )
    return tmp_path / "own.h5"


def test_names_of_writers_come_back_and_nothing_is_pickled(own, tmp_path):
    export_signatures(signatures=own, out=tmp_path / "new/own.npz")
    with np.load(tmp_path / "new/own.npz", allow_pickle=False) as file:
        held = {name: file[name] for name in file}
    assert set(held) == {*NAMES, "user_mapping"}
    assert held["x"].shape == (6, 1, 170, 242)
    assert held["user_mapping"].tolist() == ["Zoë", "a 2", "a 10"]
    assert held["user_mapping"][held["y"]].tolist() == ["Zoë", "Zoë", "a 2", "a 2", "a 10", "a 10"]
    assert held["yforg"].tolist() == [0, 1] * 3
    prepare(tmp_path / "new/own.npz", tmp_path / "back.h5")
    there, back = (shards.read(path, "signatures") for path in (own, tmp_path / "back.h5"))
    for name in ("image", "writer", "forgery", "file", "sample"):
        np.testing.assert_array_equal(back[name], there[name])


def write(path, **changes):
    arrays = {
        "x": np.arange(4 * 170 * 242).reshape(4, 1, 170, 242).astype(np.uint8),
        "y": np.array([0, 0, 0, 1], np.int32),
        "yforg": np.array([2, 1, 0, 0], np.int32),
        "filenames": np.array(["s.png", "f.png", "g.png", "h.png"]),
    }
    np.savez(path, **arrays | changes)
    return path


def test_simple_forgeries_are_passed_over(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        rows, images = read_npz(write(tmp_path / "a.npz"))
    assert "passed over 1 simple forgeries" in caplog.text
    assert [(row.writer, row.forgery, row.file) for row in rows] == [
        ("0", False, "g.png"),
        ("0", True, "f.png"),
        ("1", False, "h.png"),
    ]
    with np.load(tmp_path / "a.npz") as file:
        np.testing.assert_array_equal(np.stack(list(images)), file["x"][[2, 1, 3], 0])


def test_what_cannot_be_told_is_refused(tmp_path):
    with pytest.raises(FkdError, match=r"a\.npz: yforg is 0 .*found \[3\]"):
        read_npz(write(tmp_path / "a.npz", yforg=np.array([3, 1, 0, 0])))
    for y in ([0, 0, 0, 2], [0, 0, -1, 1]):
        with pytest.raises(FkdError, match=r"a\.npz: y names writers that are not in user_map"):
            read_npz(write(tmp_path / "a.npz", y=np.array(y), user_mapping=np.array(["a", "b"])))


def test_sigvers_own_mapping_is_not_unpickled(tmp_path):
    trap = tmp_path / "trap"

    class Harm:
        def __reduce__(self):
            return (open, (str(trap), "w"))

    rows, _ = read_npz(write(tmp_path / "a.npz", user_mapping=np.array({0: Harm()}, object)))
    assert [row.writer for row in rows] == ["0", "0", "1"]
    assert not trap.exists()
