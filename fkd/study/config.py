"""A study's config: checked before any job runs, and completed from the schema's defaults."""

import difflib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

from fkd.errors import FkdError
from fkd.layouts import LAYOUTS, SYNTHETIC
from fkd.plugins import load_plugins
from fkd.study.consistency import contradictions, number_hint
from fkd.study.parts import ARCHITECTURES, GEOMETRY, MAP_LOSSES, ONNX, RESPONSE_LOSSES
from fkd.study.siamese import Siamese, siamese_of
from fkd.study.students import PAPER, Student
from fkd.study.study import Study, protocols_of

_Validator = validators.extend(
    Draft202012Validator,
    # JSON Schema accepts 2.0 as an integer, but range() and similar functions do not.
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ).redefine("number", lambda _, value: _is_finite_number(value)),
)


def read_schema(path: Path) -> dict[str, Any]:
    """Read the config's schema, fast, because it is long and read before each run.

    Parameters
    ----------
    path : Path
        The schema, YAML.

    Returns
    -------
    dict of str to Any
        The rules.
    """
    return yaml.load(Path(path).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


def complete(config: Mapping[str, Any], schema: Path) -> Study:
    """Check a config and fill in the settings that it omits.

    Parameters
    ----------
    config : mapping
        The content of ``config.yaml``.
    schema : Path
        The JSON schema, which holds the default of every key.

    Returns
    -------
    Study
        The study. Its settings are those of the config, with the following changes: the settings
        of the chosen ``size`` replace the others, sets, students and models that are false are
        dropped, all defaults are filled in, the students of the
        paper are spelled out, connections that do not start from one of the teacher's maps are
        removed, and keys are in alphabetical order.

    Raises
    ------
    FkdError
        If a key is unknown, has a value of a wrong type or contradicts other keys. The message
        names every such key and what was expected.
    """
    rules = read_schema(schema)
    config = _without_dropped(_choose_size(deepcopy(dict(config))))
    validator = _Validator(rules)
    problems = [text for error in validator.iter_errors(config) for text in _explain(error)]
    _refuse(problems)
    load_plugins(config.get("plugins", []))
    _refuse(_unknown_names(config))
    config = _with_defaults(config, rules, rules.get("$defs", {}))
    students = {name: _student(name, spec or {}) for name, spec in config["students"].items()}
    config["students"] = {name: asdict(student) for name, student in students.items()}
    config["geometry"]["connections"] = _connect(config)
    _refuse(contradictions(config, students))
    siamese = {name: _siamese(name, config, students) for name in config["siamese"]}
    config = _in_order(config)
    students = {name: students[name] for name in config["students"]}
    siamese = {name: siamese[name] for name in config["siamese"]}
    return Study(config, students, protocols_of(config["evaluation"]), siamese)


def _in_order(value: Any) -> Any:
    """Sort the keys of a setting, because their order in the file has no meaning."""
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value)}
    return value


def _refuse(problems: Iterable[str]) -> None:
    """Raise an error that lists each problem once, if there are any."""
    listed = [f"  {problem}" for problem in dict.fromkeys(problems)]
    if listed:
        raise FkdError("\n".join(["The config has errors:", *listed]))


_NO_SIZES = "but this config has no sizes; leave size out, or add the entry to sizes"


def _without_dropped(config: dict[str, Any]) -> dict[str, Any]:
    """Remove the entries that a second config sets to false, since it cannot remove them itself."""
    evaluation = config.get("evaluation")
    for part in (config, evaluation if isinstance(evaluation, dict) else {}):
        for key in ("students", "signatures", "models", "sets", "pairs", "siamese"):
            if isinstance(part.get(key), dict):
                part[key] = {name: entry for name, entry in part[key].items() if entry is not False}
    return config


def _choose_size(config: dict[str, Any]) -> dict[str, Any]:
    """Replace settings of a config by those of the entry of ``sizes`` that ``size`` names."""
    size, sizes = config.get("size"), config.get("sizes", {})
    if not isinstance(size, str) or not isinstance(sizes, dict):
        return config  # there is no size, or the schema will report what is wrong with it
    if size not in sizes:
        known = f"is none of this config's sizes: {', '.join(sizes)}" if sizes else _NO_SIZES
        raise FkdError(f"size: {size!r} {known}")
    return _overlay(config, sizes[size] or {})


def _overlay(base: Any, top: Any) -> Any:
    """Merge `top` into `base`: mappings are merged key by key, any other value is replaced.

    An entry that is dropped, by false, stays so in every size.
    """
    if base is False and isinstance(top, dict):
        return False
    if not isinstance(base, dict) or not isinstance(top, dict):
        return deepcopy(top)
    return base | {key: _overlay(base.get(key), value) for key, value in top.items()}


