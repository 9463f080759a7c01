"""The command line, with the stages of a study and commands for its files."""

import argparse
import ast
import inspect
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from jsonargparse import ActionConfigFile, ArgumentParser

from fkd import __version__
from fkd.errors import FkdError
from fkd.logs import stage
from fkd.storage.files import printable_lines

COMMANDS = {
    "inspect": "fkd.inspection.inspect_file",
    "features": "fkd.models.features.describe_images",
    "teacher-check": "fkd.models.teacher.check_teacher",
    "check": "fkd.storage.integrity.check",
    "compare": "fkd.report.comparison.compare_runs",
    "crate": "fkd.report.crate.write_crate",
    "verify_signature": "fkd.service.command.verify_signature",
    "make_secret": "fkd.service.running.make_secret",
    "migrate_store": "fkd.service.running.migrate_store",
    "activate_verifier": "fkd.service.running.activate_verifier",
    "make_key": "fkd.service.running.make_key",
    "serve": "fkd.service.running.serve",
    "audit": "fkd.service.running.audit",
    "rotate_secret": "fkd.service.running.rotate_secret",
}
"""The commands that work on files given as arguments, with the dotted names of their functions."""

OLD_NAMES = {"verify": "check"}
"""Names that commands had in the last release, and the names that they have now."""

STAGES = {
    "draw_pages": "fkd.synthesis.handwriting.draw_pages",
    "list_pages": "fkd.text.pages.list_pages",
    "segment_pages": "fkd.text.stripes.segment_pages",
    "make_crops": "fkd.text.crops.make_crops",
    "check_text": "fkd.text.check.check_text",
    "draw_signatures": "fkd.synthesis.signatures.draw_signatures",
    "prepare_signatures": "fkd.signatures.prepare.prepare_signatures",
    "check_signatures": "fkd.signatures.check.check_signatures",
    "export_signatures": "fkd.signatures.npz.export_signatures",
    "list_pairs": "fkd.pairs.listing.list_pairs",
    "compare_appearance": "fkd.figures.appearance.compare_appearance",
    "compare_drawn": "fkd.figures.realism.compare_drawn",
    "train_teacher": "fkd.training.stages.train_teacher",
    "import_teacher": "fkd.models.teacher.import_teacher",
    "cache_responses": "fkd.training.targets.cache_responses",
    "cache_geometry": "fkd.training.targets.cache_geometry",
    "random_student": "fkd.training.stages.random_student",
    "train_student": "fkd.training.stages.train_student",
    "train_siamese": "fkd.training.siamese.train_siamese",
    "fit_whitening": "fkd.models.whitening.fit_whitening",
    "export_onnx": "fkd.models.export.export_onnx",
    "ship_model": "fkd.models.shipped.ship_model",
    "export_siamese": "fkd.models.export.export_siamese",
    "extract_features": "fkd.models.features.extract_features",
    "import_features": "fkd.models.elsewhere.import_features",
    "evaluate_wd": "fkd.verification.stage.evaluate_wd",
    "train_wi": "fkd.verification.machine.train_wi",
    "evaluate_wi": "fkd.verification.stage.evaluate_wi",
    "set_verifier": "fkd.verification.verifier.set_verifier",
    "judge_verifier": "fkd.verification.judging.judge_verifier",
    "evaluate_pairs": "fkd.pairs.evaluation.evaluate_pairs",
    "compare_models": "fkd.report.differences.compare_models",
    "write_tables": "fkd.report.tables.write_tables",
    "write_across": "fkd.report.verifiers.write_across",
    "write_verifiers": "fkd.report.verifiers.write_verifiers",
    "write_fine_tuning": "fkd.report.fine_tuning.write_fine_tuning",
    "write_pairs": "fkd.report.pairs.write_pairs",
    "write_paper_table": "fkd.report.paper_tables.write_paper_table",
    "figure_pipeline": "fkd.figures.pipeline.figure_pipeline",
    "figure_page": "fkd.figures.page.figure_page",
    "figure_tree": "fkd.figures.tree.figure_tree",
    "figure_contrast": "fkd.figures.contrast.figure_contrast",
    "figure_losses": "fkd.figures.losses.figure_losses",
    "figure_references": "fkd.figures.references.figure_references",
    "figure_splits": "fkd.figures.splits.figure_splits",
    "figure_ranks": "fkd.figures.ranks.figure_ranks",
    "figure_writers": "fkd.figures.writers.figure_writers",
    "figure_scores": "fkd.figures.scores.figure_scores",
    "figure_curves": "fkd.figures.curves.figure_curves",
    "figure_features": "fkd.figures.features.figure_features",
    "figure_correlations": "fkd.figures.correlations.figure_correlations",
    "figure_evidence": "fkd.figures.evidence.figure_evidence",
    "figure_hardest": "fkd.figures.hardest.figure_hardest",
    "figure_pairs": "fkd.figures.pairs.figure_pairs",
    "figure_siamese": "fkd.figures.siamese.figure_siamese",
    "describe_data": "fkd.report.data.describe_data",
    "write_methods": "fkd.report.methods.write_methods",
    "write_cards": "fkd.report.card.write_cards",
    "write_hypertext": "fkd.report.hypertext.write_hypertext",
    "sum_up_times": "fkd.report.run_times.sum_up_times",
}
"""The stages in the order in which a study runs them, with the dotted names of their functions.

The functions are imported when they are called, so that ``--help`` is quick.
"""

