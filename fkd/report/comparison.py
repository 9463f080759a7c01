"""Runs of studies side by side: what differs between them, and their error rates.

A run is known by what it left: ``run.json`` says its settings, code and versions, shards say their
data, and ``eer.csv`` its rates. Where two runs judged a model on the same splits of the same
signatures, the difference of their rates is tested.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from fkd.errors import FkdError
from fkd.ranges import Count, checked
from fkd.report.differences import STATISTICS, read_trials
from fkd.storage import shards
from fkd.storage.atomic import writing
from fkd.storage.files import natural_order, printable, printable_lines
from fkd.study.markup import code_markdown, escape_markdown
from fkd.study.models import in_order
from fkd.study.provenance import RUN, RUNS
from fkd.study.replicates import Replicate
from fkd.study.summary import SIGNIFICANCE, over_seeds, read_rates, read_splits
from fkd.verification.bootstrap import Interval, difference
from fkd.verification.significance import wilcoxon

RATE = "EER_userthresholds"
"""The rate that is shown and tested."""

NONE = "–"


@checked
def compare_runs(*, runs: list[Path], out: Path | None = None, resamples: Count = 500) -> None:
    """Compare runs of studies: settings, code, versions, processor, data and error rates.

    Differences are those of each run to the first, and are tested where the splits are the same: by
    Wilcoxon's test over splits, and by a bootstrap that draws the same writers for both.

    Parameters
    ----------
    runs : list of Path
        The folders of two or more studies, or of their results.
    out : Path, optional
        The Markdown file to write; by default, the comparison is printed.
    resamples : int
        The number of draws of writers.

    Raises
    ------
    FkdError
        If there are fewer than two runs, or one has no table of error rates.
    """
    folders = [find_results(path) for path in runs]
    if len({folder.resolve() for folder in folders}) < 2:
        raise FkdError("compare needs the folders of two different runs, or of more.")
    found = [Run(str(path), folder) for path, folder in zip(runs, folders, strict=True)]
    text = "\n\n".join(_comparison(found, resamples)) + "\n"
    if out is None:
        print(printable_lines(text), end="")
    else:
        with writing(out) as part:
            part.write_text(text, encoding="utf-8")


def find_results(path: Path) -> Path:
    """Find the results of a run.

    Parameters
    ----------
    path : Path
        The folder of a study, or of its results.

    Raises
    ------
    FkdError
        If there is no table of error rates.
    """
    path = Path(path)
    for folder in (path / "results", path):
        if (folder / "tables/eer.csv").is_file():
            return folder
    raise FkdError(
        f"{printable(path)}: no run of a study, which leaves results/tables/eer.csv. Run the study "
        "to its end first."
    )


@dataclass(frozen=True)
class Run:
    """What a run left.

    Attributes
    ----------
    name : str
        The folder, as it was given.
    folder : Path
        The folder of the results.
    """

    name: str
    folder: Path

    @cached_property
    def record(self) -> Mapping[str, Any]:
        """What the run says of itself; empty for runs of versions that did not."""
        path = self.folder / RUN
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise FkdError(f"{printable(path)}: no record of a run ({error}).") from None
        return content if isinstance(content, dict) else {}

    @cached_property
    def last(self) -> Mapping[str, str]:
        """The last row of ``runs.csv``: when, how long, on which processor, of which commit."""
        path = self.folder / RUNS
        if not path.is_file():
            return {}
        try:
            rows = pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")
        except ValueError as error:  # pandas' own errors are ValueErrors
            raise FkdError(f"{printable(path)}: no list of runs ({error}).") from None
        return rows[-1] if rows else {}

    @cached_property
    def table(self) -> pd.DataFrame:
        """The rates of ``eer.csv``, by set, number of references and model."""
        path = self.folder / "tables/eer.csv"
        rates = read_rates(path)
        for column in ("label", f"{RATE}_mean", f"{RATE}_sd"):
            if column not in rates:
                raise FkdError(f"{printable(path)}: no table of a study (it has no {column}).")
        return rates.set_index(["set", "references", "model"])

    @cached_property
    def data(self) -> dict[str, str]:
        """A digest of each set of signatures, of all text crops, and of files from elsewhere."""
        found = dict(self.record.get("inputs", {}))
        found |= {
            f"signatures of {path.stem}": shards.digest(np.array(_digests(path, "image", "file")))
            for path in sorted((self.folder / "signatures").glob("*.h5"))
        }
        crops = sorted(
            (self.folder / "crops").glob("*.h5"), key=lambda path: natural_order(path.name)
        )
        if crops:
            found["text crops"] = shards.digest(
                np.array([value for path in crops for value in _digests(path, "image", "writer")])
            )
        return found

    def scores(self, name: str, references: int) -> dict[str, list[Path]]:
        """List the shards of scores of each model on a set, one for each seed."""
        found: dict[str, list[Path]] = {}
        paths = sorted((self.folder / f"scores/{name}").glob(f"*-{references}.h5"))
        for path in sorted(paths, key=lambda path: natural_order(path.name)):
            model = path.stem.rpartition("-")[0]
            found.setdefault(Replicate.of(model).model, []).append(path)
        return found

    def splits(self, name: str, references: int, model: str) -> str:
        """Compute a digest of which signatures of a set a model was judged on in each split."""
        path = self.scores(name, references)[model][0]
        rows = _digests(path, "split", "writer", "row", "forgery", "references")
        judged = _digests(self.folder / f"signatures/{name}.h5", "file", "writer", "forgery")
        return shards.digest(np.array([*rows, *judged]))


def _digests(path: Path, *names: str) -> list[str]:
    """Read the digests of a shard's arrays, without the arrays."""
    with shards.opened(path, None, names) as shard:
        return [shard.digests[name] for name in names]


