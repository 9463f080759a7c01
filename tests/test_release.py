"""A release: built, installed beside nothing else of the project, and used from another folder."""

import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]

RELEASED = re.compile(r"^## (\d+\.\d+\.\d+), (.+)$", re.M)
"""The heading of a version in the changelog, with its date."""


def test_the_citation_is_of_the_version_on_top_of_the_changelog():
    version, _ = RELEASED.findall((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))[0]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == version


def tracked(folder="."):
    """The files that git knows below a folder."""
    listing = subprocess.run(["git", "ls-files", "-z", folder], cwd=ROOT, capture_output=True)
    if listing.returncode:
        pytest.skip("this is no git checkout: releases are made in one")
    return {name for name in listing.stdout.decode().split("\0") if (ROOT / name).is_file()} - {""}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A clone of what is committed and tracked, at a tag."""
    folder = tmp_path_factory.mktemp("release") / "checkout"
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    commands = (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"], ["tag", "v7.8.9"])
    for command in commands:
        me = ["-c", "user.name=me", "-c", "user.email=me@here"]
        subprocess.run(["git", *me, *command], cwd=folder, check=True)
    return folder


def build(checkout, out):
    """Build the source distribution, and the wheel from that."""
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, checkout],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,), (source,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, source


@pytest.fixture(scope="module")
def built(checkout, tmp_path_factory):
    return build(checkout, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The Python of an environment with the wheel, and with the libraries of this environment.

    The library itself cannot come from here: of a folder that a ``.pth`` file names, Python does
    not follow the ``.pth`` files, so that an editable installation has no effect.
    """
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, symlinks=True)
    python = folder / "bin/python"
    site = folder / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    libraries = [place for place in sys.path if place.endswith("site-packages")]
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
        + ["--no-deps", "--no-index", "--disable-pip-version-check", built[0]],
        check=True,
    )
    (site / "libraries.pth").write_text("\n".join(libraries), encoding="utf-8")
    return python


@pytest.mark.operations
def test_the_tag_is_the_version(built):
    wheel, source = built
    assert wheel.name == "fkd-7.8.9-py3-none-any.whl"
    assert source.name == "fkd-7.8.9.tar.gz"


@pytest.mark.operations
def test_commits_after_a_tag_are_before_the_next(checkout, tmp_path):
    again = tmp_path / "again"
    subprocess.run(["git", "clone", "--quiet", checkout, again], check=True)
    me = ["-c", "user.name=me", "-c", "user.email=me@here"]
    subprocess.run(
        ["git", *me, "commit", "-q", "--allow-empty", "-m", "more"], cwd=again, check=True
    )
    wheel, _ = build(again, tmp_path / "dist")
    assert re.fullmatch(r"fkd-7\.8\.10\.dev1\+g[0-9a-f]+-py3-none-any\.whl", wheel.name)


@pytest.mark.operations
def test_without_a_tag_a_version_is_below_all_releases(checkout, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in tracked():
        (bare / name).parent.mkdir(parents=True, exist_ok=True)
        (bare / name).write_bytes((checkout / name).read_bytes())
    (bare / ".git_archival.txt").unlink()
    wheel, _ = build(bare, tmp_path / "dist")
    assert wheel.name == "fkd-0.0-py3-none-any.whl"


@pytest.mark.operations
def test_the_wheel_holds_the_package_and_nothing_else(built):
    with zipfile.ZipFile(built[0]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == tracked("fkd")


@pytest.mark.operations
def test_the_sources_hold_the_whole_checkout(built):
    with tarfile.open(built[1]) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    assert tracked() <= names


def use(command, folder, **variables):
    """Run a command in a folder that knows nothing of the checkout; give what it said."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | variables
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


LIBRARY = """
import fkd
from fkd.graph import nac, neighborhoods, spanning_tree
from fkd.models import ResNet18, SigNet
from fkd.report.pairs import PUBLISHED
from fkd.report.published import read_published
from fkd.service import Verifier
from fkd.verification import evaluate
assert PUBLISHED.is_file() and len(read_published())
print(fkd.__version__, fkd.__file__)
"""


@pytest.mark.operations
def test_the_library_is_the_installed_one(installed, tmp_path):
    version, file = use([installed, "-c", LIBRARY], tmp_path).split()
    assert version == "7.8.9"
    assert Path(file).is_relative_to(installed.parents[1])


@pytest.mark.operations
def test_commands_work_elsewhere(installed, tmp_path):
    fkd_command = installed.with_name("fkd")
    assert use([fkd_command, "--version"], tmp_path) == "fkd 7.8.9\n"
    assert use([fkd_command, "--help"], tmp_path) == use(
        [installed, "-m", "fkd", "--help"], tmp_path
    )
    drawn = "--folder drawn --writers 2 --genuine 3 --skilled 2 --seed 1"
    use([fkd_command, "draw_signatures", *drawn.split()], tmp_path)
    networks = "resnet18 --networks.width 0.05 --networks.features 24"
    student = f"random_student --architecture {networks} --seed 1 --out w.safetensors"
    use([fkd_command, *student.split()], tmp_path)
    exported = "export_onnx --weights w.safetensors --out m.onnx --name m"
    use([fkd_command, *exported.split()], tmp_path)
    use([fkd_command, "features", "m.onnx", "drawn/genuine", "-o", "f.npz"], tmp_path)
    with np.load(tmp_path / "f.npz", allow_pickle=False) as file:
        assert file["features"].shape == (6, 24)


@pytest.mark.operations
def test_the_service_finds_its_files(installed, tmp_path):
    """The store is laid out by the migrations, and a page is drawn from its template."""
    secret = use([installed, "-m", "fkd", "make_secret"], tmp_path).strip()
    settings = {"FKD_DATABASE": f"sqlite:///{tmp_path}/fkd.sqlite", "FKD_KEYS": secret}
    use([installed, "-m", "fkd", "migrate_store"], tmp_path, **settings)
    code = "from fkd.service.pages import HERE; print(*sorted(p.name for p in HERE.rglob('*.*')))"
    assert {"base.html", "style.css", "htmx.min.js"} <= set(
        use([installed, "-c", code], tmp_path).split()
    )