GROUPS = {
    "inspect": "Files and models",
    "verify_signature": "Verification for users, and the service",
    "draw_pages": "Text: from pages to text crops",
    "draw_signatures": "Signatures",
    "train_teacher": "Teacher",
    "random_student": "Students",
    "fit_whitening": "Evaluation of models",
    "compare_models": "Results",
}
"""The headings of the list of commands and stages, by the first one below each heading."""

EXAMPLES = {
    "inspect": "python -m fkd inspect results/crops/0.h5 --png crops.png",
    "features": "python -m fkd features signature.png -o features.npz",
    "teacher-check": "python -m fkd teacher-check signet.pth signature.png features.npy",
    "check": "python -m fkd check results",
    "compare": "python -m fkd compare results ../other/results",
    "verify_signature": "python -m fkd verify_signature --reference a.png b.png c.png "
    "--questioned q.png",
    "crate": "python -m fkd crate results -o crate.zip --license https://spdx.org/licenses/CC-BY-4.0",
    "make_secret": "python -m fkd make_secret > key",
    "migrate_store": "python -m fkd migrate_store  # of FKD_DATABASE, such as sqlite:///fkd.sqlite",
    "activate_verifier": "python -m fkd activate_verifier --verifier results/verifiers/wi/teacher-2.h5",
    "make_key": "python -m fkd make_key first --role admin enroll verify audit",
    "serve": "python -m fkd serve --port 8080",
    "audit": "python -m fkd audit --check",
    "rotate_secret": "python -m fkd rotate_secret  # with FKD_KEYS=NEW,OLD",
}