def _comparison(runs: list[Run], resamples: int) -> Iterator[str]:
    """Yield the paragraphs of the comparison, in Markdown."""
    yield "# Runs compared"
    yield _in_columns(
        runs, {name: [run.last.get(name) for run in runs] for name in _names(r.last for r in runs)}
    )
    if silent := [run.name for run in runs if not run.record]:
        yield (
            f"Of {escape_markdown(', '.join(silent))} neither settings nor code are known: another "
            f"version made it, which left no {RUN}."
        )
    known = [run for run in runs if run.record]
    for title, key in (("Settings", "settings"), ("Code", "code"), ("Versions", "versions")):
        yield f"## {title}"
        yield _differing(known, lambda run, key=key: _leaves(run.record.get(key, {})))
    yield "## Data"
    yield _differing(runs, lambda run: run.data)
    yield "## EER (%) with a threshold for each writer"
    yield from _rates(runs, resamples)


def _names(mappings: Iterable[Mapping[str, Any]]) -> list[str]:
    """List the keys of several mappings, each once."""
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Flatten settings, to their values by dotted keys."""
    if not isinstance(value, dict) or not value:
        return {path: value}
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= _leaves(inner, f"{path}.{key}" if path else str(key))
    return found


def _differing(runs: list[Run], what: Callable[[Run], Mapping[str, Any]]) -> str:
    """Tabulate what differs between runs, or say that nothing does."""
    if len(runs) < 2:
        return "Not known."
    values = [what(run) for run in runs]
    missing, rows = object(), {}
    for key in sorted(_names(values), key=natural_order):
        given = [value.get(key, missing) for value in values]
        if any(one != given[0] for one in given[1:]):
            rows[key] = [None if one is missing else _in_short(one) for one in given]
    return _in_columns(runs, rows) if rows else "No difference."


def _in_short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _in_columns(runs: list[Run], rows: Mapping[str, list[str | None]]) -> str:
    """Tabulate values: a row for each key, a column for each run."""
    cells = [
        [code_markdown(key), *(NONE if cell is None else escape_markdown(str(cell)) for cell in of)]
        for key, of in rows.items()
    ]
    headings = ["", *(escape_markdown(run.name) for run in runs)]
    return pd.DataFrame(cells, columns=range(len(headings))).to_markdown(
        index=False, headers=headings, disable_numparse=True
    )


def _rates(runs: list[Run], resamples: int) -> Iterator[str]:
    """Tabulate the rates of all models by set and NREF, with the differences to the first run."""
    places = list(dict.fromkeys(place[:2] for run in runs for place in run.table.index))
    work = [
        (*place, model)
        for place in places
        for model in in_order(
            {model for run in runs for *at, model in run.table.index if tuple(at) == place}
        )
    ]
    cells: dict[tuple, list[list[str]]] = {}
    for name, references, model in tqdm(work, "comparing", unit="model", disable=None):
        row = [_label(runs, (name, references, model))]
        for run in runs:
            row.append(_rate(run, (name, references, model)))
        for run in runs[1:]:
            row.append(_change(runs[0], run, name, references, model, resamples))
        cells.setdefault((name, references), []).append(row)
    first = escape_markdown(runs[0].name)
    headings = ["model", *(escape_markdown(run.name) for run in runs)]
    headings += [f"{escape_markdown(run.name)} less {first}" for run in runs[1:]]
    for (name, references), rows in cells.items():
        yield f"### {escape_markdown(name)}, NREF {references}"
        yield pd.DataFrame(rows, columns=range(len(headings))).to_markdown(
            index=False, headers=headings, disable_numparse=True
        )
    yield (
        "Mean ± standard deviation over the splits. Differences are in points, with their 95 % "
        "interval and p over the judged writers, whom the bootstrap draws for both runs alike, and "
        "with p of Wilcoxon's signed-rank test over the splits; \\* marks an interval without 0. "
        "Only models that were judged on the same splits of the same signatures are tested. Each "
        "model of one seed was trained once: the noise of training is not in the interval, and two "
        f"runs of one study may differ by it. No p below {SIGNIFICANCE} is proof by itself where "
        "many models are compared."
    )


def _label(runs: list[Run], place: tuple) -> str:
    """Name a model as the tables do."""
    labels = [run.table.loc[place, "label"] for run in runs if place in run.table.index]
    return escape_markdown(labels[0])


def _rate(run: Run, place: tuple) -> str:
    """Give a model's rate and its deviation, or a dash."""
    if place not in run.table.index:
        return NONE
    row = run.table.loc[place]
    return f"{row[f'{RATE}_mean']:.2f} ± {row[f'{RATE}_sd']:.2f}"


