"""The settings in which a study deviates from the published protocol, in sentences."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fkd.report.data import SIGNATURES
from fkd.report.published import SETS, TESTS, Judged, difference
from fkd.report.wording import TEXT_NAMES, joined
from fkd.study.config import read_schema
from fkd.study.markup import escape_markdown
from fkd.study.models import network_label
from fkd.study.students import PAPER, Student

PUBLISHED_TEXT = "cvl"
"""The layout of the pages that the paper's students learned from."""

_UNLISTED = (
    *("title", "license", "size", "sizes", "data", "device", "threads", "memory", "shards"),
    *("max_pixels", "quarantine", "plugins", "models", "students", "seed", "seeds", "replicates"),
)
"""Top-level keys that :func:`_of_settings` skips.

Nothing is published about them, or they do not affect the results, or another sentence tells
of them.
"""

_UNLISTED_ANYWHERE = ("path", "compile", "draw", "weights", "development", "architecture")
_UNLISTED_ANYWHERE += ("every_seed", "verifiers", "whitening")
"""Keys that it skips for the same reasons, however deep they are."""

_OWNERS = {("teacher", "training"): "the teacher's ", ("training",): "the students' "}
"""The networks that a setting concerns, by the keys above it."""

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
    "precision": "precision",
    "radius": "radius of neighborhoods, in hops",
    "schedule": "schedule of the learning rate",
    "weight_decay": "weight decay",
    "width": "share of the published channels",
}
"""Names of settings by their last key. Other settings go by their description in the schema."""


def deviations(config: Mapping[str, Any], schema: Path) -> list[str]:
    """List the settings of a study that differ from the published ones.

    Parameters
    ----------
    config : mapping
        The completed config.
    schema : Path
        The config's schema. Its defaults are the published values.

    Returns
    -------
    list of str
        One sentence for each deviation, in Markdown.
    """
    return [*_of_data(config), *_of_settings(config, schema), *_of_students(config)]


def deviations_of_sets(config: Mapping[str, Any], rows: pd.DataFrame) -> list[str]:
    """List the sets of a study that are not the published sets of their names.

    Parameters
    ----------
    config : mapping
        The completed config.
    rows : DataFrame
        The table of :func:`fkd.report.data.read_data`.

    Returns
    -------
    list of str
        One sentence for each such set, in Markdown.
    """
    found = []
    for name in config["evaluation"]["sets"]:
        row = rows.loc[(SIGNATURES, name)]
        counts = (int(row[count]) for count in ("writers", "genuine", "skilled"))
        if name in SETS and (differs := difference(name, Judged(row["layout"], *counts))):
            found.append(
                f"The set {name} is not {SETS[name]} as published: {differs}. Its rates are not "
                "tested against the published ones."
            )
    return found


def _of_data(config: Mapping[str, Any]) -> Iterator[str]:
    """Compare the text, the teacher's training data, the descriptions and the protocols."""
    layout = config["pages"] and config["pages"]["layout"]
    if layout and layout != PUBLISHED_TEXT:
        ours, published = TEXT_NAMES.get(layout, layout), TEXT_NAMES[PUBLISHED_TEXT]
        yield f"The text is {ours}; published, {published}."
    teacher = config["teacher"]
    if teacher["development"] and not teacher["weights"]:
        yield (
            f"The teacher, {network_label(teacher['architecture'])}, was "
            f"trained on {escape_markdown(joined(teacher['development']))}; published, SigNet as its "
            "authors trained it."
        )
    if whitening := config["export"]["whitening"]:
        maps = joined(whitening["maps"].values()) or "their response"
        yield (
            f"Models describe signatures by {maps}, whitened (`export.whitening`); published, by "
            "their response as it is."
        )
    judged = config["evaluation"]["sets"]
    if set(judged) != set(SETS):
        ours = escape_markdown(joined(judged))
        yield f"Models are judged on {ours}; published, {joined(SETS.values())}."
    for name, protocols in judged.items():
        for protocol in protocols:
            ours = protocol["test_genuine"], protocol["test_skilled"]
            for references in protocol["references"]:
                published = TESTS.get((name, references))
                if name in SETS and published != ours:
                    theirs = _tests(published) if published else "no such number"
                    yield f"{name}, {references} references: {_tests(ours)}; published, {theirs}."


def _tests(counts: tuple[int, int]) -> str:
    """Say how many genuine signatures and skilled forgeries are tested."""
    return f"tested on {counts[0]} genuine signatures and {counts[1]} skilled forgeries"


def _of_settings(config: Mapping[str, Any], schema: Path) -> Iterator[str]:
    """Compare each remaining setting with its default in the schema."""
    rules = read_schema(schema)
    for path, rule, published, value in _leaves(config, rules, rules.get("$defs", {}), {}):
        is_unlisted = path[0] in _UNLISTED or set(path) & set(_UNLISTED_ANYWHERE)
        # An imported teacher is not trained, so its recipe does not matter.
        is_unused = path[:2] == ("teacher", "training") and config["teacher"]["weights"]
        if value != published and not is_unlisted and not is_unused:
            name = _NAMES.get(path[-1], rule["description"].rstrip("."))
            name = _OWNERS.get(path[:-1], "") + name
            yield (
                f"{name[0].upper()}{name[1:]} (`{'.'.join(path)}`): {_value_in_words(value)}; "
                f"published, {_value_in_words(published)}."
            )


def _leaves(
    config: Mapping[str, Any], rules: Mapping, definitions: Mapping, defaults: Mapping
) -> Iterator[tuple[tuple[str, ...], Mapping, Any, Any]]:
    """Walk through the settings that have a default, with their path, rule, default and value.

    A mapping's default in the schema, given in `defaults`, overrides the defaults of the keys
    below it.
    """
    for key, value in config.items():
        rule = rules.get("properties", {}).get(key, rules.get("additionalProperties"))
        if not isinstance(rule, Mapping):
            continue
        if "$ref" in rule:
            rule = definitions[rule["$ref"].rpartition("/")[2]] | rule
        has_default = key in defaults or "default" in rule
        default = defaults.get(key, rule.get("default"))
        if isinstance(value, Mapping) and ("properties" in rule or not has_default):
            below = default if isinstance(default, Mapping) else {}
            for path, *rest in _leaves(value, rule, definitions, below):
                yield (key, *path), *rest
        elif has_default:
            yield (key,), rule, default, value


def _of_students(config: Mapping[str, Any]) -> Iterator[str]:
    """Name the students that have a name from the paper but another definition."""
    for name, spec in config["students"].items():
        if name in PAPER and Student.from_settings(spec) != PAPER[name]:
            name = escape_markdown(name)
            yield f"The student {name} has another loss or network than the paper's of that name."


def _value_in_words(value: Any) -> str:
    """Write the value of a setting as part of a sentence."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} to {value[key]}" for key in sorted(value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