class _Parser(ArgumentParser):
    """A parser whose messages do not pass control characters of arguments to the terminal."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        super().error(printable_lines(message), ex)


def main(arguments: list[str] | None = None) -> None:
    """Run a stage or a command.

    Parameters
    ----------
    arguments : list of str, optional
        The arguments of the command line, without the program's name.
    """
    name, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in ("-h", "--help", "help"):
        print(_overview())
        return
    if name == "--version":
        print(f"fkd {__version__}")
        return
    if name in OLD_NAMES:
        print(f"{name} is now called {OLD_NAMES[name]}; this name will go.", file=sys.stderr)
        name = OLD_NAMES[name]
    plugins, rest = _take_plugins(rest)
    try:
        with stage(plugins=plugins):
            function, parser = _parser(name)
            given = parser.instantiate(parser.parse_args(rest))
            given.pop("config", None)
            function(**given)
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader, such as head, has closed the pipe and wants no more. Python would complain
        # once more when it closes the output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _take_plugins(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Take ``--plugin FILE`` out of the arguments, since a plugin's parts may be among the others."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--plugin", action="append", default=[], metavar="FILE")
    known, others = parser.parse_known_args(arguments)
    return known.plugin, others


def load(name: str) -> Callable[..., None]:
    """Import the function of a stage or a command.

    Parameters
    ----------
    name : str
        A key of :data:`STAGES` or :data:`COMMANDS`.

    Raises
    ------
    FkdError
        If there is no stage or command of this name.
    """
    known = STAGES | COMMANDS
    if name not in known:
        close = get_close_matches(name, known, 1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise FkdError(
            f"{name!r} is neither a stage nor a command.{hint} python -m fkd --help lists them."
        )
    module, _, function = known[name].rpartition(".")
    return getattr(import_module(module), function)


def _parser(name: str) -> tuple[Callable[..., None], ArgumentParser]:
    """Make the parser of a stage, whose options are the function's parameters, or of a command."""
    function = load(name)
    summary = inspect.getdoc(function).partition("\nParameters\n")[0]
    paragraphs = [" ".join(part.split()) for part in _plain(summary).split("\n\n")]
    parser = _Parser(prog=f"python -m fkd {name}", description=" ".join(paragraphs))
    if name in COMMANDS:
        _TAKES[name](parser)
        example = EXAMPLES[name]
    else:
        parser.add_argument("--config", action=ActionConfigFile, help="Parameters as YAML.")
        parser.add_function_arguments(function, as_group=False)
        needed = [
            f"--{key} {key.upper()}"
            for key, parameter in inspect.signature(function).parameters.items()
            if parameter.default is parameter.empty
        ]
        example = " ".join(["python -m fkd", name, *needed])
    for action in parser._actions:
        if isinstance(action.help, str):
            action.help = _plain(action.help)
    parser.epilog = f"example: {example}"
    return function, parser


def _overview() -> str:
    """List all commands and stages, with one line for each."""
    width = min(shutil.get_terminal_size().columns, 100)
    indent = 4 + max(map(len, STAGES | COMMANDS))

    def line(name: str) -> str:
        text = f"  {name:{indent - 2}}{_plain(_summary((STAGES | COMMANDS)[name]))}"
        return textwrap.fill(text, width, subsequent_indent=" " * indent)

    parts = [
        "usage: python -m fkd COMMAND ...",
        "",
        *textwrap.wrap(
            "Offline signature verification by feature-based knowledge distillation. Snakemake runs "
            "a whole study (snakemake --cores 2). The commands below inspect files and use models, or "
            "run single stages.",
            width,
        ),
    ]
    for name in COMMANDS | STAGES:
        if name in GROUPS:
            parts += ["", GROUPS[name]]
        parts.append(line(name))
    parts += [
        "",
        "python -m fkd COMMAND --help explains a command. Stages read and write files. Their",
        "parameters may be given in a YAML file with --config. --plugin FILE loads a module with",
        "networks, losses or layouts of your own. fkd is short for python -m fkd.",
        "",
        "example: python -m fkd inspect results/tables/eer.csv",
    ]
    return "\n".join(parts)


def _summary(place: str) -> str:
    """Read the first line of a function's docstring without importing the function."""
    module, _, function = place.rpartition(".")
    path = Path(__file__).parents[1] / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return ast.get_docstring(node).partition("\n")[0]
    raise LookupError(f"{place}: no such function")


def _plain(text: str) -> str:
    """Remove the markup of numpydoc from a text."""
    return re.sub(r":\w+:`~?([^`]+)`", r"\1", text).replace("``", "")


def _take_file(parser: ArgumentParser) -> None:
    """Add the arguments ``FILE [--png OUT]``."""
    parser.add_argument(
        "file", type=Path, help="*.h5, *.safetensors, *.pt, *.pth, *.onnx, *.npz, *.csv or *.tsv"
    )
    parser.add_argument(
        "--png", type=Path, metavar="OUT", help="picture of the file's content to write"
    )


def _take_images(parser: ArgumentParser) -> None:
    """Add the arguments ``IMAGES... -o FILE [--model MODEL]``."""
    parser.add_argument("images", type=Path, nargs="+", help="scans of signatures, or folders")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="FILE", help="*.npz or *.csv to write"
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="*.onnx; by default, an ONNX file before the images, or the model that ships",
    )


