"""The time and memory that the stages of a run took."""

from pathlib import Path

import pandas as pd

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
    jobs = []
    for path in sorted(measured.rglob("*.tsv")):
        rows = pd.read_csv(path, sep="\t", na_values="-")
        jobs.append(rows.assign(stage=path.relative_to(measured).parts[0].removesuffix(".tsv")))
    by_stage = pd.concat(jobs).groupby("stage")
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
