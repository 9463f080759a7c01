"""Draw the error curves of all models for one set and one number of references."""

from pathlib import Path

from fkd.figures.curves import figure_curves
from fkd.logs import stage
from fkd.study.students import students_of

with stage(snakemake.log[0], snakemake.config["plugins"]):
    figure_curves(
        scores=[Path(path) for path in snakemake.input],
        students=students_of(snakemake.params.settings["students"]),
        drawn=snakemake.params.settings["drawn"],
        svg=Path(snakemake.output.svg),
        png=Path(snakemake.output.png),
    )