def _take_teacher(parser: ArgumentParser) -> None:
    """Add the arguments ``WEIGHTS IMAGE FEATURES.npy``."""
    parser.add_argument("weights", type=Path, help="*.pth, *.onnx or *.safetensors")
    parser.add_argument("image", type=Path, help="scan of a signature")
    parser.add_argument(
        "features", type=Path, help="feature vector of the signature, *.npy or *.pth"
    )


def _take_folder(parser: ArgumentParser) -> None:
    """Add the argument ``FOLDER``."""
    parser.add_argument("folder", type=Path, help="folder of a study's results")


def _take_runs(parser: ArgumentParser) -> None:
    """Add the arguments ``RUN RUN ... [-o FILE]``."""
    parser.add_argument("runs", type=Path, nargs="+", help="folders of studies or of their results")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="*.md to write")


def _take_results(parser: ArgumentParser) -> None:
    """Add the arguments ``FOLDER -o FILE [--license LICENSE]``."""
    parser.add_argument("folder", type=Path, help="folder of a study or of its results")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="FILE", help="*.zip to write"
    )
    parser.add_argument("--license", help="name or address of the license of the crate")


def _take_verifier(parser: ArgumentParser) -> None:
    """Add the arguments that name the files of a verifier."""
    parser.add_argument(
        "--verifier",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="results/verifiers/VERIFIER/MODEL-NREF.h5, one or several NREF; by default, those that "
        "ship",
    )
    parser.add_argument(
        "--model", type=Path, metavar="FILE", help="*.onnx; by default, the one beside the verifier"
    )
    parser.add_argument(
        "--machine",
        type=Path,
        metavar="FILE",
        help="of wi; by default, the one beside the verifier",
    )
    parser.add_argument(
        "--like", metavar="SET", help="development set whose scans are as yours, if they differ"
    )


def _take_comparison(parser: ArgumentParser) -> None:
    """Add the arguments of a comparison of signatures."""
    _take_verifier(parser)
    parser.add_argument(
        "--reference",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="scans of genuine signatures",
    )
    parser.add_argument(
        "--questioned", type=Path, required=True, metavar="FILE", help="scan to compare with them"
    )
    parser.add_argument(
        "--prior", type=float, default=0.5, help="probability of a genuine signature beforehand"
    )
    parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    parser.add_argument(
        "--explanation",
        type=Path,
        metavar="FILE",
        help="*.png to write of the parts that speak for and against",
    )


def _take_key(parser: ArgumentParser) -> None:
    """Add the arguments ``NAME --role ROLE...``."""
    parser.add_argument("name", help="what the key is for")
    parser.add_argument(
        "--role",
        nargs="+",
        required=True,
        metavar="ROLE",
        choices=["enroll", "verify", "audit", "admin"],
        help="enroll, verify, audit or admin, or several",
    )


def _take_address(parser: ArgumentParser) -> None:
    """Add the arguments of the service."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8080, help="port to listen on")
    parser.add_argument(
        "--per_minute", type=int, default=600, help="requests a minute under one API key"
    )
    parser.add_argument("--body", type=int, default=20, help="megabytes of a request at most")


def _take_audit(parser: ArgumentParser) -> None:
    """Add the arguments ``[--check] [--head HASH]``."""
    parser.add_argument("--check", action="store_true", help="check the audit, do not print it")
    parser.add_argument("--head", metavar="HASH", help="hash that an earlier check printed")


def _take_nothing(_: ArgumentParser) -> None:
    """Add no arguments: the environment says all."""


_TAKES = {
    "inspect": _take_file,
    "features": _take_images,
    "teacher-check": _take_teacher,
    "check": _take_folder,
    "compare": _take_runs,
    "crate": _take_results,
    "verify_signature": _take_comparison,
    "make_secret": _take_nothing,
    "migrate_store": _take_nothing,
    "activate_verifier": _take_verifier,
    "make_key": _take_key,
    "serve": _take_address,
    "audit": _take_audit,
    "rotate_secret": _take_nothing,
}


if __name__ == "__main__":
    main()
