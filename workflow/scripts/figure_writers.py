"""Draw the error rates of each writer."""

from pathlib import Path

from fkd.figures.writers import figure_writers
from fkd.logs import stage
from fkd.study.students import students_of

settings = dict(snakemake.params.settings)

with stage(snakemake.log[0], snakemake.config["plugins"]):
    figure_writers(
        scores=[Path(path) for path in snakemake.input],
        students=students_of(settings["students"]),
        drawn=settings["drawn"],
        svg=Path(snakemake.output.svg),
        png=Path(snakemake.output.png),
    )
