"""Ask the teacher's geometry of one shard of crops."""

from pathlib import Path

from fkd.cache import cache_geometry
from fkd.logs import stage

with stage(snakemake.log[0]):
    cache_geometry(
        crops=Path(snakemake.input.crops),
        teacher=Path(snakemake.input.teacher),
        out=Path(snakemake.output[0]),
        maps=snakemake.params.maps,
        radius=snakemake.params.radius,
        device=snakemake.params.device,
        threads=snakemake.threads,
    )
