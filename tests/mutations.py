"""Whether the fidelity tests notice: change one formula at a time, and see if any test fails.

``python tests/mutations.py`` copies the project, changes one place of the copy, runs those
fidelity tests that concern the changed module, and goes on to the next. It reports the
changes that no test noticed (or that broke more than a test), and ends with 1 if there are any. ``--list`` names all
changes, ``-k TEXT`` takes those whose name or file has the text, ``--jobs N`` runs N at once.

``mutations.yaml`` holds the changes: a name, a text that stands in its file exactly once, and
the text in its place.
"""

import argparse
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("fkd", "tests", "workflow", "docs", "Snakefile", "config.yaml", "pyproject.toml")
LIMIT = 600
"""Seconds after which a run counts as failed: a change may make a loop endless."""

TESTS = {
    "fkd/training/targets.py": ["training"],
    "fkd/training/students.py": ["losses", "models"],
    "fkd/text/stripes.py": ["pages"],
    "fkd/study/parts.py": ["losses", "models", "architectures", "config"],
    "fkd/study/summary.py": ["tables"],
    "fkd/verification/scoring.py": ["verification"],
    "fkd/text/crops.py": ["crops"],
    "fkd/training/recipe.py": ["training", "config"],
    "fkd/training/fitting.py": ["training"],
    "fkd/graph/contrast.py": ["graph"],
    "fkd/graph/compiled.py": ["graph"],
    "fkd/graph/neighbors.py": ["graph", "training"],
    "fkd/graph/tree.py": ["graph"],
    "fkd/layouts.py": ["fidelity"],
    "fkd/text/lines.py": ["pages"],
    "fkd/losses.py": ["losses"],
    "fkd/models/network.py": ["architectures", "models", "training"],
    "fkd/models/resnet18.py": ["architectures", "models"],
    "fkd/models/signet.py": ["architectures", "models"],
    "fkd/text/pages.py": ["pages"],
    "fkd/preprocess.py": ["preprocess"],
    "fkd/study/students.py": ["losses", "models", "fidelity"],
    "fkd/report/published.csv": ["paper_tables"],
    "fkd/figures/correlations.py": ["report_results"],
    "fkd/figures/curves.py": ["report_results"],
    "fkd/training/development.py": ["development", "training"],
    "fkd/training/stages.py": ["training"],
    "fkd/verification/independent.py": ["independent"],
    "fkd/verification/metrics.py": ["verification", "independent"],
    "fkd/verification/pairs.py": ["independent"],
    "fkd/verification/row_solver.py": ["independent"],
    "fkd/verification/significance.py": ["significance", "tables"],
    "fkd/verification/protocol.py": ["config", "fidelity", "verification"],
    "fkd/verification/solver.py": ["verification"],
    "fkd/verification/splits.py": ["verification"],
    "fkd/verification/svm.py": ["verification"],
    "workflow/schemas/config.schema.yaml": ["fidelity", "config"],
    "workflow/studies/paper/config.yaml": ["fidelity"],
}
"""The test modules that concern each file. Fewer can only add survivors, never hide one."""

MUTATIONS = yaml.safe_load((ROOT / "tests/mutations.yaml").read_text())
"""By file and name: old and new text of each change."""


class Mutation(NamedTuple):
    """One change of the project."""

    name: str
    file: str
    old: str
    new: str

    def made_in(self, root: Path) -> str:
        """Give the file of a project with the change made."""
        return (root / self.file).read_text().replace(self.old, self.new)

    def fault(self, root: Path) -> str | None:
        """Say why the change cannot be made: its text does not stand there exactly once."""
        times = (root / self.file).read_text().count(self.old)
        if times == 1 and self.file in TESTS:
            return None
        where = f"stands {times} times, not once, in" if times != 1 else "no tests are named for"
        return f"{self.name}: {where} {self.file}\n    {self.old}"


