"""Train the machine of writer-independent verification."""

from pathlib import Path

from fkd.logs import stage
from fkd.verification import train_wi

with stage(snakemake.log[0], snakemake.config["plugins"]):
    train_wi(
        development=[Path(path) for path in snakemake.input],
        out=Path(snakemake.output[0]),
        threads=snakemake.threads,
        memory=snakemake.resources.mem_mb / 2000,  # the rest is for Python, pairs and features
        **snakemake.params.settings,
    )
