"""Draw how the scores of a model are distributed."""

from pathlib import Path

from fkd.figures.scores import figure_scores
from fkd.logs import stage
from fkd.study.students import students_of

settings = dict(snakemake.params.settings)

with stage(snakemake.log[0], snakemake.config["plugins"]):
    figure_scores(
        scores=Path(snakemake.input[0]),
        students=students_of(settings["students"]),
        drawn=settings["drawn"],
        svg=Path(snakemake.output.svg),
        png=Path(snakemake.output.png),
    )
