"""Offline handwritten signature verification by feature-based knowledge distillation.

A student network learns to describe signatures from images of handwritten text,
guided by a teacher that knows signatures. The folders are the study: :mod:`fkd.text`
and :mod:`fkd.signatures` turn scans into images, :mod:`fkd.training` asks the teacher
and trains, :mod:`fkd.models` describes signatures, :mod:`fkd.verification` judges,
:mod:`fkd.report` and :mod:`fkd.figures` show. :mod:`fkd.study` says what a study is.
"""

import os
from importlib.metadata import PackageNotFoundError, version

# Nothing of a user's runs leaves the machine: ONNX Runtime reads this when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# After an operation, PyTorch's idle threads turn in a loop in wait for the next one, for up to 15 ms
# where a turn takes 140 cycles, and keep a core from the compiled loops of fkd.graph. Half a
# millisecond is enough. GNU's OpenMP reads this when PyTorch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def _installed_version() -> str:
    """Return the version that was installed, which comes from the tags of git."""
    try:
        return version("fkd")
    except PackageNotFoundError:  # a checkout that is on the path, and not installed
        return "0+unknown"


__version__ = _installed_version()
