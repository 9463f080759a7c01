"""Measure the geometry of the teacher's feature maps for one shard of crops."""

from pathlib import Path

from fkd.logs import stage
from fkd.training.targets import cache_geometry

with stage(snakemake.log[0], snakemake.config["plugins"]):
    cache_geometry(
        crops=Path(snakemake.input.crops),
        teacher=Path(snakemake.input.teacher),
        out=Path(snakemake.output[0]),
        threads=snakemake.threads,
        **snakemake.params.settings,
    )
