"""Ask the teacher what it says of one shard of crops."""

from pathlib import Path

from fkd.logs import stage
from fkd.training.targets import cache_teacher

with stage(snakemake.log[0]):
    cache_teacher(
        crops=Path(snakemake.input.crops),
        teacher=Path(snakemake.input.teacher),
        threads=snakemake.threads,
        **{kind: Path(path) for kind, path in snakemake.output.items()},
        **snakemake.params.settings,
    )
