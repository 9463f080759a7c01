"""What a study led to, for the last lines of a run."""

from pathlib import Path

import pandas as pd

from fkd.storage.files import printable
from fkd.study.summary import read_rates

RATE = "EER_userthresholds"
"""The rate by which the best model is the best."""


def outcome(results: Path, name: str, references: int) -> list[str]:
    """Say where the table of error rates is, which model is the best, and how to see the rest.

    Parameters
    ----------
    results : Path
        The study's folder of results.
    name : str
        The set of signatures on which the models are compared.
    references : int
        The number of references a writer.

    Returns
    -------
    list of str
        A line each; none if the run made no table.
    """
    table = results / "tables/eer.csv"
    if not table.is_file():
        return []
    rates = read_rates(table)
    here = rates[(rates["set"] == name) & (rates["references"] == references)]
    lines = [f"Error rates: {printable(results / 'tables/eer.md')}"]
    if len(here) and here[f"{RATE}_mean"].notna().any():
        lines.append(_best(here.loc[here[f"{RATE}_mean"].idxmin()], name, references))
    lines.append(
        "Everything in one file: the same command once more, with --report report.html at its end."
    )
    return lines


def _best(row: pd.Series, name: str, references: int) -> str:
    rate = f"EER {row[f'{RATE}_mean']:.2f} ± {row[f'{RATE}_sd']:.2f} %"
    place = f"{printable(name)}, NREF {references}"
    return f"Lowest on {place}: {printable(row['label'])}, {rate} with a threshold for each writer"
