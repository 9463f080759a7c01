"""A study as an RO-Crate: valid, with digests of all, and without anybody's handwriting."""

import hashlib
import io
import json
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest
import requests
from requests.adapters import BaseAdapter
from requests_cache import CachedSession
from rocrate.rocrate import ROCrate
from rocrate_validator import services
from rocrate_validator.models import ValidationSettings
from rocrate_validator.utils.uri import URI
from test_comparison import judge
from urllib3 import HTTPResponse

from fkd.__main__ import main

CONTEXT = "https://w3id.org/ro/crate/1.1/context"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run, with files that are not to be shared."""
    results = judge(tmp_path_factory.mktemp("run"), spread=0.5)
    (results / "models").mkdir()
    (results / "models/theirs.md").write_text("A card.", encoding="utf-8")
    (results / "models/theirs.onnx").write_bytes(b"weights")
    (results / "figures").mkdir()
    (results / "figures/hardest.png").write_bytes(b"signatures")
    return results


@pytest.fixture(scope="module")
def crate(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("crate") / "crate.zip"
    address = "https://spdx.org/licenses/CC-BY-4.0"
    main(["crate", str(run), "-o", str(out), "--license", address])
    return out


@pytest.fixture(scope="module")
def described(crate):
    """The entities of the crate, by their names in it."""
    with zipfile.ZipFile(crate) as archive:
        text = archive.read("ro-crate-metadata.json").decode()
    return {entity["@id"]: entity for entity in json.loads(text)["@graph"]}


class Context(BaseAdapter):
    """Answers in place of the network: with the terms that the library of crates has along.

    They are those of a later version, which keeps the terms of the earlier ones.
    """

    def send(self, request, **_):
        content = (files("rocrate") / "data/ro-crate.jsonld").read_bytes()
        answer = requests.Response()
        answer.status_code, answer.url, answer.request = 200, request.url, request
        answer.headers["Content-Type"] = "application/ld+json"
        answer.raw = HTTPResponse(
            io.BytesIO(content), answer.headers, 200, preload_content=False, request_url=request.url
        )
        return answer

    def close(self):
        pass


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """The validator's cache of the network, with the terms in it."""
    place = tmp_path_factory.mktemp("validator") / "cache"
    session = CachedSession(str(place), backend="sqlite")
    session.mount("https://", Context())
    assert session.get(CONTEXT).ok
    return place


def faults(crate, cache):
    """What a validator that is not of this project finds against the profile of a run."""
    settings = ValidationSettings(
        rocrate_uri=URI(str(crate)),
        profile_identifier="process-run-crate-0.5",
        cache_path=cache,
        offline=True,
    )
    found = services.validate(settings)
    assert found.statistics.passed_checks
    return [issue.message for issue in found.get_issues()]


def test_a_validator_finds_no_fault(crate, cache):
    assert faults(crate, cache) == []


def test_the_validator_would_find_one(crate, cache, tmp_path):
    """A crate without one of its files is not valid."""
    broken = tmp_path / "broken.zip"
    with zipfile.ZipFile(crate) as whole, zipfile.ZipFile(broken, "w") as part:
        for name in set(whole.namelist()) - {"tables/eer.csv"}:
            part.writestr(name, whole.read(name))
    assert faults(broken, cache)


def test_every_file_is_described_by_its_digest(crate, described):
    with zipfile.ZipFile(crate) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    about_itself = {"ro-crate-metadata.json", "ro-crate-preview.html"}
    assert {"tables/eer.csv", "tables/eer.md", "run.json", "runs.csv", "models/theirs.md"} <= set(
        contents
    )
    for name in set(contents) - about_itself:
        assert described[name]["sha256"] == hashlib.sha256(contents[name]).hexdigest()
        assert int(described[name]["contentSize"]) == len(contents[name])
    listed = {part["@id"] for part in described["./"]["hasPart"]}
    assert listed == set(contents) - {"ro-crate-metadata.json"} - {"ro-crate-preview.html"}


def test_nothing_that_shows_or_learned_handwriting_is_in_it(crate):
    with zipfile.ZipFile(crate) as archive:
        endings = {Path(name).suffix for name in archive.namelist()}
    assert endings <= {".md", ".csv", ".json", ".html", ".tex"}


def test_it_says_what_made_it(run, described):
    made, program = described["#run"], described["#fkd"]
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert program["version"] == record["versions"]["fkd"]
    assert described["#PyTorch"]["version"] == record["versions"]["PyTorch"]
    assert made["startTime"].startswith("1970-01-01T00:00:00")
    assert "2 cores" in made["description"]
    inputs = {
        described[entity["@id"]]["name"]: described[entity["@id"]] for entity in made["object"]
    }
    assert set(inputs) == {"signatures of mine", "models.theirs.onnx"}
    assert inputs["models.theirs.onnx"]["identifier"] == "b" * 16
    assert described["./"]["license"]["@id"] == "https://spdx.org/licenses/CC-BY-4.0"


def test_the_library_reads_it_back(crate):
    assert ROCrate(crate).get("tables/eer.csv").type == "File"


@pytest.mark.parametrize(
    ("missing", "words"), [("run.json", "to its end"), ("tables/eer.csv", "to its end")]
)
def test_a_study_that_has_not_ended_is_refused(missing, words, tmp_path, capsys):
    results = judge(tmp_path, spread=0.5)
    (results / missing).unlink()
    with pytest.raises(SystemExit):
        main(["crate", str(results), "-o", str(tmp_path / "crate.zip")])
    assert words in capsys.readouterr().err
    assert not (tmp_path / "crate.zip").exists()


def test_another_ending_is_refused(run, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["crate", str(run), "-o", str(tmp_path / "crate.tar")])
    assert "ends in .zip" in capsys.readouterr().err
