"""Settings in words, for paragraphs and cards."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fkd.registry import Registry
from fkd.signatures.check import read_leaks
from fkd.study.markup import escape_markdown
from fkd.study.parts import GEOMETRY, MAP_LOSSES, RESPONSE_LOSSES, Parameter
from fkd.study.siamese import PAIR_LOSSES, Siamese
from fkd.study.students import Student

TEXT_NAMES = {
    "cvl": "handwriting of the CVL database",
    "iam": "handwriting of the IAM database",
    "folder": "handwriting collected for the study",
    "crops": "handwriting that others cut",
    "synthetic": "handwriting drawn by a program",
}
"""What the handwriting is called, by the layout of its pages."""


_PRECISIONS = {
    "float32": "",
    "auto": "computed in bfloat16 where the processor or the GPU multiplies in it",
}


def joined(names: Iterable[str], word: str = "and") -> str:
    """Join names with commas and a last `word`, such as ``a, b and c``."""
    *others, last = names
    return f"{', '.join(others)} {word} {last}" if others else last


def leaks_in_words(leaks: Path | None) -> list[str]:
    """Say which judged signatures something has learned from, in lines of Markdown.

    Parameters
    ----------
    leaks : Path or None
        The CSV file of :func:`fkd.signatures.check.check_signatures`.

    Returns
    -------
    list of str
        A paragraph for each leak and an empty line after it; none without leaks.
    """
    found = read_leaks(leaks) if leaks else ()
    return [line for leak in found for line in (escape_markdown(str(leak)), "")]


def recipe_in_words(recipe: Mapping[str, Any]) -> str:
    """Say how a network was trained.

    Parameters
    ----------
    recipe : mapping
        The values of a :class:`fkd.training.recipe.Recipe` or of a
        :class:`fkd.training.recipe.PairRecipe`, by the names of their fields.
    """
    peak, epochs = f"{recipe['learning_rate']:g}", recipe["epochs"]
    milestones = [str(epoch) for epoch in recipe["milestones"] if epoch < epochs]
    if recipe["schedule"] == "one_cycle":
        rate = f"a learning rate raised to {peak} and lowered once over the run"
    elif recipe["schedule"] == "exponential":
        rate = f"a learning rate of {peak}, halved every {recipe['half_life']:,} steps"
    elif milestones:
        rate = f"a learning rate of {peak}, divided by 10 after epochs {joined(milestones)}"
    else:
        rate = f"a learning rate of {peak}"
    momentum = f"{'Nesterov' if recipe['nesterov'] else 'plain'} momentum {recipe['momentum']:g}"
    decay = f"weight decay {recipe['weight_decay']:g}" if recipe["weight_decay"] else ""
    precision = _PRECISIONS.get(recipe["precision"], f"computed in {recipe['precision']}")
    optimizer = {
        "adam": "Adam",
        "adamw": "Adam with decoupled weight decay",
        "sgd": f"stochastic gradient descent with {momentum}",
    }[recipe.get("optimizer_name", "sgd")]
    parts = [optimizer, decay, rate, precision]
    length = f"{epochs} epoch{'s' * (epochs > 1)}, batches of {recipe['batch']}"
    if recipe.get("keep", "last") != "last":
        patience = recipe["patience"]
        early = f", ended after {patience} epochs without a better one" if patience else ""
        length += f"; the epoch with the best validation {recipe['keep']} is kept{early}"
    return f"{', '.join(part for part in parts if part)}; {length}"


def forgeries_in_words(forgeries: str) -> str:
    """Say what a teacher learned from skilled forgeries, to follow what it learned to tell apart.

    Parameters
    ----------
    forgeries : str
        One of :data:`fkd.training.development.Forgeries`.

    Returns
    -------
    str
        Such as ``, with the skilled forgeries of each as a class of their own``, or nothing.
    """
    return {
        "ignored": "",
        "classes": ", with the skilled forgeries of each as a class of their own",
        "output": ", and skilled forgeries by a further output, as SigNet-F does",
    }[forgeries]


def start_in_words(siamese: Siamese) -> str:
    """Say from what a Siamese network starts: a model, a file of others, or random weights.

    Parameters
    ----------
    siamese : Siamese
        The network.

    Examples
    --------
    >>> from fkd.report.wording import start_in_words
    >>> from fkd.study.siamese import Siamese, Start
    >>> start_in_words(Siamese("mine", "triplet", initialize=Start(onnx="models/theirs.onnx")))
    'theirs.onnx, which stayed as it was below a head'
    """
    start = siamese.initialize
    if start is None:
        return "random weights"
    stays = bool(start.onnx) or start.frozen
    return start.model + ", which stayed as it was below a head" * stays


def pair_loss_in_words(siamese: Siamese) -> str:
    """Name the loss of a Siamese network with its parameters, and how it compares.

    Parameters
    ----------
    siamese : Siamese
        The network.
    """
    loss = PAIR_LOSSES[siamese.loss]
    values = {**loss.parameters, **siamese.parameters}
    listed = ", ".join(f"{name} {value}" for name, value in values.items())
    compared = {
        "learned": "a learned layer on the absolute difference of two embeddings",
        "euclidean": "the distance of two embeddings",
        "cosine": "the cosine of two embeddings",
    }[loss.comparison]
    name = loss.label + PAIR_LOSSES.plugin(siamese.loss)
    return f"{name}{f' ({listed})' if listed else ''}; compared by {compared}"


def terms_in_words(student: Student, radius: int | None = None, half: bool = True) -> list[str]:
    """Name the terms of a student's loss with their weights.

    Parameters
    ----------
    student : Student
        The student.
    radius : int, optional
        The largest number of hops between neighbors on the spanning tree, if the text is to
        name it.
    half : bool
        Whether the geometric loss has the factor 1/2.
    """
    terms = []
    if student.classification:
        terms.append(
            f"cross-entropy on the writers of the text (CL, weight {student.classification:g})"
        )
    for term in student.terms_of_maps:
        weights = joined(f"{term.weights[name]:g} on {name}" for name in term.compared)
        contrasts = MAP_LOSSES[term.loss].compares == "contrasts"
        hops = f", neighbors within {radius} hops" if contrasts and radius is not None else ""
        if term.loss == GEOMETRY:
            terms.append(
                f"geometry of the teacher's feature maps (GEOM, weight {weights}{hops}"
                f"{'' if half else ', without the half'})"
            )
            continue
        settings = _in_words(MAP_LOSSES[term.loss].parameters, term.parameters)
        details = ", ".join([f"weight {weights}{hops}", *settings])
        compared = "affinity contrasts of feature maps" if contrasts else "feature maps"
        terms.append(f"{_loss(MAP_LOSSES, term.loss)} between {compared} ({details})")
    for response in student.responses:
        settings = _in_words(RESPONSE_LOSSES[response.loss].parameters, response.parameters)
        details = ", ".join([f"weight {response.weight:g}", *settings])
        terms.append(f"{_loss(RESPONSE_LOSSES, response.loss)} between the responses ({details})")
    return terms


def _loss(table: Registry, loss: str) -> str:
    """Name a loss, and the plugin that it is of, in Markdown."""
    return escape_markdown(f"{table[loss].name}{table.plugin(loss)}")


def _in_words(known: Mapping[str, Parameter | None], given: Mapping[str, Parameter]) -> list[str]:
    """Name the parameters of a loss with their values."""
    values = {name: given.get(name, default) for name, default in known.items()}
    return [
        # `lambda_` has its underscore only because Python reserves the bare word.
        escape_markdown(name.rstrip("_") + ("" if value is True else f" {value}"))
        for name, value in values.items()
        if value is not False
    ]
