"""Contradictions between the settings of a config, each of which is well formed by itself."""

import json
import math
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from fkd.errors import FkdError
from fkd.layouts import LAYOUTS, NAMED_FREELY, SYNTHETIC
from fkd.patterns import Patterns, compile_patterns
from fkd.study.models import TEACHER
from fkd.study.parts import (
    ARCHITECTURES,
    FEATURES,
    GEOMETRY,
    MAP_LOSSES,
    RESPONSE_LOSSES,
    Parameter,
)
from fkd.study.sources import expanded, same_place
from fkd.study.students import MapTerm, Student
from fkd.study.study import has_teacher


def contradictions(config: Mapping[str, Any], students: Mapping[str, Student]) -> Iterator[str]:
    """Report the combinations of well-formed settings that are impossible.

    Parameters
    ----------
    config : mapping
        A config in which all defaults are filled in.
    students : mapping of str to Student
        The students of the config.

    Yields
    ------
    str
        The key, what is wrong with its value, and what was expected unless this is obvious.
    """
    yield from _impossible_data(config)
    yield from _impossible_models(config, students)
    yield from _impossible_students(config, students)
    for key, recipe in (
        ("training", config["training"]),
        ("teacher.training", config["teacher"]["training"]),
    ):
        if recipe["nesterov"] and not recipe["momentum"]:
            yield f"{key}.nesterov: Nesterov's momentum needs {key}.momentum above 0"
    yield from _impossible_names(config)
    yield from _impossible_seeds(config)
    if config["teacher"]["every_seed"] and config["teacher"]["weights"]:
        yield "teacher.every_seed: the teacher's weights are given; leave one of the two out"
    yield from _impossible_pairs(config)
    yield from _impossible_siamese(config, students)
    low, high = config["crops"]["ratios"]
    if low > high:
        yield f"crops.ratios: the least ratio {low} is larger than the largest, {high}"
    gray = config["pages"] and config["pages"]["ink_gray"]
    if gray and gray[0] > gray[1]:
        yield f"pages.ink_gray: the darkest gray {gray[0]} is lighter than the lightest, {gray[1]}"


def _impossible_names(config: Mapping[str, Any]) -> Iterator[str]:
    """Report names that stand for two things, also on disks and in tables that ignore case."""
    models, sets = {TEACHER: "the teacher's own"}, {}
    for key, owner, taken in (
        ("students", "a student's", models),
        ("siamese", "a Siamese network's", models),
        ("models", "a model's", models),
        ("signatures", "another set's", sets),
    ):
        for name in config[key]:
            if name.casefold() in taken:
                yield f"{key}.{name}: this name is {taken[name.casefold()]}; take another"
            taken.setdefault(name.casefold(), owner)


def _impossible_seeds(config: Mapping[str, Any]) -> Iterator[str]:
    """Report seeds of models that there are none of."""
    given = config["teacher"]["weights"]
    trained = [TEACHER] * has_teacher(config) + [*config["students"], *config["siamese"]]
    for name in config["seeds"]:
        if name == TEACHER and given:
            yield f"seeds.{name}: the teacher's weights are given; leave one of the two out"
        elif name not in trained:
            yield f"seeds.{name}: none of the models that the study trains: {', '.join(trained)}"


