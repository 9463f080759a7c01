"""Results are taken only by the study that made them."""

import json
import os
import subprocess
import sys

import pytest

from fkd.errors import FkdError
from fkd.study.origin import (
    claim_results,
    clear_leftovers,
    note_complete,
    refuse_results_of_others,
)


@pytest.fixture
def study(tmp_path):
    """A folder of results and Snakemake's records, as a complete run leaves them."""
    results, records = tmp_path / "results", tmp_path / ".snakemake"
    (results / "tables").mkdir(parents=True)
    (records / "metadata").mkdir(parents=True)
    (results / "tables/eer.csv").write_text("EER", encoding="utf-8")
    claim_results(results, records)
    note_complete(results, "these settings")
    return results, records


def refuse(results, records, settings="other settings"):
    refuse_results_of_others(results, records, lambda: settings)


def test_a_study_takes_its_own_results_under_any_settings(study):
    refuse(*study)
    claim_results(*study)
    refuse(*study)


def test_nothing_is_refused_where_nothing_is(tmp_path):
    refuse(tmp_path / "results", tmp_path / ".snakemake")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/README.md").write_text("What comes here.", encoding="utf-8")
    refuse(tmp_path / "results", tmp_path / ".snakemake")


def test_results_without_their_records_are_refused(study, tmp_path):
    results, _ = study
    with pytest.raises(FkdError, match=r"not made by runs in this folder.*--forceall"):
        refuse(results, tmp_path / "other/.snakemake")


def test_a_link_to_results_of_another_study_is_refused(study, tmp_path):
    other = tmp_path / "other"
    (other / ".snakemake").mkdir(parents=True)
    claim_results(other / "results", other / ".snakemake")
    (other / "linked").symlink_to(study[0])
    with pytest.raises(FkdError, match="not made by runs in this folder"):
        refuse(other / "linked", other / ".snakemake")


def test_complete_results_are_taken_under_the_same_settings(study, tmp_path):
    other = tmp_path / "other/.snakemake"
    refuse(study[0], other, "these settings")
    claim_results(study[0], other)  # a new run begins, and may be interrupted
    with pytest.raises(FkdError):
        refuse(study[0], tmp_path / "third/.snakemake", "these settings")


def test_results_of_an_earlier_version_are_taken_if_snakemake_knows_them(study):
    results, records = study
    (results / ".fkd-origin.json").unlink()
    with pytest.raises(FkdError):
        refuse(results, records)
    (records / "metadata/cmVzdWx0cw").write_text("{}", encoding="utf-8")
    refuse(results, records)


@pytest.mark.parametrize("content", ["", "[]", json.dumps({"number": None})])
def test_a_damaged_note_counts_as_none(study, content):
    results, records = study
    (records / "fkd-origin.json").write_text(content, encoding="utf-8")
    with pytest.raises(FkdError):
        refuse(results, records)


def test_what_a_kill_left_is_cleared_and_what_is_being_written_stays(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    killed = tmp_path / f"crops/.0.{ended.pid}.part.h5"
    at_work = tmp_path / f"crops/.1.{os.getpid()}.part.h5"
    others = tmp_path / "crops/.2.h5"
    killed.parent.mkdir()
    for file in (killed, at_work, others):
        file.write_bytes(b"half")
    clear_leftovers(tmp_path, is_local=False)
    assert killed.exists()  # perhaps written on another machine
    os.utime(killed, (1, 1))
    clear_leftovers(tmp_path, is_local=False)
    assert not killed.exists()
    killed.write_bytes(b"half")
    clear_leftovers(tmp_path, is_local=True)
    assert not killed.exists() and at_work.exists() and others.exists()
