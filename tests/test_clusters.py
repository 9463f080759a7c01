"""What is said and deployed for other machines: clusters, containers, a store of objects."""

import importlib.util
import re
from pathlib import Path

import pytest
import yaml
import yte

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/clusters.md").read_text(encoding="utf-8")
PROFILES = sorted((ROOT / "workflow/profiles").glob("*/config.yaml"))


def rules_with_gpu():
    """The rules that ask for a GPU, where the study has one."""
    found = set()
    for file in (ROOT / "workflow/rules").glob("*.smk"):
        rule = None
        for line in file.read_text(encoding="utf-8").splitlines():
            if heading := re.match(r" *rule (\w+):", line):
                rule = heading[1]
            if line.strip() == "gpu=GPU,":
                found.add(rule)
    return found


def test_the_page_lists_the_rules_that_take_a_gpu():
    (block,) = (b for b in re.findall(r"```yaml\n(.*?)```", PAGE, re.S) if "set-resources" in b)
    listed = yaml.safe_load(block)["set-resources"]
    assert set(listed) == rules_with_gpu()
    assert all("slurm_partition" in resources for resources in listed.values())


def test_a_missing_plugin_is_said_in_one_line(monkeypatch):
    (slurm,) = (path for path in PROFILES if path.parent.name == "slurm")
    text = slurm.read_text(encoding="utf-8")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert yte.process_yaml(text, require_use_yte=True)["executor"] == "slurm"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as stopped:
        yte.process_yaml(text, require_use_yte=True)
    assert "\n" not in stopped.value.code
    assert 'pip install -e ".[slurm]"' in stopped.value.code


def test_profiles_say_the_same_of_reruns():
    default = yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text(encoding="utf-8"))
    for path in PROFILES:
        profile = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert {key: profile[key] for key in default} == default, path


def test_what_containers_copy_is_there():
    container = (ROOT / "deploy/study.Containerfile").read_text(encoding="utf-8")
    copied = {
        name for line in re.findall(r"^COPY (.+) \S+$", container, re.M) for name in line.split()
    }
    definition = (ROOT / "deploy/study.def").read_text(encoding="utf-8")
    (files,) = re.findall(r"^%files\n +(.+) /opt/fkd/$", definition, re.M)
    assert set(files.split()) == copied
    assert all((ROOT / name).exists() for name in copied)
    (entry,) = re.findall(r"^ENTRYPOINT \[(.+)\]$", container, re.M)
    (run,) = re.findall(r"^ +exec (.+) \"\$@\"$", definition, re.M)
    assert entry.replace('"', "").replace(",", "") == run
