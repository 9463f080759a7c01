"""Draw the terms of the loss over the epochs."""

from pathlib import Path

from fkd.figures.losses import figure_losses
from fkd.logs import stage
from fkd.study.students import students_of

with stage(snakemake.log[0], snakemake.config["plugins"]):
    figure_losses(
        losses=[Path(path) for path in snakemake.input],
        students=students_of(snakemake.params.students),
        svg=Path(snakemake.output.svg),
        png=Path(snakemake.output.png),
    )
