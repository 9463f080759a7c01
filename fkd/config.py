"""A study's config: completed from the schema, and refused before any job where it is wrong."""

import difflib
import json
import math
from collections.abc import Iterator, Mapping
from copy import deepcopy
from inspect import signature
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

from fkd.errors import FkdError
from fkd.layouts import LAYOUTS
from fkd.losses import RESPONSES
from fkd.models import ARCHITECTURES, FEATURES, SigNet
from fkd.students import PAPER, TEACHER, Student

SYNTHETIC = "synthetic"
"""The layout of pages and signatures that the study draws for itself."""


_Validator = validators.extend(
    Draft202012Validator,
    # JSON takes 2.0 for an integer; range() and the like do not.
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ).redefine("number", lambda _, value: _is_finite_number(value)),
)


def complete(config: Mapping[str, Any], schema: Path) -> dict[str, Any]:
    """Check a config and fill in what it leaves out.

    Parameters
    ----------
    config : mapping
        As read from ``config.yaml``.
    schema : Path
        The JSON schema with every key's default.

    Returns
    -------
    dict
        The config with the settings of its ``size`` laid over the rest, every
        default in place, and students of the paper spelled out.

    Raises
    ------
    FkdError
        Naming each key that is unknown, of a wrong type or impossible beside
        others, and what was expected.
    """
    rules = yaml.safe_load(Path(schema).read_text())
    config = _choose_size(deepcopy(dict(config)))
    validator = _Validator(rules)
    problems = [text for error in validator.iter_errors(config) for text in _explain(error)]
    if not problems:
        config = _with_defaults(config, rules, rules.get("$defs", {}))
        config["students"] = {
            name: _spell_out(name, spec or {}) for name, spec in config["students"].items()
        }
        problems = list(_impossible(config))
    if problems:
        raise FkdError(
            "The config has to be mended:\n" + "\n".join(f"  {p}" for p in dict.fromkeys(problems))
        )
    return config


def _choose_size(config: dict[str, Any]) -> dict[str, Any]:
    size, sizes = config.get("size"), config.get("sizes", {})
    if not isinstance(size, str) or not isinstance(sizes, dict):
        return config  # none, or the schema will say what is wrong
    if size not in sizes:
        raise FkdError(f"size: {size!r} is none of this config's sizes: {', '.join(sizes)}")
    return _overlay(config, sizes[size] or {})


def _overlay(base: Any, top: Any) -> Any:
    """Lay `top` over `base`, mapping by mapping; anything else is replaced."""
    if not isinstance(base, dict) or not isinstance(top, dict):
        return deepcopy(top)
    return base | {key: _overlay(base.get(key), value) for key, value in top.items()}


def _with_defaults(value: Any, rules: dict, definitions: dict) -> Any:
    if "$ref" in rules:
        rules = definitions[rules["$ref"].rpartition("/")[2]] | rules
    if not isinstance(value, dict):
        return value
    known = rules.get("properties", {})
    defaults = {key: deepcopy(rule["default"]) for key, rule in known.items() if "default" in rule}
    # A mapping keeps the defaults of the keys that the config does not name.
    value = {**defaults, **value}
    for key in defaults:
        if isinstance(value[key], dict) and isinstance(defaults[key], dict):
            value[key] = {**defaults[key], **value[key]}
    other = rules.get("additionalProperties", {})
    other = other if isinstance(other, dict) else {}
    return {
        key: _with_defaults(inner, known.get(key, other), definitions)
        for key, inner in value.items()
    }


