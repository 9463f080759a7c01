"""Compressed files that would fill the memory are refused before anything in them is read."""

import zipfile

import pytest

from fkd.errors import FkdError
from fkd.storage.sizes import UNQUESTIONED, refuse_unfolding, unfolded_size

REMEDY = "Save it without compression."


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "set.npz"
    path.write_bytes(bytes(1000))
    return path


@pytest.mark.parametrize("most_shrunk", [1, 100])
def test_content_may_take_its_times_of_the_file_and_what_any_file_may(file, most_shrunk):
    most = 1000 * most_shrunk + UNQUESTIONED
    refuse_unfolding(file, most, most_shrunk, REMEDY)
    with pytest.raises(FkdError) as error:
        refuse_unfolding(file, most + 1, most_shrunk, REMEDY)
    assert str(error.value) == (
        f"{file}: its content takes {most + 1:,} bytes, more than {most_shrunk} times the file. "
        f"{REMEDY}"
    )


def test_a_small_file_may_hold_any_amount_that_fills_no_memory(tmp_path):
    (tmp_path / "empty").touch()
    refuse_unfolding(tmp_path / "empty", UNQUESTIONED, 1, REMEDY)
    with pytest.raises(FkdError, match="more than 1 times the file"):
        refuse_unfolding(tmp_path / "empty", UNQUESTIONED + 1, 1, REMEDY)


def test_a_name_that_is_not_utf_8_is_spelled_out(tmp_path):
    path = tmp_path / "\udcff.npz"
    path.touch()
    with pytest.raises(FkdError, match=r"\\udcff\.npz: its content takes"):
        refuse_unfolding(path, 1 << 40, 100, REMEDY)


def test_the_members_of_an_archive_are_added_up(tmp_path):
    path = tmp_path / "set.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(70_000))
        archive.writestr("y.npy", bytes(5))
    assert path.stat().st_size < 1000
    with zipfile.ZipFile(path) as archive:
        assert unfolded_size(archive) == 70_005
