"""A finished study as an RO-Crate: its tables, what they were made of, and what made them.

A crate is a ZIP file of results with a description that machines and people can read (https://w3id.org/ro/crate/1.1,
and the profile of a run, https://w3id.org/ro/wfrun/process/0.5). It contains what neither shows
handwriting nor was learned from it: tables, the rates of each split, cards of models, the completed
config. Of the data it contains digests.
"""

import importlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fkd.errors import FkdError
from fkd.report.comparison import Run, find_results
from fkd.storage.atomic import writing
from fkd.storage.files import natural_order, printable
from fkd.storage.manifest import sha256
from fkd.study.provenance import RUN, RUNS

VERSION = "1.1"
"""The version of the specification that the profile of a run is made for."""

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"

NOT_STATED = "not stated: ask those who made this crate"
"""What a crate says of its license where none was given."""

SHARED = {
    "tables/*": "A table of the study, or paragraphs about its methods",
    "metrics/**/*.csv": "The error rates of a model on a set, split by split",
    "pairs/**/*.csv": "The error rates of a verifier of pairs, split by split",
    "evidence/**/*.csv": "What the thresholds and likelihood ratios of a verifier are worth",
    "models/*.md": "The card of a model, which is not in the crate itself",
    RUN: "The completed config, versions, and digests of code and of files from elsewhere",
    RUNS: "When the study ran, of which code, on which processor, and for how long",
}
"""The results that a crate contains, and what they are."""

TYPES = {
    ".md": "text/markdown",
    ".csv": "text/csv",
    ".tex": "text/x-tex",
    ".json": "application/json",
}


def write_crate(*, folder: Path, out: Path, license: str | None = None) -> None:
    """Write an RO-Crate of a finished study, for a repository of research data.

    It contains tables, rates, cards and the completed config, but no images, features or weights.
    Of data sets and models from elsewhere, it names digests.

    Parameters
    ----------
    folder : Path
        The folder of a study, or of its results.
    out : Path
        The ZIP file to write.
    license : str, optional
        The name or the address of the license under which you share the crate. By default, it says that none is
        stated.

    Raises
    ------
    FkdError
        If the study has not run to its end, if `out` has another ending, or if the library that
        writes crates is not installed.
    """
    if out.suffix != ".zip":
        raise FkdError(
            f"{printable(out)}: a crate is a ZIP file. Give it a name that ends in .zip."
        )
    crates = _library()
    results = find_results(folder)
    run = Run(str(folder), results)
    if not (run.record and run.last):
        raise FkdError(
            f"{printable(results)}: no {RUN} or {RUNS}, which the end of a run leaves. Run the study "
            "to its end first."
        )
    crate = crates.ROCrate(gen_preview=True, version=VERSION)
    crate.metadata.extra_terms["sha256"] = "https://w3id.org/ro/terms/workflow-run#sha256"
    _describe(crate, run, license or NOT_STATED)
    files = [
        crate.add_file(path, place, properties=facts) for path, place, facts in _files(results)
    ]
    crate.root_dataset["mentions"] = _action(crate, run, files)
    with writing(out) as part:
        crate.write_zip(part)


def _library() -> Any:
    try:
        return importlib.import_module("rocrate.rocrate")
    except ImportError:
        raise FkdError('Crates need a library: pip install "fkd[crate]"') from None


def _describe(crate: Any, run: Run, license: str) -> None:
    """Say what the crate is of, from when, and under which license."""
    settings = run.record["settings"]
    crate.name = settings.get("title") or "A study of offline signature verification"
    crate.description = (
        "Results of a study of offline handwritten signature verification by feature-based knowledge "
        "distillation: tables of error rates, the rates of each split, a card of each model, the "
        "completed config, versions, and digests of code and data. Images, features and weights are "
        "not part of it: they show signatures of people or were learned from them, and are shared "
        "under the terms of the data sets alone."
    )
    crate.datePublished = _began(run)
    place = license if license.startswith("https://") else "#license"
    crate.license = crate.add_jsonld(
        {"@id": place, "@type": "CreativeWork", "name": license, "description": license}
    )
    profile = {"@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    crate.root_dataset["conformsTo"] = crate.add_jsonld({"@id": PROFILE} | profile)


def _files(results: Path) -> Iterator[tuple[Path, str, dict[str, Any]]]:
    """List the files of a crate, with their places in it and what is said of them."""
    for pattern, description in SHARED.items():
        for path in sorted(results.glob(pattern), key=lambda path: natural_order(str(path))):
            place = path.relative_to(results).as_posix()
            facts = {
                "name": place,
                "description": description,
                "encodingFormat": TYPES[path.suffix],
                "contentSize": str(path.stat().st_size),
                "sha256": sha256(path),
            }
            yield path, place, facts


def _action(crate: Any, run: Run, files: list[Any]) -> Any:
    """Describe the run: the program and its versions, the data, and the files that it made."""
    versions, last = dict(run.record["versions"]), run.last
    made_by = versions.pop("fkd")
    libraries = [
        crate.add_jsonld(
            {"@id": f"#{name}", "@type": "SoftwareApplication", "name": name, "version": version}
        )
        for name, version in versions.items()
    ]
    program = {
        "@id": "#fkd",
        "@type": "SoftwareApplication",
        "name": "fkd",
        "version": made_by,
        "identifier": last["commit"] or made_by,
        "softwareRequirements": [{"@id": library.id} for library in libraries],
    }
    inputs = [crate.add_jsonld(entity) for entity in _inputs(run)]
    began = datetime.fromisoformat(_began(run))
    action = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": "The run of the study",
        "description": f"On {last['cores']} cores, {last['processor']}, commit {last['commit'] or 'unknown'}.",
        "startTime": began.isoformat(),
        "endTime": (began + timedelta(seconds=float(last["seconds"]))).isoformat(),
        "actionStatus": "http://schema.org/CompletedActionStatus",
        "instrument": {"@id": crate.add_jsonld(program).id},
        "object": [{"@id": entity.id} for entity in inputs],
        "result": [{"@id": file.id} for file in files],
    }
    return crate.add_jsonld(action)


def _inputs(run: Run) -> Iterator[dict[str, Any]]:
    """Describe what a run learned from and judged: by digests, since it is not in the crate."""
    for name, digest in run.data.items():
        yield {
            "@id": f"#{name.replace(' ', '-')}",
            "@type": "CreativeWork",
            "name": name,
            "description": "Not part of the crate. The identifier is a digest of the content.",
            "identifier": digest,
        }


def _began(run: Run) -> str:
    """Return the time at which the last run began, as ISO 8601."""
    return datetime.strptime(run.last["began"], "%Y-%m-%d %H:%M").replace(tzinfo=UTC).isoformat()
