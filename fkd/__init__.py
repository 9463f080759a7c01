"""Offline handwritten signature verification by feature-based knowledge distillation.

A student network learns to describe signatures from images of handwritten text,
guided by a teacher that knows signatures. The folders are the study: :mod:`fkd.text`
and :mod:`fkd.signatures` turn scans into images, :mod:`fkd.training` asks the teacher
and trains, :mod:`fkd.models` describes signatures, :mod:`fkd.verification` judges,
:mod:`fkd.report` and :mod:`fkd.figures` show. :mod:`fkd.study` says what a study is.
"""

import os

# Nothing of a user's runs leaves the machine: ONNX Runtime reads this when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
