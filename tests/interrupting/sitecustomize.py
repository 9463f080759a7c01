"""With this folder on Python's path, a process kills itself in the midst of its work.

``KILL_AT`` names the place, MODULE:FUNCTION:CALL, and ``KILL_WHAT`` says whether the
process of a job ends alone (``job``) or with all others of its group (``run``). No signal that a
program could catch is used. Just before, the place is written to the file ``KILL_NOTE``: a
job that ends for another reason leaves no note.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
from pathlib import Path
from types import ModuleType


class _Killer(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the one module, and puts the kill into its function once it is loaded."""

    def __init__(self, module: str, function: str, call: int) -> None:
        self.module, self.function, self.calls_left = module, function, call

    def find_spec(self, name, path, target=None):
        if name != self.module:
            return None
        self.real = importlib.machinery.PathFinder.find_spec(name, path).loader
        return importlib.util.spec_from_loader(name, self, origin=self.real.path)

    def create_module(self, spec):
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self.real.path
        self.real.exec_module(module)
        work = getattr(module, self.function)

        def killed(*arguments, **named):
            is_counted = os.environ["KILL_WHAT"] == "run" or not _is_snakemake()
            self.calls_left -= is_counted
            if is_counted and self.calls_left == 0:
                Path(os.environ["KILL_NOTE"]).write_text(os.environ["KILL_AT"], encoding="utf-8")
                if os.environ["KILL_WHAT"] == "run":
                    os.killpg(os.getpgrp(), signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)
            return work(*arguments, **named)

        setattr(module, self.function, killed)


def _is_snakemake() -> bool:
    """Whether this process is Snakemake itself, which writes files, too, and no job."""
    return Path(sys.argv[0]).parts[-2:] == ("snakemake", "__main__.py")


if "KILL_AT" in os.environ:
    module, function, call = os.environ["KILL_AT"].split(":")
    sys.meta_path.insert(0, _Killer(module, function, int(call)))
