"""Compute the teacher's responses to one shard of crops."""

from pathlib import Path

from fkd.logs import stage
from fkd.training.targets import cache_responses

with stage(snakemake.log[0], snakemake.config["plugins"]):
    cache_responses(
        crops=Path(snakemake.input.crops),
        teacher=Path(snakemake.input.teacher),
        out=Path(snakemake.output[0]),
        threads=snakemake.threads,
        **snakemake.params.settings,
    )
