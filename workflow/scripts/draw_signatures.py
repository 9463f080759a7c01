"""Draw a set of signatures."""

from pathlib import Path

from fkd.logs import stage
from fkd.synthesis import draw_signatures

with stage(snakemake.log[0], snakemake.config["plugins"]):
    draw_signatures(folder=Path(snakemake.output[0]), **snakemake.params.settings)
