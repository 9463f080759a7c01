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
from fkd.logs import stage
from fkd.models.export import export_onnx
from fkd.storage import shards
from fkd.storage.atomic import writing
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
    main(["check", str(results)])
    assert "3 files without a digest: can be read" in capsys.readouterr().out


def test_the_old_name_of_the_command_is_told(results, capsys):
    main(["verify", str(results)])
    assert "verify is now called check" in capsys.readouterr().err


@pytest.fixture
def study(results):
    """The same files as a workflow's stage leaves them, with a table that a stage wrote."""
    (results / "logs").mkdir()
    with stage(results / "logs/all.log"):
        for file in [*results.rglob("*.h5"), *results.rglob("weights*"), *results.rglob("*.onnx")]:
            content = file.read_bytes()
            with writing(file) as part:
                part.write_bytes(content)
        with writing(results / "tables/eer.csv") as part:
            part.write_text("model,EER\nteacher,0.05\n", encoding="utf-8")
        with writing(results / "checkpoint.pt") as part:
            part.write_bytes(b"what a stage removes again")
        (results / "checkpoint.pt").unlink()
    return results


def test_what_a_stage_wrote_is_whole_in_any_place(study, tmp_path, capsys):
    main(["check", str(study)])
    assert capsys.readouterr().out == f"4 files below {study}: as they were written.\n"
    (tmp_path / "elsewhere").symlink_to(study)
    main(["check", str(tmp_path / "elsewhere")])
    assert "4 files below" in capsys.readouterr().out


def test_sha256sum_reads_the_manifest(study):
    command = ["sha256sum", "--check", "--quiet", "--strict", "all.sha256"]
    assert subprocess.run(command, cwd=study / "logs").returncode == 0


@pytest.mark.parametrize(
    "file", ["crops/0.h5", "students/a/weights.safetensors", "models/a.onnx", "tables/eer.csv"]
)
def test_one_flipped_bit_of_any_file_is_found(study, file, capsys):
    content = bytearray((study / file).read_bytes())
    content[-3] ^= 1
    (study / file).write_bytes(content)
    with pytest.raises(SystemExit):
        main(["check", str(study)])
    said = capsys.readouterr().err
    assert "1 of 4 files are at fault" in said and f"{study / file}: " in said


def test_a_missing_file_and_one_below_a_linked_folder_are_found(study, tmp_path, capsys):
    shutil.move(study / "tables", tmp_path / "tables")
    (study / "tables").symlink_to(tmp_path / "tables")
    main(["check", str(study)])
    (tmp_path / "tables/eer.csv").write_text("model,EER\nteacher,0.01\n", encoding="utf-8")
    (study / "crops/0.h5").unlink()
    with pytest.raises(SystemExit):
        main(["check", str(study)])
    said = capsys.readouterr().err
    assert "2 of 4 files are at fault" in said
    assert f"{study / 'tables/eer.csv'}: changed since it was written" in said
    assert f"{study / 'crops/0.h5'}: missing" in said


def test_of_files_without_a_digest_no_more_is_claimed_than_is_known(study, capsys):
    (study / "tables/mine.csv").write_text("a\n", encoding="utf-8")
    (study / "crops/.0.123.part.h5").write_bytes(b"what a kill left")
    main(["check", str(study)])
    said = capsys.readouterr().out.splitlines()
    assert said[1] == f"1 file without a digest: not checked, {study / 'tables/mine.csv'} first."
    assert len(said) == 2


def test_an_empty_folder_is_not_approved(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["check", str(tmp_path)])
    assert "no stage wrote anything here" in capsys.readouterr().err


def test_a_stage_that_fails_leaves_no_manifest(study):
    log = study / "logs/all.log"
    with pytest.raises(SystemExit), stage(log):
        raise FkdError("no")
    assert not log.with_suffix(".sha256").exists()


@pytest.mark.parametrize("file", ["crops/0.h5", "students/a/weights.safetensors", "models/a.onnx"])
def test_a_truncated_file_is_named(results, file, capsys):
    path = results / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SystemExit) as stop:
        main(["check", str(results)])
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
from fkd.storage.atomic import writing
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
