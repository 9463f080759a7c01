"""Each stage of the study by hand: ``python -m fkd STAGE --help``."""

import sys

from jsonargparse import auto_cli

from fkd.appearance import compare_appearance
from fkd.cache import cache_teacher
from fkd.crops import make_crops
from fkd.datasets import prepare_signatures
from fkd.export import export_onnx
from fkd.features import extract_features
from fkd.logs import stage
from fkd.pages import list_pages, segment_pages
from fkd.quarantine import check_text
from fkd.synthesis import draw_pages, draw_signatures
from fkd.tables import make_tables
from fkd.teacher import import_teacher
from fkd.training import random_student, train_student, train_teacher
from fkd.verification import evaluate_wd

STAGES = {
    "draw_pages": draw_pages,
    "list_pages": list_pages,
    "segment_pages": segment_pages,
    "make_crops": make_crops,
    "check_text": check_text,
    "draw_signatures": draw_signatures,
    "prepare_signatures": prepare_signatures,
    "compare_appearance": compare_appearance,
    "train_teacher": train_teacher,
    "import_teacher": import_teacher,
    "cache_teacher": cache_teacher,
    "random_student": random_student,
    "train_student": train_student,
    "export_onnx": export_onnx,
    "extract_features": extract_features,
    "evaluate_wd": evaluate_wd,
    "tables": make_tables,
}
"""The stages by name, in the order in which a study runs them."""


def main(arguments: list[str] | None = None) -> None:
    """Run one stage.

    Parameters
    ----------
    arguments : list of str, optional
        The command line without the program's name.
    """
    with stage():
        auto_cli(
            STAGES,
            args=sys.argv[1:] if arguments is None else arguments,
            prog="python -m fkd",
            description="Stages of a study of offline signature verification.",
        )


if __name__ == "__main__":
    main()
