"""Where a study leaves the published protocol, in words."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from fkd.report.published import SETS
from fkd.report.wording import TEXT_NAMES, several
from fkd.study.naming import network_name
from fkd.study.students import PAPER, Student

TEXT = "cvl"

TESTS = {
    **{("gpds300", references): (10, 10) for references in (3, 5, 10, 12)},
    **{("mcyt75", references): (5, 15) for references in (3, 5, 10)},
    ("mcyt75", 12): (3, 15),
    **{("cedar", references): (10, 10) for references in (3, 5, 10, 12)},
}
"""Genuine signatures and skilled forgeries tested a writer, by set and NREF."""

_CHOSEN = (
    *("title", "seed", "size", "sizes", "data", "device", "threads", "memory", "shards"),
    *("max_pixels", "quarantine", "models", "students", "license"),
)
"""Keys of which nothing is published, or that shape no result, or that are told apart."""

_CHOSEN_BELOW = ("path", "compile", "draw", "weights", "development", "architecture")


_WHOSE = {("teacher", "training"): "the teacher's ", ("training",): "the students' "}

_NAMES = {
    "batch": "batch size",
    "epochs": "number of epochs",
    "features": "elements of the response",
    "half": "half of the geometric loss",
    "initialization": "initial weights",
    "learning_rate": "learning rate",
    "max_per_page": "limit of crops kept of a page",
    "milestones": "epochs after which the learning rate is divided",
    "momentum": "momentum",
    "nesterov": "momentum of Nesterov's kind",
    "precision": "precision of training",
    "radius": "radius of neighborhoods, in hops",
    "schedule": "schedule of the learning rate",
    "weight_decay": "weight decay",
    "width": "share of the published channels",
}
"""What settings are called; of others the schema's description is taken."""


def deviations(config: Mapping[str, Any], schema: Path) -> list[str]:
    """Name the settings of a study that are not the published ones.

    Parameters
    ----------
    config : mapping
        The completed config.
    schema : Path
        Its schema, whose defaults are the published values.

    Returns
    -------
    list of str
        A sentence each, in Markdown.
    """
    return [*_of_data(config), *_of_settings(config, schema), *_of_students(config)]


def _of_data(config: Mapping[str, Any]) -> Iterator[str]:
    layout = config["pages"]["layout"]
    if layout != TEXT:
        yield f"The text is {TEXT_NAMES.get(layout, layout)}; published, {TEXT_NAMES[TEXT]}."
    teacher = config["teacher"]
    if not teacher["weights"]:
        yield (
            f"The teacher, {network_name(teacher['architecture'])}, was "
            f"trained on {several(teacher['development'])}; published, SigNet as its authors trained "
            "it."
        )
    judged = config["evaluation"]["sets"]
    if set(judged) != set(SETS):
        yield f"Models are judged on {several(judged)}; published, {several(SETS.values())}."
    for name, protocols in judged.items():
        for protocol in protocols:
            ours = protocol["test_genuine"], protocol["test_skilled"]
            for references in protocol["references"]:
                if name in SETS and TESTS.get((name, references)) != ours:
                    yield f"{name}, {references} references: {_tests(ours)}; published, " + (
                        _tests(TESTS[name, references]) + "."
                        if (name, references) in TESTS
                        else "no such number."
                    )


def _tests(counts: tuple[int, int]) -> str:
    return f"tested on {counts[0]} genuine signatures and {counts[1]} skilled forgeries"


def _of_settings(config: Mapping[str, Any], schema: Path) -> Iterator[str]:
    rules = yaml.safe_load(Path(schema).read_text(encoding="utf-8"))
    for path, rule, published, value in _leaves(config, rules, rules.get("$defs", {}), {}):
        is_chosen = path[0] in _CHOSEN or set(path) & set(_CHOSEN_BELOW)
        is_idle = path[:2] == ("teacher", "training") and config["teacher"]["weights"]
        if value != published and not is_chosen and not is_idle:
            name = _NAMES.get(path[-1], rule["description"].rstrip("."))
            what = _WHOSE.get(path[:-1], "") + name
            yield f"{what[0].upper()}{what[1:]} (`{'.'.join(path)}`): {_shown(value)}; published, {_shown(published)}."


def _leaves(
    config: Mapping[str, Any], rules: Mapping, definitions: Mapping, given: Mapping
) -> Iterator[tuple[tuple[str, ...], Mapping, Any, Any]]:
    """Give the settings that have a default: path, rule, default and value.

    A default that stands further up, in `given`, is stronger.
    """
    for key, value in config.items():
        rule = rules.get("properties", {}).get(key, rules.get("additionalProperties"))
        if not isinstance(rule, Mapping):
            continue
        if "$ref" in rule:
            rule = definitions[rule["$ref"].rpartition("/")[2]] | rule
        has_default = key in given or "default" in rule
        default = given.get(key, rule.get("default"))
        if isinstance(value, Mapping) and ("properties" in rule or not has_default):
            below = default if isinstance(default, Mapping) else {}
            for path, *found in _leaves(value, rule, definitions, below):
                yield (key, *path), *found
        elif has_default:
            yield (key,), rule, default, value


def _of_students(config: Mapping[str, Any]) -> Iterator[str]:
    for name, spec in config["students"].items():
        if name in PAPER and Student.from_dict(spec) != PAPER[name]:
            yield f"The student {name} has another loss or network than the paper's of that name."


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} to {value[key]}" for key in sorted(value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
