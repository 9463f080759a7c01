"""Draw the training of Siamese networks."""

from pathlib import Path

from fkd.figures.siamese import figure_siamese
from fkd.logs import stage

with stage(snakemake.log[0], snakemake.config["plugins"]):
    figure_siamese(
        losses=[Path(path) for path in snakemake.input],
        svg=Path(snakemake.output.svg),
        png=Path(snakemake.output.png),
    )
