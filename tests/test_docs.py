"""The pages of docs, executed: each block as it stands, in a copy of the checkout."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from fkd import models
from fkd.__main__ import COMMANDS, STAGES
from fkd.models import Network
from fkd.plugins import load_plugins
from fkd.preprocess import INPUT
from fkd.service.quality import CODES
from fkd.study.config import complete
from fkd.study.parts import ARCHITECTURES, RESPONSE_LOSSES, Networks, code_of_part

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
PAGES = ["data_set", "handwriting", "teacher", "own_parts", "student", "loss", "verifiers", "pairs"]

EER = "results/tables/eer.csv"
TARGETS = {
    "prepared.yaml": "results/metrics/prepared/teacher-3.csv",
    "named.yaml": "results/metrics/lab/teacher-3.csv",
    "imported.yaml": "results/metrics/synthetic/guided-3.csv",
    "resnet18.yaml": "results/metrics/synthetic/mine-3.csv",
    "with_plain.yaml": "results/metrics/synthetic/plain_guided-3.csv",
    "pages.yaml": "results/tables/data.csv",
    "table.yaml": "results/tables/data.csv",
    "crops.yaml": "results/tables/data.csv",
    "verified.yaml": "results/tables/verifiers.csv",
    "seeds.yaml": "results/metrics/synthetic/resnet18_random.3-3.csv",
    ("pairs", "mine.yaml"): "results/tables/pairs.csv",
    "featured.yaml": "results/metrics/synthetic/theirs-3.csv",
    "sweep.yaml": "results/metrics/synthetic/twins_3-3.csv",
    "drawn.yaml": "results/metrics/synthetic/few_pairs-3.csv",
}
"""What is made of a page's further configs, in place of the whole table: one model's rates, or for
pages about the data their counts."""

FOUND = {
    "mine.yaml": ("set", {"mine"}),
    "prepared.yaml": ("set", {"prepared"}),
    "named.yaml": ("set", {"lab"}),
    "imported.yaml": ("model", {"guided"}),
    "trained.yaml": ("model", {"teacher"}),
    "resnet18.yaml": ("model", {"mine"}),
    "with_plain.yaml": ("model", {"plain_guided"}),
    "pages.yaml": ("layout", {"folder"}),
    "table.yaml": ("layout", {"iam"}),
    "crops.yaml": ("layout", {"crops"}),
    "verified.yaml": ("verifier", {"wd", "wi", "cosine"}),
    "seeds.yaml": ("model", {"resnet18_random.3"}),
    "featured.yaml": ("model", {"theirs"}),
    "judged/config.yaml": ("model", {"theirs"}),
    "sweep.yaml": ("model", {"twins_3"}),
    ("own_parts", "mine.yaml"): ("model", {"mine"}),
    "drawn.yaml": ("model", {"few_pairs"}),
    "frozen.yaml": ("model", {"theirs_with_head"}),
    ("pairs", "mine.yaml"): ("model", {"mine_contrastive"}),
    ("student", "mine.yaml"): ("model", {"resnet18_cl_bc", "mine"}),
    ("loss", "mine.yaml"): ("model", {"resnet18_cl_sim", "resnet18_cl_geom_sim"}),
}
"""What stands in the table at the end, by a config's name, or by page and name."""


@dataclass(frozen=True)
class Block:
    """A block of code: what it is in, which file it goes into and where, and its lines."""

    language: str
    file: str
    place: str
    code: str


def blocks(page):
    text = (ROOT / f"docs/{page}.md").read_text()
    found = []
    for language, code in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S):
        file = place = ""
        if language in ("python", "yaml"):
            head = re.match(r"# ([\w/]+\.\w+)(?:, (.+))?\n", code)
            assert head, f"docs/{page}.md: this block does not say where it goes:\n{code}"
            file, place = head[1], head[2] or ""
            code = code[head.end() :]
        found.append(Block(language, file, place, code))
    return found


def config_of(words):
    """The config of a command: a file to merge with the default study, or a study of its own."""
    option, name = words[3:5]
    return {"--configfile": name, "-d": f"{name}/config.yaml"}[option]


