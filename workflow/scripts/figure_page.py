"""Draw a page with its stripes and the intervals of its text crops."""

from pathlib import Path

from fkd.figures.page import figure_page
from fkd.logs import stage

with stage(snakemake.log[0], snakemake.config["plugins"]):
    figure_page(
        stripes=[Path(path) for path in snakemake.input.stripes],
        crops=[Path(path) for path in snakemake.input.crops],
        svg=Path(snakemake.output.svg),
        png=Path(snakemake.output.png),
        seed=snakemake.params.seed,
    )
