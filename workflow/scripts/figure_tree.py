"""Draw the spanning trees of the teacher's maps over a signature."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.tree import figure_tree

with stage(snakemake.log[0]):
    figure_tree(
        signatures=Path(snakemake.input.signatures),
        teacher=Path(snakemake.input.teacher),
        svg=Path(snakemake.output.svg),
        png=Path(snakemake.output.png),
        **snakemake.params.settings,
    )
