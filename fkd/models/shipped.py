"""The model that ships with the package, learned from drawings alone, with its card and verifiers."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from fkd.errors import FkdError
from fkd.layouts import SYNTHETIC
from fkd.models.onnx_file import read_description
from fkd.storage.atomic import writing
from fkd.storage.files import check_file, printable
from fkd.study.models import TEACHER
from fkd.study.provenance import RUN, RUNS

FOLDER = Path(__file__).with_name("drawn")
"""Where the model, its card and its verifiers lie in the package."""

LARGEST = 5_000_000
"""Bytes that the model may take, since every installation brings it."""

VERIFIER = "cosine"
"""How the verifiers that ship compare signatures: without a machine of pairs, which takes more room
than the model."""


def shipped(folder: Path = FOLDER) -> Path:
    """Name the ONNX file of the model that ships with the package.

    It describes a signature by 2,160 elements; ``teacher.md`` beside it is its card.

    Parameters
    ----------
    folder : Path
        Where :func:`ship_model` wrote it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FkdError
        If it is missing, which only happens in a damaged installation.

    Examples
    --------
    >>> from fkd.models import shipped
    >>> shipped().name
    'teacher.onnx'
    """
    path = folder / f"models/{TEACHER}.onnx"
    check_file(path, "Install fkd anew.")
    return path


def shipped_verifiers(folder: Path = FOLDER) -> list[Path]:
    """Name the verifiers that ship with the package, each for another number of references.

    Parameters
    ----------
    folder : Path
        Where :func:`ship_model` wrote them.

    Returns
    -------
    list of Path
        Shards of kind ``verifier``, which :meth:`fkd.service.Verifier.load` reads.

    Raises
    ------
    FkdError
        If there are none.
    """
    found = sorted((folder / "verifiers" / VERIFIER).glob("*.h5"))
    if not found:
        raise FkdError(f"{printable(folder)}: no verifiers. Install fkd anew.")
    return found


def ship_model(*, results: Path, out: Path = FOLDER) -> None:
    """Copy a study's teacher, its card and its verifiers to where the package has them.

    Parameters
    ----------
    results : Path
        The folder of results of a study whose teacher learned from drawn signatures alone, such as
        ``workflow/studies/drawn/results``.
    out : Path
        The folder to write, which is replaced.

    Raises
    ------
    FkdError
        If the study is not finished, the teacher has learned from anything but drawings, or its file
        is larger than :data:`LARGEST`.
    """
    results, out = Path(results), Path(out)
    model, card = (results / f"models/{TEACHER}{ending}" for ending in (".onnx", ".md"))
    for path in (model, card, results / RUN, results / RUNS):
        check_file(path, "Let the study run to its end.")
    settings = json.loads((results / RUN).read_text(encoding="utf-8"))["settings"]
    _refuse_people(settings)
    if model.stat().st_size > LARGEST:
        raise FkdError(
            f"{printable(model)}: {model.stat().st_size:,} bytes, and no more than {LARGEST:,} "
            "ship. Let networks.width or networks.features be smaller, or export.precision float16."
        )
    verifiers = sorted((results / "verifiers" / VERIFIER).glob(f"{TEACHER}-*.h5"))
    if not verifiers:
        raise FkdError(
            f"{printable(results)}: no verifiers of the teacher by {VERIFIER}. Name it in "
            "evaluation.verifiers, and the teacher in evaluation.verified."
        )
    shutil.rmtree(out, ignore_errors=True)
    for path in (model, *verifiers):
        place = out / path.relative_to(results)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    with writing(out / f"models/{TEACHER}.md") as part:
        part.write_text(card.read_text(encoding="utf-8") + _origin(results, settings), "utf-8")


def _refuse_people(settings: dict[str, Any]) -> None:
    """Refuse a teacher that has seen signatures of people."""
    whitening = settings["export"]["whitening"]
    learned = settings["teacher"]["development"] + ([whitening["signatures"]] if whitening else [])
    of_people = [
        name
        for name in dict.fromkeys(learned)
        if settings["signatures"][name]["layout"] != SYNTHETIC
    ]
    if settings["teacher"]["weights"] or of_people:
        raise FkdError(
            "The teacher has learned from signatures of people "
            f"({', '.join(of_people) or settings['teacher']['weights']}), which have terms of their "
            "own. Only a teacher that learned from drawn ones ships."
        )


def _origin(results: Path, settings: dict[str, Any]) -> str:
    """Write how the model was made, and how to make it again."""
    runs = pd.read_csv(results / RUNS)
    commits = ", ".join(f"`{commit}`" for commit in dict.fromkeys(runs["commit"].dropna()))
    trained = read_description(results / f"models/{TEACHER}.onnx")["trained_with"]
    size = f" --config size={settings['size']}" if settings["size"] else ""
    study = f"snakemake --cores 2 -d workflow/studies/drawn{size}"
    verifiers = [path.name for path in sorted((results / "verifiers" / VERIFIER).glob("*.h5"))]
    targets = " ".join(f"results/verifiers/{VERIFIER}/{name}" for name in verifiers)
    return f"""
## Made anew

```bash
{study}
{study} -- {targets}
python -m fkd ship_model --results workflow/studies/drawn/results
```

- commit: {commits or "not known"}
- processor: {runs["processor"].iloc[-1]}
- images seen: {trained["images"] * trained["recipe"]["epochs"]:,} drawn signatures, {trained["images"]:,} at a time
"""
