"""Draw pages of handwriting."""

from pathlib import Path

from fkd.logs import stage
from fkd.synthesis import draw_pages

with stage(snakemake.log[0], snakemake.config["plugins"]):
    draw_pages(folder=Path(snakemake.output[0]), **snakemake.params.settings)
