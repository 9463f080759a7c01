"""Draw the error rates of each split."""

from pathlib import Path

from fkd.figures.splits import figure_splits
from fkd.logs import stage
from fkd.study.students import students_of

with stage(snakemake.log[0], snakemake.config["plugins"]):
    figure_splits(
        metrics=[Path(path) for path in snakemake.input],
        students=students_of(snakemake.params.settings["students"]),
        drawn=snakemake.params.settings["drawn"],
        svg=Path(snakemake.output.svg),
        png=Path(snakemake.output.png),
    )
