"""Draw the hardest cases of one model on one set."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.hardest import figure_hardest

with stage(snakemake.log[0]):
    figure_hardest(
        signatures=Path(snakemake.input.signatures),
        scores=Path(snakemake.input.scores),
        svg=Path(snakemake.output.svg),
        png=Path(snakemake.output.png),
    )