def _impossible_pairs(config: Mapping[str, Any]) -> Iterator[str]:
    """Report lists of pairs that can neither be read nor drawn."""
    for name, entry in config["pairs"].items():
        key, is_read, drawn = f"pairs.{name}", bool(entry.get("files")), entry["signatures"]
        if is_read == (drawn is not None):
            yield f"{key}: give either files, to read pairs, or signatures, to draw them"
            continue
        if is_read:
            for part in ("path", "forged", "genuine", "skilled"):
                if entry.get(part) is None:
                    yield f"{key}.{part}: missing; pair files need it"
            for part in ("genuine", "skilled"):
                yield from _unreadable_patterns(f"{key}.{part}", entry.get(part), "sample")
            if entry["split"] == "published" and "test" not in entry["files"]:
                yield f"{key}.files.test: missing; the split published needs it"
            if "draw" in entry:
                yield f"{key}.draw: pairs are read from files; leave it out"
            if (like := entry["prepared_as"]) and like not in config["signatures"]:
                yield f"{key}.prepared_as: {like} is none of `signatures`: {', '.join(config['signatures'])}"
        elif entry["prepared_as"]:
            yield f"{key}.prepared_as: a set of signatures holds prepared images; leave it out"
        elif drawn not in config["signatures"]:
            yield f"{key}.signatures: {drawn} is none of `signatures`: {', '.join(config['signatures'])}"
        elif entry["split"] == "published":
            yield f"{key}.split: drawn pairs have no published split; take writers or pairs"
        elif entry["images"] == "raw":
            yield f"{key}.images: a set of signatures holds prepared images; take prepared"
        if entry["validation_share"] + entry["test_share"] >= 1:
            yield f"{key}: validation_share and test_share leave nothing to learn from"
        shares = (
            [entry["draw"][kind] for kind in ("genuine", "skilled", "random")]
            if (entry.get("draw"))
            else [1]
        )
        if abs(sum(shares) - 1) > 1e-6:
            yield f"{key}.draw: the shares genuine, skilled and random add up to {sum(shares):g}, not 1"


def _impossible_siamese(
    config: Mapping[str, Any], students: Mapping[str, Student]
) -> Iterator[str]:
    """Report Siamese networks that name something unknown."""
    for name, entry in config["siamese"].items():
        key, training = f"siamese.{name}", entry["training"]
        if entry["pairs"] not in config["pairs"]:
            known = ", ".join(config["pairs"]) or "none"
            yield f"{key}.pairs: {entry['pairs']} is none of `pairs`: {known}"
        student = (entry["initialize"] or {}).get("student")
        if student is not None and student not in students:
            yield f"{key}.initialize.student: {student} is none of `students`: {', '.join(students)}"
        if training["patience"] and training["keep"] == "last":
            yield f"{key}.training.patience: needs keep, which says by what epochs are compared"
        if training["nesterov"] and not training["momentum"]:
            yield f"{key}.training.nesterov: Nesterov's momentum needs momentum above 0"


def _impossible_data(config: dict[str, Any]) -> Iterator[str]:
    """Report contradictions between pages, sets of signatures, the teacher's data and protocols."""
    sets, teacher, tested = config["signatures"], config["teacher"], config["evaluation"]["sets"]
    entries = [(f"signatures.{n}", s) for n, s in sets.items()]
    for key, entry in [("pages", config["pages"])] * bool(config["pages"]) + entries:
        if key != "pages" and (writers := entry.get("writers")):
            if entry["layout"] == SYNTHETIC:
                yield f"{key}.writers: draw.first and draw.writers choose drawn writers"
            elif writers[0] > writers[1]:
                yield f"{key}.writers: the first, {writers[0]}, is after the last, {writers[1]}"
        needs = "draw" if entry["layout"] == SYNTHETIC else "path"
        if not entry.get(needs):
            yield f"{key}.{needs}: missing; the layout {entry['layout']} needs it"
        if entry["layout"] == "folder" and key != "pages" and "genuine" not in entry:
            yield f'{key}.genuine: missing; such as "{{writer}}/genuine-{{sample}}.png"'
        for kind, part in (("genuine", "sample"), ("skilled", "sample"), ("pattern", "page")):
            yield from _unreadable_patterns(f"{key}.{kind}", entry.get(kind), part)
    layout = config["pages"] and config["pages"]["layout"]
    if layout and "pattern" in config["pages"] and layout not in NAMED_FREELY:
        yield f"pages.pattern: the layout {layout} has names of its own; leave the pattern out"
    for key, names in (
        ("teacher.development", teacher["development"]),
        ("evaluation.sets", tested),
    ):
        for name in names:
            if name not in sets:
                yield f"{key}: {name} is none of `signatures`: {', '.join(sets)}"
    if teacher["weights"] and teacher["forgeries"] != "ignored":
        yield "teacher.forgeries: the teacher's weights are given; leave one of the two out"
    if teacher["weights"] is None and teacher["forgeries"] != "ignored":
        counts = [_counts_per_writer(sets[n]) for n in teacher["development"] if n in sets]
        if counts and all(count.get("skilled") == 0 for count in counts):
            yield (
                f"teacher.forgeries: {teacher['forgeries']}, but its sets have no skilled "
                "forgeries; raise skilled of draw, or choose ignored"
            )
    for name in teacher["development"] if teacher["weights"] is None else []:
        yield from _counted_twice(name, teacher["development"], sets, config["data"])
        for other in tested:
            known = name in sets and other in sets
            if known and _share_writers(sets[name], sets[other], config["data"]):
                yield (
                    f"teacher.development: {name} has writers of evaluation.sets.{other}; "
                    "development writers are never evaluation writers"
                )
    yield from _impossible_verifiers(config)
    yield from _impossible_whitening(config)
    for name, protocols in tested.items():
        counts = _counts_per_writer(sets[name]) if name in sets else {}
        numbers = [number for protocol in protocols for number in protocol["references"]]
        for number in sorted({number for number in numbers if numbers.count(number) > 1}):
            yield f"evaluation.sets.{name}: {number} references are listed more than once"
        for place, protocol in enumerate(protocols):
            key, fewest = f"evaluation.sets.{name}.{place}", min(protocol["references"])
            if protocol.get("negatives", fewest) > fewest:
                yield f"{key}.negatives: {protocol['negatives']} is more than {fewest} references"
            yield from _impossible_protocol(key, protocol, counts)


