"""Draw the spanning trees of the teacher's feature maps over a signature."""

from pathlib import Path

from fkd.figures.tree import figure_tree
from fkd.logs import stage

with stage(snakemake.log[0], snakemake.config["plugins"]):
    figure_tree(
        signatures=Path(snakemake.input.signatures),
        teacher=Path(snakemake.input.teacher),
        svg=Path(snakemake.output.svg),
        png=Path(snakemake.output.png),
        **snakemake.params.settings,
    )
