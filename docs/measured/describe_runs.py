"""What studies take: time, memory, and on which machine that was measured."""

import json
from pathlib import Path

import pandas as pd

from fkd.counting import counted
from fkd.errors import FkdError
from fkd.logs import stage
from fkd.report.run_times import COLUMNS, in_words
from fkd.storage.atomic import writing
from fkd.study.provenance import RUN


def describe_runs(*, commands: list[str], results: list[Path], out: Path, known: Path) -> None:
    """Describe the longest run of each study.

    Parameters
    ----------
    commands : list of str
        What was typed for each study.
    results : list of Path
        The study's ``results``, with ``runs.csv`` and ``run.json`` (see
        :mod:`fkd.study.provenance`) and ``tables/run_times.csv``.
    out : Path
        A Markdown table.
    known : Path
        The CSV file from which a first run elsewhere tells how long it takes, see
        :func:`fkd.report.run_times.known_run`.

    Raises
    ------
    FkdError
        Where a study has not been run.
    """
    rows, studies = [], []
    for command, folder in zip(commands, map(Path, results), strict=True):
        try:
            # A commit such as 70e5775 is no number.
            runs = pd.read_csv(folder / "runs.csv", dtype={"commit": str}, keep_default_na=False)
            times = pd.read_csv(folder / "tables/run_times.csv")
            settings = json.loads((folder / RUN).read_text(encoding="utf-8"))["settings"]
        except FileNotFoundError as error:
            raise FkdError(f"{error.filename}: not there. Run `{command}` first.") from None
        longest = runs.loc[runs["seconds"].idxmax()]
        rows.append(
            {
                "command": f"`{command}`",
                "time": in_words(longest["seconds"]),
                "CPU time of all jobs": in_words(times[COLUMNS["cpu_time"]].sum()),
                "largest job (GB)": f"{times[COLUMNS['max_rss']].max() / 1000:.1f}",
                "on": f"{counted(longest['cores'], 'core')}, {longest['processor']}",
                "date": longest["began"].partition(" ")[0],
                "commit": longest["commit"],
            }
        )
        studies.append(
            {key: settings[key] for key in ("title", "size")}
            | {key: longest[key] for key in ("seconds", "cores", "processor")}
        )
    with writing(known) as part:
        pd.DataFrame(studies).to_csv(part, index=False)
    with writing(out) as part:
        table = pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
        part.write_text(f"{table}\n", encoding="utf-8")


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        describe_runs(
            commands=snakemake.params.commands,
            results=[Path(path) for path in snakemake.params.results],
            out=Path(snakemake.output.table),
            known=Path(snakemake.output.known),
        )
