"""The card of a model: its training data and recipe, its use, its error rates and its limits."""

import hashlib
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fkd import __version__
from fkd.layouts import CROPS
from fkd.models.onnx_file import read_description
from fkd.report.data import SIGNATURES, TEXT_ROW, is_drawn, read_data
from fkd.report.wording import (
    TEXT_NAMES,
    forgeries_in_words,
    joined,
    pair_loss_in_words,
    recipe_in_words,
    start_in_words,
    terms_in_words,
)
from fkd.storage.atomic import writing
from fkd.storage.files import printable
from fkd.study.markup import code_markdown, escape_markdown
from fkd.study.models import TEACHER, Kind, Model, model_of
from fkd.study.parts import ARCHITECTURES
from fkd.study.siamese import Siamese
from fkd.study.students import Student
from fkd.study.summary import read_rates

NOT_STATED = "not stated: the terms of the data that it was trained on apply"
"""What a card says of the license where none was given."""

RATES = {
    "EER_userthresholds": "EER (%), a threshold for each writer",
    "EER": "EER (%), one global threshold",
    "mean_AUC": "AUC (%)",
}
"""The rates that a card lists, by their names in the table, with their headings."""

_USE = """\
```bash
python -m fkd features {in_shell} signature.png -o features.npz
```

describes scans, dark ink on light paper, as the study did: prepared, cut to the center, divided by
255. The same in Python:

```python
import numpy as np
import onnxruntime
from fkd.models.features import prepare_image

image = prepare_image("signature.png")[None, None].astype(np.float32) / 255  # (1, 1, 150, 220)
(features,) = onnxruntime.InferenceSession({in_python}).run(["feature"], {{"image": image}})
```"""


def write_cards(
    *,
    models: list[Path],
    teacher: Path | None,
    eer: Path,
    data: Path,
    title: str,
    markdown: list[Path],
    license: str | None = None,
    verifiers: Path | None = None,
) -> None:
    """Write the cards of the models that a study trained.

    Parameters
    ----------
    models : list of Path
        The models' ONNX files, written by :func:`fkd.models.export.export_onnx`.
    teacher : Path or None
        The teacher's ONNX file, whether or not it is among `models`; None for a study without one.
    eer : Path
        CSV of :func:`fkd.report.tables.write_tables`.
    data : Path
        CSV of :func:`fkd.report.data.describe_data`.
    title : str
        The title of the study.
    markdown : list of Path
        The card of each of `models`.
    license : str, optional
        The license of the weights. By default the card says that no license is stated.
    verifiers : Path, optional
        CSV of :func:`fkd.report.verifiers.write_verifiers`, if thresholds were set beforehand.

    Raises
    ------
    FkdError
        Where a file is not an ONNX model of a study.
    """
    teacher_training = read_description(teacher)["trained_with"] if teacher else {}
    rows, rates = read_data(data), read_rates(eer)
    set_beforehand = read_rates(verifiers) if verifiers else None
    for model, card in zip(models, markdown, strict=True):
        with writing(card) as part:
            facts = (rows, rates, set_beforehand)
            text = _card(Path(model), teacher_training, *facts, title, license)
            part.write_text(text, encoding="utf-8")


