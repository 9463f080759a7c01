"""Compare the appearance of text crops with that of signatures."""

from pathlib import Path

from fkd.figures.appearance import compare_appearance
from fkd.logs import stage

with stage(snakemake.log[0], snakemake.config["plugins"]):
    compare_appearance(
        crops=[Path(path) for path in snakemake.input.crops],
        signatures=[Path(path) for path in snakemake.input.signatures],
        csv=Path(snakemake.output.csv),
        markdown=Path(snakemake.output.markdown),
        svg=Path(snakemake.output.svg),
        png=Path(snakemake.output.png),
        seed=snakemake.params.seed,
    )
