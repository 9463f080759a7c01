"""Draw the pairs of which a Siamese network is surest."""

from pathlib import Path

from fkd.figures.pairs import figure_pairs
from fkd.logs import stage

with stage(snakemake.log[0], snakemake.config["plugins"]):
    figure_pairs(
        pairs=Path(snakemake.input.pairs),
        scores=Path(snakemake.input.scores),
        svg=Path(snakemake.output.svg),
        png=Path(snakemake.output.png),
    )
