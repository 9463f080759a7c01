"""Results that can be trusted: verify finds what was changed, and a full disk stops cleanly."""

import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from fkd import models
from fkd.__main__ import main
from fkd.errors import FkdError
from fkd.models.export import export_onnx
from fkd.storage import shards
from fkd.study.parts import Networks


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    draw = np.random.default_rng(0)
    arrays = {
        "image": draw.integers(0, 255, (20, 30, 40), np.uint8),
        "file": list("abcdefghij" * 2),
    }
    shards.write(folder / "crops/0.h5", "crops", arrays, {"writers": ["a"]})
    network = models.build("resnet18", None, Networks(width=0.02, features=8)).eval()
    models.save(network, folder / "students/a/weights.safetensors")
    export_onnx(
        weights=folder / "students/a/weights.safetensors", out=folder / "models/a.onnx", name="a"
    )
    return folder


@pytest.fixture
def results(written, tmp_path):
    return Path(shutil.copytree(written, tmp_path / "results"))


def test_untouched_results_are_whole(results, capsys):
    main(["verify", str(results)])
    assert "3 files below" in capsys.readouterr().out


@pytest.mark.parametrize("file", ["crops/0.h5", "students/a/weights.safetensors", "models/a.onnx"])
def test_a_truncated_file_is_named(results, file, capsys):
    path = results / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SystemExit) as stop:
        main(["verify", str(results)])
    assert stop.value.code == 1
    said = capsys.readouterr().err
    assert "error: 1 of 3 files are at fault" in said
    assert f"{path}: not" in said
    assert "run the workflow again" in said


def test_every_flipped_bit_of_an_array_is_found(results):
    """Wherever a bit flips, the shard is refused, or what it says is what was written."""
    path = results / "crops/0.h5"
    whole, content = shards.read(path), path.read_bytes()
    refused = 0
    draw = np.random.default_rng(1)
    for place in draw.integers(0, len(content), 60):
        broken = bytearray(content)
        broken[place] ^= 1 << int(draw.integers(8))
        path.write_bytes(broken)
        try:
            found = shards.read(path, "crops")
        except FkdError:
            refused += 1
        else:
            np.testing.assert_array_equal(found["image"], whole["image"])
            np.testing.assert_array_equal(found["file"], whole["file"])
    assert refused > 20  # the other bits lie where nothing is kept


def test_rows_read_alone_are_checked_too(results):
    path = results / "crops/0.h5"
    content = path.read_bytes()
    with h5py.File(path) as file:
        offset = file["image"].id.get_chunk_info(0).byte_offset
    path.write_bytes(content[: offset + 99] + b"\xff\x00" + content[offset + 101 :])
    with shards.opened(path) as shard, pytest.raises(FkdError, match=r"0\.h5: not"):
        shard.rows("image", slice(0, 1))


FILL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # to a file the disk is full
import numpy as np
from fkd.storage import shards
from fkd.logs import stage
with stage():
    draw = np.random.default_rng(0)
    for shard in range(3):
        rows = {"feature": draw.random((5_000 if shard == 2 else 500, 16))}
        shards.write(sys.argv[1] + f"/{shard}.h5", "features", rows)
"""


def test_a_full_disk_stops_cleanly_and_leaves_what_was_finished(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert done.returncode == 1
    assert "2.h5: there is no more room on the disk" in done.stderr
    assert "make room and run the same command again" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.h5", "1.h5"]
    assert len(shards.read(tmp_path / "1.h5", "features")["feature"]) == 500
