"""Settings have the same ranges by hand, as a library and in the schema."""

from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import pytest
import yaml

from fkd.__main__ import STAGES, load, main
from fkd.errors import FkdError
from fkd.pairs.drawing import Draw
from fkd.pairs.listing import Source
from fkd.pairs.parts import PartShares
from fkd.ranges import Count, Range, checked
from fkd.study.parts import Networks
from fkd.study.siamese import Siamese
from fkd.study.students import MapTerm, Response, Student
from fkd.training.recipe import PairRecipe, Recipe
from fkd.verification import PairProtocol, Protocol

SCHEMA = yaml.safe_load(
    (Path(__file__).parents[1] / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8")
)

PAIR_TRAINING = SCHEMA["properties"]["siamese"]["additionalProperties"]["properties"]["training"][
    "properties"
]

READERS: dict[str, list[Any]] = {
    "device": ["train_teacher", "train_student", "cache_responses", "cache_geometry"],
    "threads": ["train_student", "segment_pages", "make_crops", "prepare_signatures"],
    "memory": ["train_student"],
    "shards": ["list_pages"],
    "max_pixels": ["segment_pages", "prepare_signatures", "figure_pipeline"],
    "quarantine.max_share": ["prepare_signatures", "check_text"],
    "pages.draw.pages": ["draw_pages"],
    "pages.draw.lines": ["draw_pages"],
    "pages.validation_share": ["list_pages"],
    "pages.min_rows": ["segment_pages"],
    "pages.min_columns": ["segment_pages"],
    "pages.ink_gray": ["segment_pages"],
    "crops.canvases": ["make_crops"],
    "crops.ratios": ["make_crops"],
    "crops.ratio_per": ["make_crops"],
    "crops.max_per_page": ["make_crops"],
    "signatures.*.threshold": ["prepare_signatures"],
    "signatures.*.resolution": ["prepare_signatures"],
    "signatures.*.canvas": ["prepare_signatures"],
    "signatures.*.writers": ["prepare_signatures"],
    "signatures.*.draw.first": ["draw_signatures"],
    "signatures.*.draw.genuine": ["draw_signatures"],
    "signatures.*.draw.skilled": ["draw_signatures"],
    "networks.width": [Networks],
    "networks.features": [Networks],
    "networks.initialization": [Networks],
    "export.precision": ["export_onnx"],
    "geometry.radius": ["cache_geometry", "figure_tree", "figure_contrast", "figure_pipeline"],
    "students.*.classification": [Student],
    "students.*.geometry.*": [Student],
    "students.*.response.weight": [Response],
    "students.*.maps.weights.*": [MapTerm],
    "evaluation.sets.*.references": [Protocol],
    "evaluation.sets.*.test_genuine": [Protocol],
    "evaluation.sets.*.test_skilled": [Protocol],
    "evaluation.sets.*.negatives": [Protocol],
    "evaluation.seed": [Protocol],
    "evaluation.C": ["evaluate_wd", "train_wi", "set_verifier"],
    "evaluation.gamma": ["evaluate_wd", "train_wi", "set_verifier"],
    "teacher.forgeries": ["train_teacher"],
    "evaluation.fusion": [PairProtocol],
    "evaluation.development_references": [PairProtocol, "train_wi"],
    "evaluation.calibration": ["set_verifier"],
    "evaluation.sets.*.writers": [Protocol, PairProtocol],
    "pairs.*.forged": [Source],
    **{f"pairs.*.draw.{key}": [Draw] for key in ("pairs", "genuine", "skilled", "random")},
    "pairs.*.writers": ["list_pairs"],
    "pairs.*.images": ["list_pairs"],
    "pairs.*.split": [PartShares],
    "siamese.*.width": [Siamese],
    "siamese.*.features": [Siamese],
    **{f"siamese.*.training.{key}": [PairRecipe] for key in PAIR_TRAINING},
    **{f"training.{key}": [Recipe] for key in SCHEMA["$defs"]["training"]["properties"]},
}
"""The stages and typed objects that read a setting with a range, under the setting's last name."""

ELSEWHERE = {
    "evaluation.verifiers": "each has a rule of its own",
    "pages.draw.writers": "a study needs two, a drawn set can be of one",
    "signatures.*.draw.writers": "a study needs two, a drawn set can be of one",
    "evaluation.splits": "the tables of a study need two for a spread, a protocol one",
    "replicates": "it is the number of jobs, which no job reads",
    "seed": "any integer is a seed",
    "pairs.*.validation_share": "PartShares.validation, and together with the test share",
    "pairs.*.test_share": "PartShares.test, and together with the validation share",
    "pages.layout": "list_pages looks it up among its readers",
    "signatures.*.expected.writers": "one mapping for all counts, checked with the set",
    "signatures.*.expected.genuine": "one mapping for all counts, checked with the set",
    "signatures.*.expected.skilled": "one mapping for all counts, checked with the set",
    "students.*.response.parameters.temperature": "the loss checks its own parameters",
    "students.*.response.parameters.lambda_": "the loss checks its own parameters",
}
"""Settings with a range that no type says, and why."""


def limits_of_schema(rule: dict) -> Any:
    """What a rule of the schema allows, in one form for both sides."""
    if "enum" in rule:
        return set(rule["enum"])
    if "items" in rule:
        return limits_of_schema(rule["items"])
    if "$ref" in rule:
        return limits_of_schema(SCHEMA["$defs"][rule["$ref"].rpartition("/")[2]])
    keys = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
    return tuple(rule.get(key) for key in keys)


def limits_of_type(hint: Any) -> Any:
    """What a type allows, in the same form."""
    if get_origin(hint) is Literal:
        return set(get_args(hint))
    if get_origin(hint) is Annotated:
        (limit,) = (each for each in get_args(hint)[1:] if isinstance(each, Range))
        return limit.at_least, limit.above, limit.at_most, limit.below
    inner = [each for each in get_args(hint) if each not in (type(None), Ellipsis, str)]
    return limits_of_type(inner[0]) if inner else (None,) * 4


def ranged(rule: dict, path: tuple[str, ...] = ()) -> dict[str, dict]:
    """The settings of the schema that have a range or a list of words."""
    if "$ref" in rule and limits_of_schema(rule) != (None,) * 4:
        return {".".join(path): rule}
    if rule.get("type") == "array" and "properties" in rule.get("items", {}):
        return ranged(rule["items"], path)
    found = {}
    for key, inner in rule.get("properties", {}).items():
        found |= ranged(inner, (*path, key))
    if isinstance(rule.get("additionalProperties"), dict):
        found |= ranged(rule["additionalProperties"], (*path, "*"))
    if not found and limits_of_schema(rule) != (None,) * 4:
        found[".".join(path)] = rule
    return found


RANGED = ranged(SCHEMA) | {
    f"training.{key}": rule
    for key, rule in SCHEMA["$defs"]["training"]["properties"].items()
    if limits_of_schema(rule) != (None,) * 4
}


def test_every_range_of_the_schema_is_said_by_a_type_or_on_the_list():
    assert sorted(set(RANGED) - set(READERS) - set(ELSEWHERE)) == []


@pytest.mark.parametrize("key", sorted(set(READERS) & set(RANGED)))
def test_the_schema_and_the_types_say_the_same(key):
    last = [part for part in key.split(".") if part != "*"][-1]
    for reader in READERS[key]:
        hints = get_type_hints(load(reader) if reader in STAGES else reader, include_extras=True)
        assert limits_of_type(hints[last]) == limits_of_schema(RANGED[key]), (key, reader)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train_student", "--recipe.schedule", "onecycle"], "steps"),
        (["train_student", "--recipe.precision", "bf16"], "bfloat16"),
        (["train_student", "--recipe.epochs", "0"], "at least 1"),
        (["train_student", "--recipe.batch", "-1"], "at least 2"),
        (["train_student", "--recipe.momentum", "1"], "below 1"),
        (["train_student", "--networks.width", "0"], "above 0"),
        (["train_student", "--memory", "nan"], "memory"),
        (["train_student", "--device", "gpu"], "cuda"),
        (["cache_geometry", "--radius", "-3"], "radius: expected an integer, at least 1, found -3"),
        (["cache_responses", "--batch", "-1"], "batch: expected an integer, at least 1, found -1"),
        (["extract_features", "--batch", "-1"], "batch: expected an integer, at least 1, found -1"),
        (["evaluate_wd", "--gamma", "-1"], "gamma: expected a number, above 0, found -1.0"),
        (["evaluate_wd", "--C", "inf"], "inf"),
        (["evaluate_wd", "--protocol.splits", "0"], "splits"),
        (["list_pages", "--shards", "-3"], "shards: expected an integer, at least 1, found -3"),
        (["draw_signatures", "--skilled", "-1"], "skilled: expected an integer, at least 0"),
        (["make_crops", "--ratios", "[2, -1]"], "ratios.1: expected a number, above 0, found -1"),
        (["make_crops", "--ratio_per", "page"], "interval"),
        (
            ["segment_pages", "--ink_gray", "[0, 300]"],
            "ink_gray.1: expected an integer, at least 0",
        ),
        (["prepare_signatures", "--canvas", "[0, 9]"], "canvas.0: expected an integer, at least 1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_by_hand_a_value_out_of_range_is_refused_before_any_file_is_read(
    arguments, expected, tmp_path, capsys
):
    """Each of these computed something, or ended in a traceback or in a crash."""
    with pytest.raises(SystemExit) as stopped:
        main(_complete(arguments, tmp_path))
    assert stopped.value.code != 0
    said = capsys.readouterr().err
    assert expected in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def _complete(arguments: list[str], folder: Path) -> list[str]:
    """Add the arguments that the stage needs, with files that do not exist."""
    import inspect

    name, *given = arguments
    words = {"layout": "folder", "student": "signet_cl", "name": "a", "seed": "1", "shard": "0"}
    words |= {"validation_share": "0.3", "max_share": "0.1"}
    needed = []
    for key, parameter in inspect.signature(load(name)).parameters.items():
        if parameter.default is not parameter.empty or f"--{key}" in given:
            continue
        if key == "protocol":
            for part, value in (("references", 3), ("test_genuine", 1), ("test_skilled", 1)):
                needed += [f"--protocol.{part}", str(value)]
        elif "Path" in str(parameter.annotation):
            path = str(folder / key)
            needed += [f"--{key}", f"[{path}]" if "list" in str(parameter.annotation) else path]
        else:
            needed += [f"--{key}", words.get(key, "2")]
    return [name, *needed, *given]


def test_as_a_library_they_are_refused_too():
    with pytest.raises(FkdError, match="epochs: expected an integer, at least 1, found 0"):
        Recipe(epochs=0)
    with pytest.raises(FkdError, match=r"milestones\.1: expected an integer, at least 1, found 0"):
        Recipe(milestones=(20, 0))
    with pytest.raises(FkdError, match="nesterov"):
        Recipe(momentum=0.0)
    with pytest.raises(FkdError, match=r"geometry\.conv2: expected a number, at least 0"):
        Student("signet", geometry={"conv2": -1.0})
    with pytest.raises(FkdError, match="initialization: expected one of code, xavier"):
        Networks(initialization="kaiming")


def test_a_checked_function_takes_what_fits_and_keeps_its_signature():
    @checked
    def add(*, first: Count, others: tuple[Count, ...] = (), last: Count | None = None) -> int:
        return first + sum(others) + (last or 0)

    assert add(first=1, others=[2, 3], last=None) == 6
    with pytest.raises(FkdError, match=r"others\.0: expected an integer, at least 1, found 2\.5"):
        add(first=1, others=(2.5,))
    with pytest.raises(FkdError, match="first: expected an integer, at least 1, found True"):
        add(first=True)
