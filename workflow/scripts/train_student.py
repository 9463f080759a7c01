"""Train a student."""

from pathlib import Path

from fkd.logs import stage
from fkd.study.parts import Networks
from fkd.study.students import Student
from fkd.training.recipe import Recipe
from fkd.training.stages import train_student

settings = dict(snakemake.params.settings)

with stage(snakemake.log[0], snakemake.config["plugins"]):
    train_student(
        crops=[Path(path) for path in snakemake.input.crops],
        responses=[Path(path) for path in snakemake.input.responses],
        geometry=[Path(path) for path in snakemake.input.geometry],
        teacher=Path(snakemake.input.teacher) if snakemake.input.teacher else None,
        out=Path(snakemake.output.weights),
        losses=Path(snakemake.output.losses),
        checkpoint=Path(snakemake.params.checkpoint),
        recipe=Recipe(**snakemake.params.recipe),
        memory=snakemake.resources.mem_mb / 1000,
        threads=snakemake.threads,
        networks=Networks(**snakemake.params.networks),
        student=Student.from_settings(settings.pop("student")),
        **settings,
    )
