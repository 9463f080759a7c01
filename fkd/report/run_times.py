"""The time and memory that the stages of a run took."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from fkd.counting import counted
from fkd.storage.atomic import writing

COLUMNS = {
    "jobs": "jobs",
    "s": "time (s)",
    "share": "share (%)",
    "cpu_time": "CPU time (s)",
    "max_rss": "largest memory (MB)",
}
"""Headings of the table, by the columns that Snakemake measures or that are computed here."""

FORMATS = ("", ".0f", ".1f", ".1f", ".1f", ".0f")
"""Formats of the numbers, of the stage's name and then of :data:`COLUMNS`."""


def sum_up_times(*, measured: Path, csv: Path, markdown: Path) -> None:
    """Sum up the time and memory of a run's jobs, stage by stage.

    Parameters
    ----------
    measured : Path
        Folder with one table for each job: ``STAGE.tsv`` or ``STAGE/.../JOB.tsv``, with
        the columns ``s`` and ``cpu_time`` in seconds and ``max_rss`` in MB. Jobs that the
        last run did not repeat count with the time that they took earlier.
    csv : Path
        The table, one row for each stage, the longest first.
    markdown : Path
        The same for readers.
    """
    by_stage = _read(measured).groupby("stage")
    table = by_stage.agg({"s": "sum", "cpu_time": "sum", "max_rss": "max"})
    table["jobs"] = by_stage.size()
    table["share"] = 100 * table["s"] / table["s"].sum()
    table = table.sort_values("s", ascending=False)[list(COLUMNS)].rename(columns=COLUMNS)
    with writing(csv) as part:
        table.to_csv(part)
    with writing(markdown) as part:
        part.write_text(
            "# Where the time went\n\nTimes of all jobs of a stage, added up; jobs run side by "
            f"side.\n\n{table.to_markdown(floatfmt=FORMATS)}\n",
            encoding="utf-8",
        )


def expected_time(
    jobs: Iterable[str], measured: Path, cores: int, elsewhere: str | None = None
) -> str:
    """Say how long jobs will take, by what jobs of the same stages took before.

    Parameters
    ----------
    jobs : iterable of str
        The stage of each job.
    measured : Path
        Folder with the times of earlier jobs, see :func:`sum_up_times`.
    cores : int
        The number of CPU cores.
    elsewhere : str, optional
        What a whole run of the same study took on another machine, see :func:`known_run`. It is
        told where no such job has run here.

    Returns
    -------
    str
        A line for the start of a run.
    """
    stages = pd.Series(list(jobs), dtype=str)
    found = _read(measured)
    times = found.groupby("stage")[["s", "cpu_time"]].mean() if len(found) else found
    known = stages[stages.isin(times.index)]
    what = f"{counted(len(stages), 'job')} on {counted(cores, 'core')}"
    if known.empty:
        takes = "it takes" if len(stages) == 1 else "they take"
        text = f"{what}. How long {takes} is known after a first run in this folder"
        if elsewhere:
            text += f"; elsewhere, all of this study took {elsewhere}"
        return f"{text}."
    each = times.loc[known]
    # Cores share the work, but a job has none that could share with it.
    seconds = max(each["cpu_time"].fillna(each["s"]).sum() / cores, each["s"].max())
    text = f"{what}: about {in_words(seconds)}, by what such jobs took before"
    new = stages[~stages.isin(times.index)]
    if len(new):
        have = "has" if len(new) == 1 else "have"
        text += f"; not counting {len(new)} that {have} not run here ({', '.join(new.unique())})"
    return f"{text}."


def known_run(runs: Path, title: str, size: str) -> str | None:
    """Tell what a whole run of a study that comes with the project took.

    Parameters
    ----------
    runs : Path
        A CSV file with the columns ``title``, ``size``, ``seconds``, ``cores`` and ``processor``.
    title, size : str
        The study's title and size, as in its config.

    Returns
    -------
    str or None
        The time and the machine; None if the study is none of these.
    """
    table = pd.read_csv(runs)
    found = table[(table["title"] == title) & (table["size"] == size)]
    if found.empty:
        return None
    run = found.iloc[0]
    return f"{in_words(run['seconds'])} on {counted(run['cores'], 'core')}, {run['processor']}"


def in_words(seconds: float) -> str:
    """Write a time as people do, such as ``2 h 5 min``."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _read(measured: Path) -> pd.DataFrame:
    """Read the times of all jobs, with their stages."""
    jobs = []
    for path in sorted(measured.rglob("*.tsv")):
        rows = pd.read_csv(path, sep="\t", na_values="-")
        jobs.append(rows.assign(stage=path.relative_to(measured).parts[0].removesuffix(".tsv")))
    return pd.concat(jobs) if jobs else pd.DataFrame(columns=["stage", "s", "cpu_time"])
