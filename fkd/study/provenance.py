"""The record of a study's runs: when, with which code, on which processor and for how long."""

import csv
import json
import platform
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fkd import __version__
from fkd.storage.atomic import writing

RUNS = "runs.csv"
"""The list of a study's runs, in the folder of its results."""

RUN = "run.json"
"""What determined the results of the last run, beside the list."""

PACKAGES = {
    "torch": "PyTorch",
    "numpy": "NumPy",
    "scipy": "SciPy",
    "scikit-learn": "scikit-learn",
    "opencv-python-headless": "OpenCV",
    "onnxruntime": "ONNX Runtime",
}
"""The packages that affect the numbers, by their names in the package index."""

COLUMNS = ("began", "seconds", "cores", "processor", "version", "commit")


def record_run(out: Path, began: float, cores: int, source: Path) -> None:
    """Append a run to the list of a study's runs.

    Parameters
    ----------
    out : Path
        The CSV file, with the columns of :data:`COLUMNS`. It is created if it does not exist.
    began : float
        The time at which the run began, in seconds since the Unix epoch.
    cores : int
        The number of CPU cores that the run was allowed to use.
    source : Path
        The checkout of the code that was run.
    """
    row = {
        "began": datetime.fromtimestamp(began, UTC).strftime("%Y-%m-%d %H:%M"),
        "seconds": round(time.time() - began),
        "cores": cores,
        "processor": processor(),
        "version": __version__,
        "commit": _commit(source),
    }
    is_new = not out.exists()
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, COLUMNS)
        if is_new:
            table.writeheader()
        table.writerow(row)


def describe_run(
    out: Path, settings: Mapping[str, Any], code: Mapping[str, str], inputs: Mapping[str, str]
) -> None:
    """Write what determined the results of a run, for the comparison with other runs.

    Parameters
    ----------
    out : Path
        The JSON file, with the keys ``settings``, ``code``, ``inputs`` and ``versions``.
    settings : mapping
        The completed config.
    code : mapping of str to str
        A digest of the code of each stage and of each model.
    inputs : mapping of str to str
        A digest of each model and file of features from elsewhere, by its key in the config.
    """
    versions = {title: version(name) for name, title in PACKAGES.items()}
    versions = {"fkd": __version__, "Python": platform.python_version()} | versions
    content = {"settings": settings, "code": code, "inputs": inputs, "versions": versions}
    with writing(out) as part:
        part.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def processor() -> str:
    """Return the name of the processor, or of the machine type if the system does not give it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit(source: Path) -> str:
    """Return the commit of a checkout, with ``-dirty`` if files were changed; "" without git."""
    command = ["git", "-C", source, "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
