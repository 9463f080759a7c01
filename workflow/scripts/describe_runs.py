"""Describe what studies take."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.runs import describe_runs

with stage(snakemake.log[0]):
    describe_runs(
        commands=snakemake.params.commands,
        results=[Path(path).parents[1] for path in snakemake.input],
        out=Path(snakemake.output[0]),
    )
