"""What a newcomer does in the README's words: clone the project, and type a command in the clone."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SMALLEST = "--config size=smallest"


def block(language: str, word: str) -> str:
    """The one block of the README with this word."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)
    (text,) = (text for text in found if word in text)
    return text


def clone(folder: Path) -> None:
    """Clone the project into a folder, with what is not committed yet."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout: a newcomer clones one")
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    listed = ["git", "-C", ROOT, "ls-files", "-z", "--modified", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, capture_output=True, text=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)


def follow(command: str, folder: Path) -> str:
    """Type a command of the README, for the study that takes a minute; give what it said."""
    assert f"`{SMALLEST}`" in README
    tools = Path(sys.executable).parent
    environment = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [*shlex.split(command), *shlex.split(SMALLEST)],
        cwd=folder,
        env=os.environ | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def copy_study(clone: Path, folder: Path) -> None:
    """Copy the results of a study, with what Snakemake knows of them."""
    for name in ("results", ".snakemake"):
        shutil.copytree(clone / name, folder / name, dirs_exist_ok=True)
