"""A model's card: what it was trained on and with, how to use it, how well it does, its limits."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import pandas as pd
import torch

from fkd import __version__
from fkd.errors import FkdError
from fkd.layouts import SYNTHETIC
from fkd.models import ARCHITECTURES
from fkd.report.data import SIGNATURES, TEXT, read_data
from fkd.report.wording import (
    TEXT_NAMES,
    recipe_in_words,
    several,
    terms_in_words,
)
from fkd.storage.atomic import writing
from fkd.storage.files import check_file
from fkd.study.naming import label, network_name
from fkd.study.students import TEACHER, Student

NOT_STATED = "not stated: the terms of the data that it was trained on apply"

RATES = {
    "EER_userthresholds": "EER (%), a threshold for each writer",
    "EER": "EER (%), one global threshold",
    "mean_AUC": "AUC (%)",
}

_USE = """\
```bash
python -m fkd features {file} signature.png -o features.npz
```

describes scans, dark ink on light paper, as the study did: prepared, cut to the center, divided by
255. The same in Python:

```python
import numpy as np
import onnxruntime
from fkd.models.features import prepare_image

image = prepare_image("signature.png")[None, None].astype(np.float32) / 255  # (1, 1, 150, 220)
(features,) = onnxruntime.InferenceSession("{file}").run(["feature"], {{"image": image}})
```"""


def write_card(
    *,
    model: Path,
    teacher: Path,
    eer: Path,
    data: Path,
    title: str,
    markdown: Path,
    license: str | None = None,
) -> None:
    """Write the card of a model that a study trained.

    Parameters
    ----------
    model : Path
        Its ONNX file, of :func:`fkd.models.export.export_onnx`.
    teacher : Path
        The teacher's; the same file for the card of the teacher.
    eer : Path
        CSV of :func:`fkd.report.tables.make_tables`.
    data : Path
        CSV of :func:`fkd.report.data.describe_data`.
    title : str
        What the study is.
    markdown : Path
        The card.
    license : str, optional
        Of the weights; by default it is said that none is stated.

    Raises
    ------
    FkdError
        Where a file is no ONNX model of a study.
    """
    about, of_teacher = _read(model), _read(teacher)["trained_with"]
    name, trained = about["name"], about["trained_with"]
    # Neither the teacher nor random weights come with a student.
    architecture, spec = about["architecture"], trained.get("student")
    student = Student.from_dict(spec) if spec else Student(architecture)
    rows, rates = read_data(data), pd.read_csv(eer, dtype={"set": str, "model": str})
    rates = rates[rates["model"] == name]
    network = network_name(architecture)
    shown = f"{network} (teacher)" if name == TEACHER else label(name, {name: student})
    is_taught = name == TEACHER or bool(student.maps) or student.guided_by_response
    seen = [(TEXT, TEXT)] * student.is_trained
    seen += [(SIGNATURES, of) for of in of_teacher.get("sets", []) if is_taught]
    judged = list(rates["set"].unique())
    drawn = list(dict.fromkeys(kind for kind, of in seen if _is_drawn(rows.loc[(kind, of)])))
    parts = [
        f"# {name}" + (f": {shown}" if shown != name else ""),
        f"A feature extractor for offline signatures. {title}.",
        *_warnings(drawn, [of for of in judged if _is_drawn(rows.loc[(SIGNATURES, of)])]),
    ]
    parts += [
        "## Model",
        _facts(model, about, license),
        "## What it learned from",
        "\n".join(f"- {line}" for line in _learned(name, student, trained, of_teacher, rows)),
        "## Use",
        f"Input `{about['input']}`. Output `{about['output']}`.",
        _USE.format(file=model.name),
        "## Error rates",
        _rates(rates),
        "## Limits",
        "\n".join(f"- {line}" for line in _limits(judged, drawn)),
    ]
    with writing(markdown) as part:
        part.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    """Read what an ONNX file says of its model; weights in other files stay unread."""
    check_file(path, "Export the model first.")
    try:
        model = onnx.load(path, load_external_data=False)
        about: dict[str, Any] = {entry.key: entry.value for entry in model.metadata_props}
        about |= {key: json.loads(about[key]) for key in ("settings", "trained_with")}
        keys = {network.__name__: key for key, network in ARCHITECTURES.items()}
        about["architecture"] = keys[about["architecture"]]
        return {key: about[key] for key in (*about, "name", "input", "output")}
    except Exception as error:  # damaged and foreign files fail in any way
        raise FkdError(
            f"{path}: no ONNX model of a study ({type(error).__name__}: {error}). Export it anew."
        ) from None


def _facts(path: Path, about: Mapping[str, Any], license: str | None) -> str:
    with path.open("rb") as stream:
        checksum = hashlib.file_digest(stream, "sha256").hexdigest()
    settings, architecture = about["settings"], about["architecture"]
    with torch.device("meta"):
        network = ARCHITECTURES[architecture](**settings | {"num_classes": None})
    facts = {
        "network": f"{network_name(architecture)}, {settings['width']:g} times the published channels",
        "parameters": f"{sum(values.numel() for values in network.parameters()):,}",
        "feature": f"{settings['features']:,} elements",
        "file": f"`{path.name}`, {path.stat().st_size / 1e6:.1f} MB, SHA-256 `{checksum}`",
        "made by": f"fkd {__version__}",
        "license": license or NOT_STATED,
    }
    return "\n".join(f"- {key}: {value}" for key, value in facts.items())


def _warnings(learned: list[str], judged: list[str]) -> list[str]:
    """Name drawn data that a model learned from or was judged on."""
    texts = []
    if learned:
        texts.append(
            f"**Synthetic data: it learned from {several(learned)} drawn by a program. On real "
            "signatures its features have no meaning.**"
        )
    if judged:
        texts.append(
            f"**Synthetic data: it was judged on signatures drawn by a program ({several(judged)}). "
            "Such error rates say nothing of real signatures.**"
        )
    return texts


def _learned(
    name: str,
    student: Student,
    trained: Mapping[str, Any],
    of_teacher: Mapping[str, Any],
    rows: pd.DataFrame,
) -> list[str]:
    if name == TEACHER:
        return [_teacher(of_teacher, rows)]
    if not student.is_trained:
        return [f"Nothing: its weights are random, drawn from seed {trained['seed']}."]
    text = rows.loc[(TEXT, TEXT)]
    terms = terms_in_words(student, trained["radius"], trained["half"])
    lines = [
        f"Data: {trained['images']:,} crops of {TEXT_NAMES.get(text['layout'], text['layout'])}, "
        f"{text['pages']:,.0f} pages by {text['writers']:,.0f} writers; no signature.",
        f"Loss: {'; '.join(terms)}.",
        f"Recipe: {recipe_in_words(trained['recipe'])}; seed {trained['seed']}.",
    ]
    if student.maps or student.guided_by_response:
        lines.append(f"Teacher: {_teacher(of_teacher, rows)}")
    return lines


def _teacher(trained: Mapping[str, Any], rows: pd.DataFrame) -> str:
    if "imported" in trained:
        return f"SigNet with weights trained by others, {trained['imported']}."
    writers = sum(rows.loc[(SIGNATURES, name)]["writers"] for name in trained["sets"])
    return (
        f"{trained['images']:,} genuine signatures of {writers:,.0f} writers "
        f"({several(trained['sets'])}), told apart; {recipe_in_words(trained['recipe'])}; seed "
        f"{trained['seed']}."
    )


def _is_drawn(row: pd.Series) -> bool:
    return row["layout"] == SYNTHETIC


def _rates(found: pd.DataFrame) -> str:
    if found.empty:
        return "It was not judged."
    shown = found[["set", "references"]].rename(columns={"references": "NREF"}).astype(str)
    for rate, text in RATES.items():
        values = zip(found[f"{rate}_mean"], found[f"{rate}_sd"], strict=True)
        shown[text] = [f"{mean:.2f} ± {sd:.2f}" for mean, sd in values]
    return (
        f"{shown.to_markdown(index=False, disable_numparse=True)}\n\nMean ± standard deviation "
        "over random splits; NREF is the number of genuine references a writer, with which a "
        "support vector machine for each writer is trained. All thresholds are a posteriori."
    )


def _limits(judged: list[str], drawn: list[str]) -> list[str]:
    limits = [
        "It gives features and no verdict. A verifier is trained for each writer, from genuine "
        "references of that writer and of others, and none comes with it.",
        "The error rates are those of thresholds chosen on the scores that they are counted on. "
        "No threshold comes with the model, and one that is set beforehand errs more often.",
        f"It was judged on {several(judged or ['nothing'])} alone: other scripts, pens, scanners and forgers are "
        "unknown to it. Judge it on signatures like yours before it is relied on.",
    ]
    if drawn:
        limits.append("Its training data is drawn: it shows that the study runs, and no more.")
    return limits
