"""Draw an overview of the study."""

from pathlib import Path

from fkd.figures.pipeline import figure_pipeline
from fkd.logs import stage
from fkd.study.students import students_of

settings = dict(snakemake.params.settings)

with stage(snakemake.log[0], snakemake.config["plugins"]):
    figure_pipeline(
        pages=Path(snakemake.input.pages),
        crops=[Path(path) for path in snakemake.input.crops],
        teacher=Path(snakemake.input.teacher),
        signatures=Path(snakemake.input.signatures),
        features=Path(snakemake.input.features),
        scores=Path(snakemake.input.scores),
        metrics=[Path(path) for path in snakemake.input.metrics],
        svg=Path(snakemake.output.svg),
        png=Path(snakemake.output.png),
        students=students_of(settings.pop("students")),
        **settings,
    )
