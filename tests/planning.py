"""Runs of Snakemake by forks of one process, which has loaded it and parsed the project's code.

Most runs of the tests plan and do no more, and loading takes longer than a plan.
"""

import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

_LOADED = """
import gc, json, os, sys
from pathlib import Path
import fkd
from fkd.study.code import Library
from snakemake.cli import get_argument_parser, main

get_argument_parser()  # loads the plugins
library = Library(Path(fkd.__file__).parent)
for script in sorted(Path("workflow/scripts").glob("*.py")):
    library.digest(script)
gc.freeze()  # the forks look for garbage in what they make alone
for line in sys.stdin:
    folder, arguments, said = json.loads(line)
    if (child := os.fork()) == 0:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(said, os.O_WRONLY), 1)
        os.dup2(1, 2)
        os.chdir(folder)
        sys.argv[1:] = arguments
        main(arguments)
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Loaded:
    """Snakemake for one copy of the project.

    Modules that change afterwards are parsed anew: what was parsed is known by its content.

    Parameters
    ----------
    project : Path
        The copy's folder.
    """

    def __init__(self, project: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LOADED],
            cwd=project,
            env=os.environ | {"PYTHONPATH": str(project)},
            text=True,
            stdin=subprocess.PIPE,  # it ends when we do
            stdout=subprocess.PIPE,
        )

    def run(self, *arguments: str | Path, folder: Path) -> tuple[int, str]:
        """Run Snakemake from a folder; give its status and all that it said."""
        assert self._process.stdin and self._process.stdout
        with tempfile.NamedTemporaryFile("r", encoding="utf-8") as said:
            self._process.stdin.write(
                json.dumps([str(folder), [str(word) for word in arguments], said.name]) + "\n"
            )
            self._process.stdin.flush()
            return int(self._process.stdout.readline()), said.read()


loaded = cache(Loaded)
"""Snakemake for one copy of the project, the same for all tests."""
