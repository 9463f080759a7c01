"""Import a teacher from published weights."""

from pathlib import Path

from fkd.logs import stage
from fkd.models.teacher import import_teacher

with stage(snakemake.log[0], snakemake.config["plugins"]):
    import_teacher(weights=Path(snakemake.input[0]), out=Path(snakemake.output[0]))