class Copy:
    """A copy of the project, in which tests run and changes are made."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.root.mkdir(parents=True)
        for part in COPIED:
            source, goal = ROOT / part, self.root / part
            if source.is_dir():
                ignored = shutil.ignore_patterns("results", ".snakemake", "*.nbi", "*.nbc")
                shutil.copytree(source, goal, ignore=ignored)
            else:
                shutil.copy2(source, goal)
        if (shared := ROOT.parent / "shared").is_dir():
            (folder / "shared").symlink_to(shared)
        self.environment = os.environ | {
            "PYTHONPATH": str(self.root),
            "PYTHONDONTWRITEBYTECODE": "1",  # or a change within a second might go unseen
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-c", "import fkd; print(fkd.__file__)"]
        found = subprocess.run(
            command, cwd=self.root, env=self.environment, capture_output=True, text=True, check=True
        ).stdout.strip()
        if Path(found) != self.root / "fkd/__init__.py":
            raise SystemExit(f"tests in the copy would import {found}")

    def test(self, modules: list[str], fresh: bool = False) -> subprocess.CompletedProcess:
        """Run the fidelity tests of some modules, up to the first failure.

        Parameters
        ----------
        modules : list of str
            Such as ``losses`` for ``tests/test_losses.py``.
        fresh : bool
            Whether all is compiled anew.
        """
        compiled = self.root.parent / ("compiled anew" if fresh else "compiled")
        if fresh:
            shutil.rmtree(compiled, ignore_errors=True)
        files = [f"tests/test_{module}.py" for module in modules]
        command = [sys.executable, "-m", "pytest", "-m", "fidelity", "-x", "-q", "--tb=line"]
        command += ["-n", "0", "-p", "no:cacheprovider", "--hypothesis-seed=0", *files]
        try:
            return subprocess.run(
                command,
                cwd=self.root,
                env=self.environment | {"NUMBA_CACHE_DIR": str(compiled)},
                capture_output=True,
                text=True,
                timeout=LIMIT,
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 1, f"FAILED to end within {LIMIT} s", "")

    def try_out(self, mutation: Mutation) -> tuple[int, str]:
        """Run the tests under a change, and take it back: pytest's exit code, and what failed."""
        path = self.root / mutation.file
        before, changed = path.stat(), mutation.made_in(self.root)
        text = path.read_text()
        path.write_text(changed)
        try:
            # What is compiled to machine code does not notice a change in what it calls.
            run = self.test(TESTS[mutation.file], fresh="fkd.compiling" in text)
        finally:
            path.write_text(text)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        failed = re.search(r"^(?:FAILED|ERROR) (.*)$", run.stdout, re.M)
        return run.returncode, failed[1][:150] if failed else run.stdout[-1000:]


def main() -> int:
    """Run the changes that the command line chooses."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--list", action="store_true", help="name the changes and stop")
    parser.add_argument(
        "-k", metavar="TEXT", default="", help="only changes whose name or file has it"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="how many at once")
    arguments = parser.parse_args()
    wanted = [
        mutation
        for file, changes in MUTATIONS.items()
        for mutation in (Mutation(name, file, *texts) for name, texts in changes.items())
        if arguments.k.lower() in f"{mutation.name} {file}".lower()
    ]
    if faults := [fault for mutation in wanted if (fault := mutation.fault(ROOT))]:
        print("Mend tests/mutations.yaml:", *faults, sep="\n")
        return 2
    if arguments.list:
        print(*(f"{mutation.file}: {mutation.name}" for mutation in wanted), sep="\n")
        return 0
    if not wanted:
        raise SystemExit(f"no change has {arguments.k!r} in its name or file")
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        copies: queue.Queue[Copy] = queue.Queue()
        for number in range(arguments.jobs):
            copies.put(Copy(Path(folder) / str(number)))
        first = copies.get()
        unchanged = first.test(sorted({m for mutation in wanted for m in TESTS[mutation.file]}))
        if unchanged.returncode:
            raise SystemExit(f"unchanged, the copy fails:\n{unchanged.stdout}{unchanged.stderr}")
        print(f"unchanged: {unchanged.stdout.strip().splitlines()[-1]}", flush=True)
        copies.put(first)

        def run(mutation: Mutation) -> str:
            copy, begin = copies.get(), time.monotonic()
            try:
                code, failed = copy.try_out(mutation)
            finally:
                copies.put(copy)
            # Pytest ends with 0 where all passed, with 1 where a test failed, else with more.
            outcome = {0: "SURVIVED", 1: "noticed"}.get(code, "BROKEN")
            by = f" by {failed}" if code else ""
            name = f"{mutation.file}: {mutation.name}"
            print(f"{outcome:8} {time.monotonic() - begin:3.0f} s  {name}{by}", flush=True)
            return outcome

        with ThreadPoolExecutor(arguments.jobs) as pool:
            outcomes = list(pool.map(run, wanted))
    print(f"{len(wanted)} changes in {(time.monotonic() - begin) / 60:.0f} min")
    left = [pair for pair in zip(outcomes, wanted, strict=True) if pair[0] != "noticed"]
    print(*(f"{outcome} {mutation.file}: {mutation.name}" for outcome, mutation in left), sep="\n")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