def _impossible_models(config: Mapping[str, Any], students: Mapping[str, Student]) -> Iterator[str]:
    """Report models that lack something, and studies that lack a model."""
    trained = [name for name, student in students.items() if student.is_trained]
    if trained and not config["pages"]:
        yield f"pages: missing. The handwritten text, from which {trained[0]} learns."
    starts = (entry["initialize"] or {} for entry in config["siamese"].values())
    needs_teacher = bool(students) or any(start.get("teacher") for start in starts)
    if needs_teacher and not has_teacher(config):
        yield "teacher.development: empty; name sets of signatures, or set teacher.weights"
    elif not (has_teacher(config) or config["models"] or config["siamese"]):
        yield "models: empty; name models to judge, or students and a teacher to train"
    for name, entry in config["models"].items():
        key = f"models.{name}"
        if ("onnx" in entry) == ("features" in entry):
            yield f"{key}: give either onnx, a model, or features, a file of its features"
        elif Path(entry.get("onnx", "")).suffix in (".npz", ".csv"):
            yield f"{key}.onnx: {entry['onnx']} holds features and no model; name it features"
        elif isinstance(entry.get("features"), dict):
            evaluation = config["evaluation"]
            used = {*evaluation["sets"], *evaluation["development"]}
            if missing := sorted(used - set(entry["features"])):
                yield f"{key}.features: no file for {', '.join(missing)}"


def _impossible_verifiers(config: Mapping[str, Any]) -> Iterator[str]:
    """Report verifiers that cannot be set, and sets that they cannot be set on."""
    evaluation, sets = config["evaluation"], config["signatures"]
    development = evaluation["development"]
    if "wd" not in evaluation["verifiers"]:
        yield "evaluation.verifiers: wd is missing; the paper's tables are its rates"
    if "wi" in evaluation["verifiers"] and not development:
        yield "evaluation.development: empty; the verifier wi learns from these sets"
    models = [TEACHER] * has_teacher(config) + [*config["students"], *config["models"]]
    for name in evaluation["verified"] or []:
        if name not in models:
            yield f"evaluation.verified: {name} is none of the models: {', '.join(models)}"
    for name in development:
        if name not in sets:
            yield f"evaluation.development: {name} is none of `signatures`: {', '.join(sets)}"
            continue
        if development.count(name) > 1:
            yield f"evaluation.development: {name} is named twice"
        for other in evaluation["sets"]:
            if other in sets and _share_writers(sets[name], sets[other], config["data"]):
                yield (
                    f"evaluation.development: {name} has writers of evaluation.sets.{other}; "
                    "thresholds are never set on judged writers"
                )