def _with_defaults(value: Any, rules: dict, definitions: dict) -> Any:
    """Fill in the schema's defaults in a part of a config, at any depth."""
    if "$ref" in rules:
        rules = definitions[rules["$ref"].rpartition("/")[2]] | rules
    if not isinstance(value, dict):
        return value
    known = rules.get("properties", {})
    defaults = {key: deepcopy(rule["default"]) for key, rule in known.items() if "default" in rule}
    # A default that is a mapping supplies every key that the config omits.
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
    """Describe where a value violates the schema, and what was expected."""
    path = ".".join(str(part) for part in error.absolute_path)
    dot = f"{path}." if path else ""
    expected = error.validator_value
    if "propertyNames" in error.relative_schema_path:
        yield _no_name(path, error.instance)
    elif error.validator == "additionalProperties":
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
        hint = number_hint(error.instance) if "number" in kinds or "integer" in kinds else ""
        yield f"{path or 'config'}: expected {kinds}, found {json.dumps(error.instance, default=str)}{hint}"
    elif error.validator == "enum":
        options = ", ".join(map(str, expected))
        yield f"{path}: expected one of {options}, found {json.dumps(error.instance, default=str)}"
    else:
        yield f"{path}: {error.message}"


def _no_name(path: str, name: Any) -> str:
    """Say what is wrong with the name of a set, student or model."""
    if not isinstance(name, str):
        hint = f'write it in quotes, as in "{name}", because YAML does not read it as text'
    else:
        hint = "use letters, digits, _ and -, and begin with a letter or a digit"
    return f"{path}: {json.dumps(name, default=str)} is no name; {hint}"


def _unknown_names(config: Mapping[str, Any]) -> Iterator[str]:
    """Report the networks, losses and layouts that are not registered in the code."""
    students = {
        f"students.{name}": spec for name, spec in (config.get("students") or {}).items() if spec
    }
    networks = {f"{key}.architecture": spec.get("architecture") for key, spec in students.items()}
    networks["teacher.architecture"] = config.get("teacher", {}).get("architecture")
    connections = config.get("geometry", {}).get("connections", {})
    networks |= {f"geometry.connections.{name}": name for name in connections}
    responses, maps = (
        {
            f"{key}.{place}.loss": term.get("loss")
            for key, spec in students.items()
            for place, term in _terms(kind, spec.get(kind))
        }
        for kind in ("response", "maps")
    )
    layouts = {
        f"signatures.{name}.layout": entry["layout"] for name, entry in config["signatures"].items()
    }
    kinds = (
        (networks, ARCHITECTURES),
        (responses, RESPONSE_LOSSES),
        (maps, [name for name in MAP_LOSSES if name != GEOMETRY]),
        (layouts, [SYNTHETIC, *LAYOUTS]),
    )
    for named, known in kinds:
        for key, name in named.items():
            if name is not None and name not in known:
                close = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {close[0]}?" if close else ""
                options = f"expected one of {', '.join(known)}" if known else "none is registered"
                yield f'{key}: {options}, found "{name}"{hint}'


def _terms(kind: str, given: Any) -> list[tuple[str, dict[str, Any]]]:
    """List the terms of one kind in a student's loss with their keys: one, several or none."""
    if isinstance(given, list):
        return [(f"{kind}.{place}", term) for place, term in enumerate(given)]
    return [(kind, given)] if given else []


def _connect(config: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """List the connections of each network that students have with the teacher's maps.

    Networks that the config does not mention get the connections of their entry in
    :data:`ARCHITECTURES`. Pairs that start from a map of another network than the teacher's are
    removed. A pair whose teacher map belongs to no network is kept here, so that it is reported
    as an error later.
    """
    teacher_maps = ARCHITECTURES[config["teacher"]["architecture"]].map_sizes
    other_maps = {name for network in ARCHITECTURES.values() for name in network.map_sizes}
    other_maps -= set(teacher_maps)
    used = [student["architecture"] for student in config["students"].values()]
    pairs = {name: dict(ARCHITECTURES[name].connections) for name in used} | config["geometry"][
        "connections"
    ]
    return {
        network: {
            teacher_map: student_map
            for teacher_map, student_map in maps.items()
            if teacher_map not in other_maps
        }
        for network, maps in pairs.items()
    }


def _is_finite_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _student(name: str, spec: dict[str, Any]) -> Student:
    """Make a student of the paper's student of that name and of the settings that replace it."""
    published = asdict(PAPER[name]) if name in PAPER else {}
    merged = _overlay(published, spec)
    if "architecture" not in merged:
        close = difflib.get_close_matches(name, PAPER, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise FkdError(
            f"students.{name}: no student of the paper has this name{hint}\n"
            "  A student of your own needs at least `architecture` and a weight, "
            "such as `classification: 1.0`."
        )
    for kind, keys in (("response", ("loss", "weight")), ("maps", ("loss", "weights"))):
        for place, term in _terms(kind, merged.get(kind)):
            if missing := [key for key in keys if key not in term]:
                raise FkdError(f"students.{name}.{place}: needs {' and '.join(missing)}")
    try:
        return Student.from_settings(merged)
    except FkdError as error:
        raise FkdError(f"students.{name}.{error}") from None


def _siamese(name: str, config: dict[str, Any], students: Mapping[str, Student]) -> Siamese:
    """Make a Siamese network of its settings, in which the network that it starts from is set."""
    spec = config["siamese"][name]
    start = spec["initialize"] or {}
    if spec["architecture"] is None and start:
        of_student = students.get(start.get("student"))
        teacher = config["teacher"]["architecture"] if start.get("teacher") else None
        of_model = of_student.architecture if of_student else teacher
        spec["architecture"] = ONNX if start.get("onnx") else of_model
    try:
        return siamese_of({name: spec})[name]
    except FkdError as error:
        raise FkdError(f"The config has errors:\n  siamese.{name}.{error}") from None
