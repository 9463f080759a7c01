"""Write a student with random weights."""

from pathlib import Path

from fkd.logs import stage
from fkd.study.parts import Networks
from fkd.training.stages import random_student

with stage(snakemake.log[0], snakemake.config["plugins"]):
    random_student(
        out=Path(snakemake.output[0]),
        networks=Networks(**snakemake.params.networks),
        **snakemake.params.settings,
    )
