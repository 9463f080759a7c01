"""Settings in words, for paragraphs and cards."""

from collections.abc import Iterable, Mapping
from inspect import signature
from typing import Any

from fkd.losses import RESPONSES
from fkd.study.students import Student

RESPONSE_NAMES = {
    "temperature_cross_entropy": "temperature cross-entropy",
    "barlow_twins": "Barlow Twins",
    "barlow_colleagues": "Barlow Colleagues",
}

TEXT_NAMES = {
    "cvl": "handwriting of the CVL database",
    "iam": "handwriting of the IAM database",
    "folder": "handwriting collected for the study",
    "synthetic": "handwriting drawn by a program",
}
"""Texts by the layout of their pages."""


def several(names: Iterable[str], word: str = "and") -> str:
    """Join names, such as ``a, b and c``."""
    *others, last = names
    return f"{', '.join(others)} {word} {last}" if others else last


def recipe_in_words(recipe: Mapping[str, Any]) -> str:
    """Say how a network was trained.

    Parameters
    ----------
    recipe : mapping
        What :class:`fkd.training.recipe.Recipe` holds.
    """
    peak, epochs = f"{recipe['learning_rate']:g}", recipe["epochs"]
    divided = [str(epoch) for epoch in recipe["milestones"] if epoch < epochs]
    if recipe["schedule"] == "one_cycle":
        rate = f"a learning rate raised to {peak} and lowered once over the run"
    elif divided:
        rate = f"a learning rate of {peak}, divided by 10 after epochs {several(divided)}"
    else:
        rate = f"a learning rate of {peak}"
    momentum = f"{'Nesterov' if recipe['nesterov'] else 'plain'} momentum {recipe['momentum']:g}"
    decay = f"weight decay {recipe['weight_decay']:g}" if recipe["weight_decay"] else ""
    precision = "" if recipe["precision"] == "float32" else f"computed in {recipe['precision']}"
    parts = [f"stochastic gradient descent with {momentum}", decay, rate, precision]
    length = f"{epochs} epoch{'s' * (epochs > 1)}, batches of {recipe['batch']}"
    return f"{', '.join(part for part in parts if part)}; {length}"


def terms_in_words(student: Student, radius: int | None = None, half: bool = True) -> list[str]:
    """Name the terms of a student's loss with their weights.

    Parameters
    ----------
    student : Student
        Whose loss.
    radius : int, optional
        Hops on the spanning tree.
    half : bool
        Whether the geometric loss is halved.
    """
    terms = []
    if student.classification:
        terms.append(
            f"cross-entropy on the writers of the text (CL, weight {student.classification:g})"
        )
    if student.maps:
        weights = several(f"{student.geometry[name]:g} on {name}" for name in student.maps)
        hops = "" if radius is None else f", neighbors within {radius} hops"
        terms.append(
            f"geometry of the teacher's feature maps (GEOM, weight {weights}{hops}"
            f"{'' if half else ', without the half'})"
        )
    if student.guided_by_response:
        terms.append(response_in_words(student))
    return terms


def response_in_words(student: Student) -> str:
    """Name a student's response loss with its parameters and weight."""
    response = student.response
    # A loss takes the two responses, then its parameters.
    known = list(signature(RESPONSES[response.loss]).parameters.values())[2:]
    values = {p.name: response.parameters.get(p.name, p.default) for p in known}
    shown = [
        name.rstrip("_") + ("" if value is True else f" {value}")
        for name, value in values.items()
        if value is not False
    ]
    names = ", ".join([f"weight {response.weight:g}", *shown])
    return f"{RESPONSE_NAMES.get(response.loss, response.loss)} between the responses ({names})"
