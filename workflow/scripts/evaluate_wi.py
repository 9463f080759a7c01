"""Verify the signatures of a set by pairs."""

from pathlib import Path

from fkd.logs import stage
from fkd.verification import PairProtocol, evaluate_wi

settings = dict(snakemake.params.settings)

with stage(snakemake.log[0]):
    evaluate_wi(
        features=Path(snakemake.input.features),
        development=[Path(path) for path in snakemake.input.development],
        metrics=Path(snakemake.output.metrics),
        scores=Path(snakemake.output.scores),
        verifier=snakemake.wildcards.verifier,
        protocol=PairProtocol(**settings.pop("protocol")),
        threads=snakemake.threads,
        memory=snakemake.resources.mem_mb / 2000,  # the rest is for Python, pairs and features
        **settings,
    )
