"""Describe the networks."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.networks import describe_networks

with stage(snakemake.log[0]):
    describe_networks(out=Path(snakemake.output[0]))