def follow(block, folder):
    """Write a block of Python or YAML into its file, as the page says."""
    path = folder / block.file
    if not block.place:
        assert not path.exists(), f"{block.file} is there already"
        path.parent.mkdir(exist_ok=True)
        path.write_text(block.code, encoding="utf-8")
        return
    assert block.place == "at the end", block.place
    path.write_text(f"{path.read_text(encoding='utf-8')}\n\n{block.code}", encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_blocks_are_valid(page, plugin, tmp_path):
    found = blocks(page)
    for block in found:
        if block.language in ("python", "yaml"):
            follow(block, tmp_path)
    configs = {block.file: block.code for block in found if block.language == "yaml"}
    for name, text in configs.items():
        if name.endswith("/config.yaml"):
            assert complete(yaml.safe_load(text), SCHEMA)
            continue
        config = yaml.safe_load((ROOT / "config.yaml").read_text())
        config = complete(laid_over(config, yaml.safe_load(text)), SCHEMA).settings
        assert complete(config | {"size": "smallest"}, SCHEMA)
    used = []
    for block in found:
        if block.language == "python":
            compile(block.code, page, "exec")
        for line in block.code.splitlines() if block.language == "bash" else ():
            words = shlex.split(line)
            if words[0] == "snakemake":
                assert words[:3] == ["snakemake", "--cores", "2"]
                used.append(config_of(words))
            elif words[1] == "-m":
                assert words[3] in STAGES | COMMANDS
            else:
                assert words[0] == "python" and words[1] in {other.file for other in found}
    assert used == list(configs)


def laid_over(base, top):
    """Two configs as Snakemake merges them."""
    if not isinstance(base, dict) or not isinstance(top, dict):
        return top
    return base | {key: laid_over(base.get(key), value) for key, value in top.items()}


def enter(page, folder):
    """Load the modules of a page."""
    modules = [block for block in blocks(page) if block.language == "python"]
    for block in modules:
        follow(block, folder)
    load_plugins([folder / block.file for block in modules])


def test_the_network_keeps_what_its_class_promises(plugin, tmp_path):
    enter("student", tmp_path)
    network = models.build("plain", 4, Networks(width=0.1, features=12))
    maps, feature = network.describe(torch.rand(2, 1, *INPUT))
    sizes = {name: tuple(values.shape[2:]) for name, values in maps.items()}
    assert isinstance(network, Network) and sizes == ARCHITECTURES["plain"].map_sizes
    assert feature.shape == (2, 12)
    network(torch.rand(2, 1, *INPUT)).sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())


@pytest.mark.parametrize("distance", ["squared", "absolute"])
@pytest.mark.parametrize("centered", [True, False])
def test_the_loss_is_its_formula(centered, distance, plugin, tmp_path):
    enter("loss", tmp_path)
    known = RESPONSE_LOSSES["similarity"]
    loss = code_of_part(known.function)
    assert dict(known.parameters) == {"centered": True, "distance": "squared"}
    student, teacher = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 4).double()
    student.requires_grad_(True)
    found = loss(student, teacher, centered=centered, distance=distance)
    total = 0.0
    for b in range(5):
        for c in range(5):
            cosines = []
            for f in (student, teacher):
                f = f - f.mean(dim=0) if centered else f
                cosines.append((f[b] @ f[c]) / (f[b].norm() * f[c].norm()))
            gap = cosines[0] - cosines[1]
            total += (gap**2 if distance == "squared" else gap.abs()) / 25
    torch.testing.assert_close(found, total)
    found.backward()
    assert student.grad.abs().sum() > 0


def test_the_index_names_every_page():
    index = (ROOT / "docs/README.md").read_text()
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert set(re.findall(r"^\| \[\S+\]\((\S+)\)", index, re.M)) == pages


