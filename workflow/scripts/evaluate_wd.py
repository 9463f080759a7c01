"""Verify the signatures of a set by a model's features."""

from pathlib import Path

from fkd.logs import stage
from fkd.verification import Protocol, evaluate_wd

settings = dict(snakemake.params.settings)

with stage(snakemake.log[0], snakemake.config["plugins"]):
    evaluate_wd(
        features=Path(snakemake.input[0]),
        metrics=Path(snakemake.output.metrics),
        scores=Path(snakemake.output.scores),
        protocol=Protocol(**settings.pop("protocol")),
        threads=snakemake.threads,
        memory=snakemake.resources.mem_mb / 2000,  # the rest is for Python, Snakemake and features
        **settings,
    )
