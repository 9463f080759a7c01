"""Draw the hardest cases of one model on one set."""

from pathlib import Path

from fkd.figures.hardest import figure_hardest
from fkd.logs import stage

with stage(snakemake.log[0], snakemake.config["plugins"]):
    figure_hardest(
        signatures=Path(snakemake.input.signatures),
        scores=Path(snakemake.input.scores),
        svg=Path(snakemake.output.svg),
        png=Path(snakemake.output.png),
    )