def _impossible_whitening(config: Mapping[str, Any]) -> Iterator[str]:
    """Report a set within whose writers nothing can be whitened, and maps that no network has."""
    whitening, sets = config["export"]["whitening"], config["signatures"]
    if not whitening:
        return
    name = whitening["signatures"]
    if name not in sets:
        yield f"export.whitening.signatures: {name} is none of `signatures`: {', '.join(sets)}"
        return
    evaluation = config["evaluation"]
    uses = [(f"evaluation.sets.{other}", other) for other in evaluation["sets"]]
    uses += [("evaluation.development", other) for other in evaluation["development"]]
    for use, other in uses:
        if other in sets and _share_writers(sets[name], sets[other], config["data"]):
            yield (
                f"export.whitening.signatures: {name} has writers of {use}; models are whitened on "
                "none of the writers on whom thresholds are set or rates are measured"
            )
    for network, feature_map in whitening["maps"].items():
        known = ARCHITECTURES[network].map_sizes if network in ARCHITECTURES else None
        if known is None:
            yield f"export.whitening.maps: {network} is none of {', '.join(ARCHITECTURES)}"
        elif feature_map not in known:
            yield (
                f"export.whitening.maps.{network}: {feature_map} is none of its maps: "
                f"{', '.join(known) or 'it has none'}"
            )


def _counted_twice(
    name: str, development: list[str], sets: dict[str, dict], data: str
) -> Iterator[str]:
    """Report a development set whose writers are those of one before it in the list."""
    before = development[: development.index(name)]
    if development.count(name) > 1:
        yield f"teacher.development: {name} is named twice"
    for other in before:
        if name in sets and other in sets and _share_writers(sets[name], sets[other], data):
            yield (
                f"teacher.development: {name} has writers of {other}; one person would be two "
                "classes"
            )


def _unreadable_patterns(key: str, patterns: Patterns | None, part: str) -> Iterator[str]:
    """Report a pattern of file names that cannot be read."""
    try:
        compile_patterns(patterns, part)
    except FkdError as error:
        yield f"{key}: {error}"


def _impossible_protocol(
    key: str, protocol: dict[str, Any], counts: dict[str, int]
) -> Iterator[str]:
    """Report a protocol that needs more signatures than each writer of its set has."""
    if not counts:
        return
    most, genuine, skilled = max(protocol["references"]), counts["genuine"], counts["skilled"]
    tests = 1 if protocol["test_genuine"] == "rest" else protocol["test_genuine"]
    if most + tests > genuine:
        yield (
            f"{key}: {most} references and {tests} tests are more than the {genuine} genuine "
            "signatures of a writer"
        )
    if protocol["test_skilled"] != "all" and protocol["test_skilled"] > skilled:
        yield (
            f"{key}.test_skilled: {protocol['test_skilled']} is more than the {skilled} skilled "
            "forgeries of a writer"
        )


def _counts_per_writer(entry: dict[str, Any]) -> dict[str, int]:
    """Look up how many signatures a set should hold of each writer; empty if that is unknown."""
    if entry["layout"] == SYNTHETIC:
        return entry.get("draw") or {}
    expected = {**LAYOUTS[entry["layout"]].expected, **entry.get("expected", {})}
    return expected if {"genuine", "skilled"} <= set(expected) else {}


def _share_writers(one: dict[str, Any], other: dict[str, Any], folder: str) -> bool:
    """Tell whether two sets share drawn writers, or writers of the same file or folder."""
    if one["layout"] == SYNTHETIC == other["layout"]:
        first, second = (
            range(d["first"], d["first"] + d["writers"]) for d in (one["draw"], other["draw"])
        )
        return first.start < second.stop and second.start < first.stop
    if one["path"] is None or other["path"] is None:
        return False
    ranges = [set_.get("writers") for set_ in (one, other)]
    if all(ranges) and (ranges[0][1] < ranges[1][0] or ranges[1][1] < ranges[0][0]):
        return False
    return same_place(*(expanded(folder) / set_["path"] for set_ in (one, other)))


