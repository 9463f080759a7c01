"""Offline handwritten signature verification by feature-based knowledge distillation.

A student network learns to describe signatures from images of handwritten text,
guided by a teacher that knows signatures. One module is one idea, and modules
import downwards only: :mod:`fkd.text.pages` and :mod:`fkd.signatures.prepare` turn scans into
images, :mod:`fkd.training.targets` asks the teacher, :mod:`fkd.training.stages` trains,
:mod:`fkd.verification` judges, :mod:`fkd.report` and :mod:`fkd.figures` show.
"""

__version__ = "0.1.0"
