"""Train the teacher on the development writers."""

from pathlib import Path

from fkd.logs import stage
from fkd.study.parts import Networks
from fkd.training.recipe import Recipe
from fkd.training.stages import train_teacher

with stage(snakemake.log[0], snakemake.config["plugins"]):
    train_teacher(
        signatures=[Path(path) for path in snakemake.input.signatures],
        out=Path(snakemake.output.weights),
        losses=Path(snakemake.output.losses),
        checkpoint=Path(snakemake.params.checkpoint),
        recipe=Recipe(**snakemake.params.recipe),
        threads=snakemake.threads,
        networks=Networks(**snakemake.params.networks),
        **snakemake.params.settings,
    )