def _impossible_students(
    config: Mapping[str, Any], students: Mapping[str, Student]
) -> Iterator[str]:
    """Report contradictions between students, networks, connections and the teacher."""
    connections, networks = config["geometry"]["connections"], config["networks"]
    guide = config["teacher"]["architecture"]
    guiding = ARCHITECTURES[guide].map_sizes
    imported = config["teacher"]["weights"] is not None
    if imported and guide != "signet":
        yield (
            f"teacher.architecture: {guide}, but teacher.weights are SigNet's; "
            "leave one of the two out"
        )
    for architecture, pairs in connections.items():
        sizes = ARCHITECTURES[architecture].map_sizes
        for teacher_map, student_map in pairs.items():
            key = f"geometry.connections.{architecture}.{teacher_map}"
            if teacher_map not in guiding:
                yield f"{key}: {_no_such_map(f'the teacher, {guide},', teacher_map, guiding)}"
            elif student_map not in sizes:
                yield f"{key}: {_no_such_map(architecture, student_map, sizes)}"
            elif sizes[student_map] != guiding[teacher_map]:
                yield (
                    f"{key}: maps of different size, the teacher's {teacher_map} "
                    f"{_times(guiding[teacher_map])} and the student's {student_map} "
                    f"{_times(sizes[student_map])}"
                )
    for name, student in students.items():
        of_terms = [
            (f"students.{name}.{_place(student, term)}.{teacher_map}", teacher_map)
            for term in student.terms_of_maps
            for teacher_map in term.compared
        ]
        for key, teacher_map in of_terms:
            if teacher_map not in guiding:
                yield f"{key}: {_no_such_map(f'the teacher, {guide},', teacher_map, guiding)}"
            elif teacher_map not in connections[student.architecture]:
                yield f"{key}: not connected; see geometry.connections.{student.architecture}"
        yield from _impossible_parameters(name, student)
        for response in student.responses:
            if (
                imported
                and networks["features"] != FEATURES
                and RESPONSE_LOSSES[response.loss].equal_lengths
            ):
                yield (
                    f"students.{name}.response: {response.loss} compares responses of equal "
                    f"length, but networks.features is {networks['features']} and the imported "
                    f"teacher's {FEATURES}"
                )


def _place(student: Student, term: MapTerm) -> str:
    """Give the key below which the weights of a loss between maps stand."""
    if term.loss == GEOMETRY:
        return GEOMETRY
    return (
        f"maps.{student.maps.index(term)}.weights"
        if isinstance(student.maps, list)
        else "maps.weights"
    )


def _impossible_parameters(name: str, student: Student) -> Iterator[str]:
    """Compare the parameters given for a student's losses with those that the losses have."""
    for kind, table, terms in (
        ("response", RESPONSE_LOSSES, student.response),
        ("maps", MAP_LOSSES, student.maps),
    ):
        several = isinstance(terms, list)
        for place, term in enumerate(terms if several else [terms] if terms else []):
            key = f"students.{name}.{kind}{f'.{place}' if several else ''}.parameters"
            yield from _impossible_values(
                key, term.loss, term.parameters, table[term.loss].parameters
            )


def _impossible_values(
    key: str, loss: str, given: Mapping[str, Parameter], known: Mapping[str, Parameter | None]
) -> Iterator[str]:
    """Compare the parameters given for a loss with those that it has, and with their defaults."""
    for parameter in sorted(set(given) - set(known)):
        has = f"it has {', '.join(known)}" if known else "it has none"
        yield f"{key}.{parameter}: {loss} has no such parameter; {has}"
    for parameter, default in known.items():
        if parameter not in given:
            if default is None:
                yield f"{key}.{parameter}: missing; {loss} has no default for it"
            continue
        value = given[parameter]
        # No word is a number that YAML reads as text, whatever the loss takes.
        kind = "a number" if number_hint(value) else _kind_of(value if default is None else default)
        if _kind_of(value) != kind:
            hint = number_hint(value)
            yield f"{key}.{parameter}: expected {kind}, found {json.dumps(value)}{hint}"


def _kind_of(value: Parameter) -> str:
    """Name the kind of a parameter's value."""
    if isinstance(value, bool):
        return "true or false"
    return "a word" if isinstance(value, str) else "a number"


def _no_such_map(network: str, name: str, sizes: Mapping[str, tuple[int, int]]) -> str:
    close = get_close_matches(name, sizes, 1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"{network} has no map {name}; it has {', '.join(sizes)}{hint}"


def _times(size: tuple[int, int]) -> str:
    return " x ".join(map(str, size))


def number_hint(value: Any) -> str:
    """Explain how to write a number that YAML reads as text: 1e-4 must be written as 1.0e-4."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return ""
    is_text = isinstance(value, str) and math.isfinite(number)
    return f"; write the number with a dot, as in {number:.1e}" if is_text else ""