def run(words, folder):
    """Run a command in the copy; give what it said."""
    tools = str(Path(sys.executable).parent)
    environment = os.environ | {
        "PYTHONPATH": str(folder),
        "PATH": os.pathsep.join([tools, os.environ["PATH"]]),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        words,
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the checkout whose smallest study, of one student, has run."""
    folder = tmp_path_factory.mktemp("docs") / "checkout"
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    # What is compiled of modules that have kept their times need not be compiled for each page.
    for kept in ROOT.glob("fkd/**/__pycache__/*.nb?"):
        place = folder / kept.relative_to(ROOT)
        place.parent.mkdir(exist_ok=True)
        shutil.copy2(kept, place)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["students"] = {"resnet18_random": None}
    for part in (config, config["sizes"]["smallest"]):
        part["pairs"], part["siamese"] = {}, {}
    smallest = config["sizes"]["smallest"]
    smallest["crops"]["max_per_page"] = 4
    smallest["evaluation"]["sets"] = {
        "synthetic": [{"references": [3], "test_genuine": 3, "test_skilled": 4}]
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    targets = [EER, "results/quarantine/text.csv"]  # the latter brings the crops
    run(["snakemake", *targets, "--cores", "2", "--config", "size=smallest"], folder)
    return folder


@pytest.mark.operations
@pytest.mark.workflow
@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_what_it_says(page, checkout, tmp_path):
    folder = tmp_path / "checkout"
    shutil.copytree(checkout, folder)
    for block in blocks(page):
        if block.language != "bash":
            follow(block, folder)
            continue
        for line in block.code.splitlines():
            words = shlex.split(line)
            if words[0] != "snakemake":
                run(words, folder)
                continue
            name = config_of(words)
            target = TARGETS.get((page, name), TARGETS.get(name, EER))
            size = ["--config", "size=smallest"] if "-d" not in words else []
            run(["snakemake", target, *words[1:], *size], folder)
            column, rows = FOUND.get((page, name), FOUND.get(name))
            place = folder / Path(name).parent / target
            assert rows <= set(pd.read_csv(place)[column])


@pytest.mark.operations
@pytest.mark.workflow
def test_the_page_of_the_service_does_what_it_says(checkout, tmp_path):
    """All commands in one shell, from the first file to a verified signature and a backup."""
    folder = tmp_path / "checkout"
    shutil.copytree(checkout, folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lines = ["set -euo pipefail", "trap 'kill $(jobs -p)' EXIT"]
    for block in blocks("service"):
        if block.language != "bash":
            follow(block, folder)
            continue
        for line in block.code.splitlines():
            if line.startswith("pip install"):
                continue
            small = " --config size=smallest" if line.startswith("snakemake") else ""
            lines.append(line.replace("8080", str(port)) + small)
    told = run(["bash", "-c", "\n".join(lines)], folder)
    assert '"status":"ready"' in told and "none of them changed" in told
    assert "customer.erased" in told and "encrypted under the first key" in told
    [answer] = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    assert 0 <= answer["judgment"]["match_score"] <= 1 and answer["references"] == 3
    assert answer["judgment"]["decision"] in told
    assert (folder / "why.png").stat().st_size > 1000


def test_the_page_of_the_service_lists_all_that_is_found_on_scans():
    text = (ROOT / "docs/service.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \| (refused|warning) \|", text, re.M)
    words = {"refuse": "refused", "warn": "warning"}
    assert listed == [(code, words[severity]) for code, (severity, _) in CODES.items()]


def test_what_is_deployed_is_whole():
    """The compose file and the unit name commands that there are."""
    compose = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text(encoding="utf-8"))
    commands = [one["command"] for one in compose["services"].values() if "command" in one]
    unit = (ROOT / "deploy/fkd.service").read_text(encoding="utf-8")
    commands += [shlex.split(line) for line in re.findall(r"^Exec\w+=(.+)$", unit, re.M)]
    container = (ROOT / "deploy/Containerfile").read_text(encoding="utf-8")
    commands.append(json.loads(re.findall(r"^CMD (\[.+\])$", container, re.M)[0]))
    assert len(commands) == 5
    for words in commands:
        assert words[1:3] == ["-m", "fkd"] and words[3] in COMMANDS
    for copied in re.findall(r"^COPY (.+) \S+$", container, re.M):
        assert all((ROOT / name).exists() for name in copied.split())