def _change(first: Run, run: Run, name: str, references: int, model: str, resamples: int) -> str:
    """Give the difference of a model's rates in two runs, tested if its splits are the same."""
    place = name, references, model
    if not (place in first.table.index and place in run.table.index):
        return NONE
    change = run.table.loc[place, f"{RATE}_mean"] - first.table.loc[place, f"{RATE}_mean"]
    if any(model not in one.scores(name, references) for one in (first, run)):
        return f"{change:+.2f}, not tested: no scores"
    if first.splits(*place) != run.splits(*place):
        return f"{change:+.2f}, not tested: other splits"
    found, p = _tested(first, run, name, references, model, resamples)
    mark = " \\*" * (found.low > 0 or found.high < 0)
    ends = f"{100 * found.low:+.2f} to {100 * found.high:+.2f}"
    over_splits = "" if np.isnan(p) else f"; splits p {p:.3f}"
    return f"{change:+.2f} ({ends}; p {found.p:.3f}{over_splits}){mark}"


def _tested(
    first: Run, run: Run, name: str, references: int, model: str, resamples: int
) -> tuple[Interval, float]:
    """Test the difference of a model's rates: over writers and seeds, and over splits."""
    trials, rates = [], []
    for one in (run, first):
        paths = one.scores(name, references)[model]
        trials.append([read_trials(path)[1][RATE] for path in paths])
        metrics = [one.folder / f"metrics/{name}/{path.stem}.csv" for path in paths]
        by_split = over_seeds(read_splits(metrics)).sort_values("split")
        rates.append(by_split[RATE].to_numpy())
    found = difference(STATISTICS[RATE], *trials, resamples=resamples)
    return found, wilcoxon(*rates)
