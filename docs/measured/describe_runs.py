"""What studies take: time, memory, and on which machine that was measured."""

from pathlib import Path

import pandas as pd

from fkd.errors import FkdError
from fkd.logs import stage
from fkd.report.run_times import COLUMNS
from fkd.storage.atomic import writing


def describe_runs(*, commands: list[str], results: list[Path], out: Path) -> None:
    """Describe the longest run of each study.

    Parameters
    ----------
    commands : list of str
        What was typed for each study.
    results : list of Path
        The study's ``results``, with ``runs.csv`` (see :func:`fkd.study.provenance.record_run`)
        and ``tables/run_times.csv``.
    out : Path
        A Markdown table.

    Raises
    ------
    FkdError
        Where a study has not been run.
    """
    rows = []
    for command, folder in zip(commands, map(Path, results), strict=True):
        try:
            # A commit such as 70e5775 is no number.
            runs = pd.read_csv(folder / "runs.csv", dtype={"commit": str}, keep_default_na=False)
            times = pd.read_csv(folder / "tables/run_times.csv")
        except FileNotFoundError as error:
            raise FkdError(f"{error.filename}: not there. Run `{command}` first.") from None
        longest = runs.loc[runs["seconds"].idxmax()]
        rows.append(
            {
                "command": f"`{command}`",
                "time": _spelled(longest["seconds"]),
                "CPU time of all jobs": _spelled(times[COLUMNS["cpu_time"]].sum()),
                "largest job (GB)": f"{times[COLUMNS['max_rss']].max() / 1000:.1f}",
                "on": f"{_counted(longest['cores'])}, {longest['processor']}",
                "date": longest["began"].partition(" ")[0],
                "commit": longest["commit"],
            }
        )
    with writing(out) as part:
        table = pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
        part.write_text(f"{table}\n", encoding="utf-8")


def _counted(cores: int) -> str:
    """Count cores, such as 1 core or 2 cores."""
    return f"{cores} core" if cores == 1 else f"{cores} cores"


def _spelled(seconds: float) -> str:
    """Spell a time, such as 1 h 5 min or 4 min 40 s."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        describe_runs(
            commands=snakemake.params.commands,
            results=[Path(path) for path in snakemake.params.results],
            out=Path(snakemake.output[0]),
        )
