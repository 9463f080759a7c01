"""Ask the teacher's responses of one shard of crops."""

from pathlib import Path

from fkd.cache import cache_responses
from fkd.logs import stage

with stage(snakemake.log[0]):
    cache_responses(
        crops=Path(snakemake.input.crops),
        teacher=Path(snakemake.input.teacher),
        out=Path(snakemake.output[0]),
        device=snakemake.params.device,
        threads=snakemake.threads,
    )
