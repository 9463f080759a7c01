"""Tell drawn signatures from those of people."""

from pathlib import Path

from fkd.figures.realism import compare_drawn
from fkd.logs import stage

with stage(snakemake.log[0], snakemake.config["plugins"]):
    compare_drawn(
        signatures=[Path(path) for path in snakemake.input],
        csv=Path(snakemake.output.csv),
        markdown=Path(snakemake.output.markdown),
        svg=Path(snakemake.output.svg),
        png=Path(snakemake.output.png),
        **snakemake.params.settings,
    )
