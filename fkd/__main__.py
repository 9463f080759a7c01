"""Each stage of the study by hand, and what to do with its models: ``python -m fkd --help``."""

import inspect
from pathlib import Path

from jsonargparse import ActionConfigFile, ArgumentParser

from fkd.cache import cache_teacher
from fkd.crops import make_crops
from fkd.datasets import prepare_signatures
from fkd.export import export_onnx
from fkd.features import describe_images, extract_features
from fkd.integrity import verify
from fkd.interchange import export_signatures
from fkd.logs import stage
from fkd.pages import list_pages, segment_pages
from fkd.quarantine import check_text
from fkd.report.appearance import compare_appearance
from fkd.report.run_times import sum_up_times
from fkd.report.tables import make_tables
from fkd.synthesis import draw_pages, draw_signatures
from fkd.teacher import check_teacher, import_teacher
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
    "export_signatures": export_signatures,
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
    "run_times": sum_up_times,
}
"""The stages by name, in the order in which a study runs them."""

COMMANDS = {"features": describe_images, "teacher-check": check_teacher, "verify": verify}
"""What is asked of a model, or of a folder of results, by the files that follow."""


def main(arguments: list[str] | None = None) -> None:
    """Run a stage or a command.

    Parameters
    ----------
    arguments : list of str, optional
        The command line without the program's name.
    """
    parser = ArgumentParser(
        prog="python -m fkd",
        description="Stages of a study of offline signature verification, and uses of its models.",
    )
    choices = parser.add_subcommands(required=True)
    functions = STAGES | COMMANDS
    for name, function in functions.items():
        summary = inspect.getdoc(function).partition("\n")[0]
        choice = ArgumentParser(description=summary)
        if name in STAGES:
            choice.add_argument("--config", action=ActionConfigFile, help="Parameters as YAML.")
            choice.add_function_arguments(function, as_group=False)
        else:
            _TAKES[function](choice)
        choices.add_subcommand(name, choice, help=summary)
    with stage():
        given = parser.instantiate(parser.parse_args(arguments))
        chosen = given[given.subcommand]
        chosen.pop("config", None)
        functions[given.subcommand](**chosen)


def _take_images(parser: ArgumentParser) -> None:
    """Take ``MODEL IMAGES... -o FILE``."""
    parser.add_argument("model", type=Path, help="ONNX file, of a study or of others")
    parser.add_argument("images", type=Path, nargs="+", help="scans of signatures, or folders")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="FILE", help="*.npz or *.csv to write"
    )


def _take_teacher(parser: ArgumentParser) -> None:
    """Take ``WEIGHTS IMAGE FEATURES.npy``."""
    parser.add_argument("weights", type=Path, help="*.pth, *.onnx or *.safetensors")
    parser.add_argument("image", type=Path, help="scan of a signature")
    parser.add_argument("features", type=Path, help="its feature vector, *.npy")


def _take_folder(parser: ArgumentParser) -> None:
    """Take ``FOLDER``."""
    parser.add_argument("folder", type=Path, help="results of a study")


_TAKES = {describe_images: _take_images, check_teacher: _take_teacher, verify: _take_folder}


if __name__ == "__main__":
    main()
