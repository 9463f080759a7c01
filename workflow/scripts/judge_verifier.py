"""Measure a verifier's thresholds and evidence on a judged set."""

from pathlib import Path

from fkd.logs import stage
from fkd.verification import judge_verifier

with stage(snakemake.log[0], snakemake.config["plugins"]):
    judge_verifier(
        scores=[Path(path) for path in snakemake.input.scores],
        verifier=[Path(path) for path in snakemake.input.verifier],
        out=Path(snakemake.output[0]),
    )