def _explain(error: ValidationError) -> Iterator[str]:
    """Say where a value breaks the schema, and what was expected."""
    path = ".".join(str(part) for part in error.absolute_path)
    dot = f"{path}." if path else ""
    expected = error.validator_value
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        for key in sorted(set(error.instance) - set(known), key=str):
            close = difflib.get_close_matches(str(key), known, 1)
            hint = f"did you mean {close[0]}?" if close else f"expected one of {', '.join(known)}"
            yield f"{dot}{key}: unknown key; {hint}"
    elif error.validator == "required":
        for key in expected:
            if key not in error.instance:
                rule = error.schema.get("properties", {}).get(key, {})
                yield f"{dot}{key}: missing. {rule.get('description', '')}".rstrip()
    elif error.validator == "type":
        kinds = " or ".join([expected] if isinstance(expected, str) else expected)
        hint = _number_hint(error.instance) if "number" in kinds or "integer" in kinds else ""
        yield f"{path or 'config'}: expected {kinds}, found {json.dumps(error.instance, default=str)}{hint}"
    elif error.validator == "enum":
        options = ", ".join(map(str, expected))
        yield f"{path}: expected one of {options}, found {json.dumps(error.instance, default=str)}"
    else:
        yield f"{path}: {error.message}"


def _is_finite_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _number_hint(value: Any) -> str:
    """YAML reads 1e-4 as text: it wants a dot and a sign in such a number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return ""
    is_text = isinstance(value, str) and math.isfinite(number)
    return f"; write the number with a dot, as in {number:.1e}" if is_text else ""


def _spell_out(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Lay what the config says of a student over the paper's student of that name."""
    known = PAPER.get(name)
    merged = _overlay(known.to_dict() if known else {}, spec)
    if "architecture" not in merged:
        close = difflib.get_close_matches(name, PAPER, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise FkdError(
            f"students.{name}: no student of the paper has this name{hint}\n"
            "  A student of your own needs at least `architecture` and a weight, "
            "such as `classification: 1.0`."
        )
    response = merged.get("response")
    missing = [key for key in ("loss", "weight") if response and key not in response]
    if missing:
        raise FkdError(f"students.{name}.response: needs {' and '.join(missing)}")
    return Student.from_dict(merged).to_dict()


def _impossible(config: dict[str, Any]) -> Iterator[str]:
    """Name the combinations of well-formed settings that cannot be."""
    yield from _impossible_data(config)
    yield from _impossible_students(config)
    for key, recipe in (
        ("training", config["training"]),
        ("teacher.training", config["teacher"]["training"]),
    ):
        if recipe["nesterov"] and not recipe["momentum"]:
            yield f"{key}.nesterov: Nesterov's momentum needs {key}.momentum above 0"
    for key in ("students", "models"):
        if TEACHER in config[key]:
            yield f"{key}.{TEACHER}: this name is the teacher's own; take another"
    for name in config["models"]:
        if name in config["students"]:
            yield f"models.{name}: this name is a student's; take another"
    low, high = config["crops"]["ratios"]
    if low > high:
        yield f"crops.ratios: the least ratio {low} is larger than the largest, {high}"
    gray = config["pages"]["ink_gray"]
    if gray and gray[0] > gray[1]:
        yield f"pages.ink_gray: the darkest grey {gray[0]} is lighter than the lightest, {gray[1]}"


def _impossible_data(config: dict[str, Any]) -> Iterator[str]:
    sets, teacher, tested = config["signatures"], config["teacher"], config["evaluation"]["sets"]
    for key, entry in [("pages", config["pages"])] + [
        (f"signatures.{n}", s) for n, s in sets.items()
    ]:
        needs = "draw" if entry["layout"] == SYNTHETIC else "path"
        if not entry.get(needs):
            yield f"{key}.{needs}: missing; the layout {entry['layout']} needs it"
        if entry["layout"] == "folder" and key != "pages" and "genuine" not in entry:
            yield f'{key}.genuine: missing; such as "{{writer}}/genuine-{{sample}}.png"'
    for key, names in (
        ("teacher.development", teacher["development"]),
        ("evaluation.sets", tested),
    ):
        for name in names:
            if name not in sets:
                yield f"{key}: {name} is none of `signatures`: {', '.join(sets)}"
    if teacher["weights"] is None and not teacher["development"]:
        yield "teacher.development: empty; name sets of signatures, or set teacher.weights"
    for name in teacher["development"] if teacher["weights"] is None else []:
        for other in tested:
            if name in sets and other in sets and _share_writers(sets[name], sets[other]):
                yield (
                    f"teacher.development: {name} has writers of evaluation.sets.{other}; "
                    "development writers are never evaluation writers"
                )
    for name, protocols in tested.items():
        held = _held(sets[name]) if name in sets else {}
        numbers = [number for protocol in protocols for number in protocol["references"]]
        for number in sorted({number for number in numbers if numbers.count(number) > 1}):
            yield f"evaluation.sets.{name}: {number} references stand there more than once"
        for place, protocol in enumerate(protocols):
            key, fewest = f"evaluation.sets.{name}.{place}", min(protocol["references"])
            if protocol.get("negatives", fewest) > fewest:
                yield f"{key}.negatives: {protocol['negatives']} is more than {fewest} references"
            yield from _impossible_protocol(key, protocol, held)


def _impossible_protocol(key: str, protocol: dict[str, Any], held: dict[str, int]) -> Iterator[str]:
    if not held:
        return
    most, genuine, skilled = max(protocol["references"]), held["genuine"], held["skilled"]
    if most + protocol["test_genuine"] > genuine:
        yield (
            f"{key}: {most} references and {protocol['test_genuine']} tests are more than the "
            f"{genuine} genuine signatures of a writer"
        )
    if protocol["test_skilled"] > skilled:
        yield (
            f"{key}.test_skilled: {protocol['test_skilled']} is more than the {skilled} skilled "
            "forgeries of a writer"
        )


def _held(entry: dict[str, Any]) -> dict[str, int]:
    """What a set of signatures should hold of each writer, where that is known."""
    if entry["layout"] == SYNTHETIC:
        return entry.get("draw") or {}
    held = {**LAYOUTS[entry["layout"]].expected, **entry.get("expected", {})}
    return held if {"genuine", "skilled"} <= set(held) else {}


def _share_writers(one: dict[str, Any], other: dict[str, Any]) -> bool:
    if one["layout"] == SYNTHETIC == other["layout"]:
        first, second = (
            range(d["first"], d["first"] + d["writers"]) for d in (one["draw"], other["draw"])
        )
        return first.start < second.stop and second.start < first.stop
    return one["path"] is not None and one["path"] == other["path"]


def _impossible_students(config: dict[str, Any]) -> Iterator[str]:
    connections, networks = config["geometry"]["connections"], config["networks"]
    for architecture, pairs in connections.items():
        sizes = ARCHITECTURES[architecture].map_sizes
        for teacher_map, student_map in pairs.items():
            key = f"geometry.connections.{architecture}.{teacher_map}"
            if student_map not in sizes:
                yield f"{key}: {architecture} has no map {student_map}; it has {', '.join(sizes)}"
            elif sizes[student_map] != SigNet.map_sizes[teacher_map]:
                yield (
                    f"{key}: maps of different size, the teacher's {teacher_map} "
                    f"{_times(SigNet.map_sizes[teacher_map])} and the student's {student_map} "
                    f"{_times(sizes[student_map])}"
                )
    imported = config["teacher"]["weights"] is not None
    for name, spec in config["students"].items():
        student = Student.from_dict(spec)
        for teacher_map in student.maps:
            if teacher_map not in connections[student.architecture]:
                yield (
                    f"students.{name}.geometry.{teacher_map}: not connected; "
                    f"see geometry.connections.{student.architecture}"
                )
        if not student.guided_by_response:
            continue
        # A loss takes the two responses, then its parameters.
        known = list(signature(RESPONSES[student.response.loss]).parameters)[2:]
        for key in sorted(set(student.response.parameters) - set(known)):
            yield (
                f"students.{name}.response.parameters.{key}: {student.response.loss} has no such "
                f"parameter; it has {', '.join(known)}"
            )
        if (
            imported
            and networks["features"] != FEATURES
            and student.response.loss != "barlow_colleagues"
        ):
            yield (
                f"students.{name}.response: {student.response.loss} compares responses of equal "
                f"length, but networks.features is {networks['features']} and the imported "
                f"teacher's {FEATURES}"
            )


def _times(size: tuple[int, int]) -> str:
    return " x ".join(map(str, size))
