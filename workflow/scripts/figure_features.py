"""Draw a map of a model's features of a set."""

from pathlib import Path

from fkd.figures.features import figure_features
from fkd.logs import stage
from fkd.study.students import students_of

settings = dict(snakemake.params.settings)

with stage(snakemake.log[0], snakemake.config["plugins"]):
    figure_features(
        features=Path(snakemake.input[0]),
        students=students_of(settings["students"]),
        drawn=settings["drawn"],
        svg=Path(snakemake.output.svg),
        png=Path(snakemake.output.png),
    )