def _card(
    file: Path,
    teacher_training: Mapping[str, Any],
    rows: pd.DataFrame,
    rates: pd.DataFrame,
    verifiers: pd.DataFrame | None,
    title: str,
    license: str | None,
) -> str:
    """Write the card of one model."""
    about = read_description(file)
    name, trained = about["name"], about["trained_with"]
    model = _model(name, about)
    rates = rates[rates["model"] == name]
    label = model.label
    if model.kind is Kind.TEACHER:
        label = f"{about['network']} (teacher)"
    data_seen = _data_seen(model, trained, teacher_training)
    kinds_drawn = list(dict.fromkeys(key[0] for key in data_seen if is_drawn(rows.loc[key])))
    judged = list(rates["set"].unique())
    judged_drawn = [set_name for set_name in judged if is_drawn(rows.loc[(SIGNATURES, set_name)])]
    is_measured = len(judged_drawn) < len(judged)  # on signatures that nobody drew by a program
    parts = [
        f"# {escape_markdown(name if label == name else f'{name}: {label}')}",
        f"A feature extractor for offline signatures. {escape_markdown(title)}.",
        *_warnings(kinds_drawn, judged_drawn, is_measured),
    ]
    parts += [
        "## Model",
        _facts(file, about, license),
        "## What it learned from",
        "\n".join(f"- {line}" for line in _training(model, trained, teacher_training, rows)),
        "## Use",
        f"Input {code_markdown(about['input'])}. Output {code_markdown(about['output'])}.",
        _use(printable(file.name)),
        "## Error rates",
        _rates(rates),
    ]
    if verifiers is not None:
        verifiers = verifiers[verifiers["model"] == name]
        parts += ["## Verifiers", _verifiers(verifiers)]
    parts += [
        "## Limits",
        "\n".join(
            f"- {line}" for line in _limits(judged, kinds_drawn, is_measured, verifiers is not None)
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _model(name: str, about: Mapping[str, Any]) -> Model:
    """Tell what model a file is of."""
    if "siamese" in about["trained_with"]:
        return Model(name, Kind.SIAMESE)
    # The file of a student with random weights names no loss, only the student's network.
    spec = about["trained_with"].get("student", {"architecture": about["architecture"]})
    return model_of(name, {} if name == TEACHER else {name: Student.from_settings(spec)})


def _data_seen(
    model: Model, trained: Mapping[str, Any], teacher_training: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """List the rows of the data that a model has learned from, by itself or by its teacher."""
    of_teacher = [(SIGNATURES, name) for name in teacher_training.get("sets", [])]
    if model.kind is Kind.TEACHER:
        return of_teacher
    if model.kind is Kind.STUDENT:
        return [TEXT_ROW] * model.student.is_trained + of_teacher * model.student.is_guided
    drawn_from = trained["pairs"]["signatures"]
    own = [(SIGNATURES, drawn_from)] if drawn_from else []
    # What the model had learned from which it starts; of a model of others, nothing is known.
    start = (trained["start"] or {}).get("model")
    return own + ([TEXT_ROW] * (start != TEACHER) + of_teacher if start else [])


def _facts(path: Path, about: Mapping[str, Any], license: str | None) -> str:
    """List the facts of a model and of its file."""
    with path.open("rb") as stream:
        checksum = hashlib.file_digest(stream, "sha256").hexdigest()
    settings = about["settings"]
    network = escape_markdown(about["network"] + ARCHITECTURES.plugin(about["architecture"]))
    facts = {
        "network": f"{network}, {settings['width']:g} times the published channels",
        "parameters": f"{about['parameters']:,}",
        "feature": _feature(about),
        "file": f"{code_markdown(path.name)}, {path.stat().st_size / 1e6:.1f} MB, "
        f"weights as {about['weights']}, SHA-256 `{checksum}`",
        "made by": f"fkd {__version__}",
        "license": escape_markdown(license or NOT_STATED),
    }
    return "\n".join(f"- {key}: {value}" for key, value in facts.items())


def _feature(about: Mapping[str, Any]) -> str:
    """Say what a model's features are."""
    if not about["whitened"]:
        return f"{about['settings']['features']:,} elements"
    source, signatures = about["whitened"]["map"], about["whitened"]["set"]
    source = f"{source} averaged over cells and" if source else "its response"
    return (
        f"{about['whitened']['elements']:,} elements, {source} whitened within the writers of "
        f"{escape_markdown(signatures)}"
    )


def _use(name: str) -> str:
    """Show how the model in a file of this name is used."""
    in_python = json.dumps(name, ensure_ascii=False)
    return _USE.format(in_shell=shlex.quote(name), in_python=in_python)


def _warnings(learned: list[str], judged: list[str], is_measured: bool) -> list[str]:
    """Warn of drawn data that a model learned from or was judged on.

    What such a model is worth on other signatures is known if it was measured on some.
    """
    texts = []
    if learned:
        worth = (
            "Its error rates below say what it is worth on signatures that are not drawn."
            if is_measured
            else "On real signatures its features have no meaning."
        )
        texts.append(
            f"**Synthetic data: it learned from {joined(learned)} drawn by a program. {worth}**"
        )
    if judged:
        texts.append(
            "**Synthetic data: it was judged on signatures drawn by a program "
            f"({escape_markdown(joined(judged))}). Such error rates say nothing of real signatures.**"
        )
    return texts


def _training(
    model: Model,
    trained: Mapping[str, Any],
    teacher_training: Mapping[str, Any],
    rows: pd.DataFrame,
) -> list[str]:
    """Say what a model learned from: data, loss, recipe and teacher."""
    student = model.student
    if model.kind is Kind.TEACHER:
        return [_teacher(teacher_training, rows)]
    if model.kind is Kind.SIAMESE:
        return _pairs(trained)
    if not student.is_trained:
        return [f"Nothing: its weights are random, drawn from seed {trained['seed']}."]
    text = rows.loc[TEXT_ROW]
    pages = "" if text["layout"] == CROPS else f"{text['pages']:,.0f} pages by "
    terms = terms_in_words(student, trained["radius"], trained["half"])
    lines = [
        f"Data: {trained['images']:,} crops of {TEXT_NAMES.get(text['layout'], text['layout'])}, "
        f"{pages}{text['writers']:,.0f} writers; no signature.",
        f"Loss: {'; '.join(terms)}.",
        f"Recipe: {recipe_in_words(trained['recipe'])}; seed {trained['seed']}.",
    ]
    if student.is_guided:
        lines.append(f"Teacher: {_teacher(teacher_training, rows)}")
    return lines


def _pairs(trained: Mapping[str, Any]) -> list[str]:
    """Say what a Siamese network learned from: pairs, loss, recipe and where it started."""
    siamese, pairs = Siamese.from_settings(trained["siamese"]), trained["pairs"]
    source = f"of signatures of {pairs['signatures']}" if pairs["signatures"] else "of files"
    split = {
        "published": "divided as published",
        "writers": "divided by writers",
        "pairs": "divided at random, so that parts have writers in common",
    }[pairs["parts"]["split"]]
    return [
        f"Data: {trained['images']:,} pairs {escape_markdown(source)} for training, the list "
        f"{escape_markdown(pairs['pairs'])}, {split}.",
        f"Loss: {pair_loss_in_words(siamese)}.",
        f"Start: {escape_markdown(start_in_words(siamese))}.",
        f"Recipe: {recipe_in_words(trained['recipe'])}; seed {trained['seed']}.",
    ]


def _teacher(trained: Mapping[str, Any], rows: pd.DataFrame) -> str:
    """Say where the teacher comes from, or how it was trained."""
    if "imported" in trained:
        return f"SigNet with weights trained by others, {escape_markdown(trained['imported'])}."
    writers = sum(rows.loc[(SIGNATURES, name)]["writers"] for name in trained["sets"])
    forgeries = trained.get("forgeries", "ignored")  # files of earlier versions do not tell
    kind = "genuine signatures" if forgeries == "ignored" else "signatures and forgeries"
    return (
        f"{trained['images']:,} {kind} of {writers:,.0f} writers "
        f"({escape_markdown(joined(trained['sets']))}), told apart"
        f"{forgeries_in_words(forgeries)}{_editions(trained)}; "
        f"{recipe_in_words(trained['recipe'])}; seed {trained['seed']}."
    )


def _editions(trained: Mapping[str, Any]) -> str:
    """Say of which sets each epoch saw other signatures."""
    fresh = {name: count for name, count in trained.get("editions", {}).items() if count > 1}
    if not fresh:
        return ""
    return f", other ones of {escape_markdown(joined(fresh))} in each epoch"


def _rates(rates: pd.DataFrame) -> str:
    """Tabulate the error rates of a model by set and NREF."""
    if rates.empty:
        return "It was not judged."
    table = rates[["set", "references"]].rename(columns={"references": "NREF"}).astype(str)
    table["set"] = table["set"].map(escape_markdown)
    for rate, heading in RATES.items():
        values = zip(rates[f"{rate}_mean"], rates[f"{rate}_sd"], strict=True)
        table[heading] = [f"{mean:.2f} ± {sd:.2f}" for mean, sd in values]
    return (
        f"{table.to_markdown(index=False, disable_numparse=True)}\n\nMean ± standard deviation "
        "over random splits; NREF is the number of genuine references a writer, with which a "
        "support vector machine for each writer is trained. All thresholds are a posteriori."
    )


def _verifiers(rows: pd.DataFrame) -> str:
    """Tabulate what verifiers of a model are worth at thresholds set beforehand."""
    if rows.empty:
        return "None was judged."
    table = []
    for (verifier, judged, references, aim), group in rows.groupby(
        ["verifier", "set", "references", "aim"], sort=False
    ):
        value = dict(zip(group["rate"], group["value"], strict=True))
        if "HTER" not in value:  # the rows of evidence, and of the EER a posteriori
            continue
        rates = {
            rate.replace("_", " ") + " (%)": f"{100 * value[rate]:.2f}"
            for rate in ("FRR", "FAR_skilled", "FAR_random", "HTER")
        }
        place = {"verifier": verifier, "set": escape_markdown(judged), "NREF": str(references)}
        table.append(place | {"aim": aim, "threshold": f"{value['threshold']:.4g}"} | rates)
    costs = rows[rows["rate"].isin(["Cllr", "Cllr_min"])]
    bits = "; ".join(
        f"{row.rate.replace('_', ' ')} of {row.verifier} on {escape_markdown(row.set)} {row.value:.3f}"
        for row in costs.itertuples()
    )
    text = pd.DataFrame(table).to_markdown(index=False, disable_numparse=True)
    return (
        f"{text}\n\nThresholds were set beforehand, on other writers. {bits} (bits). "
        "`results/verifiers` holds thresholds and calibrations."
    )


def _limits(
    judged: list[str], drawn: list[str], is_measured: bool, has_verifiers: bool
) -> list[str]:
    """Say what a model is not good for."""
    limits = [
        "It gives features and no verdict. A verifier is trained for each writer, from genuine "
        "references of that writer and of others, and none comes with it.",
        "The error rates are those of thresholds chosen on the scores that they are counted on. "
        "No threshold comes with the model, and one that is set beforehand errs more often.",
    ]
    if has_verifiers:
        limits = [
            "It gives features and no verdict. Verdicts need a verifier as well, with the number of "
            "references for which its thresholds were set.",
        ]
    limits += [
        f"It was judged on {escape_markdown(joined(judged or ['nothing']))} alone: other scripts, pens, scanners and "
        "forgers are unknown to it. Judge it on signatures like yours before it is relied on.",
    ]
    if drawn:
        limits.append(
            "Its training data is drawn: no person wrote it."
            if is_measured
            else "Its training data is drawn: it shows that the study runs, and no more."
        )
    return limits
