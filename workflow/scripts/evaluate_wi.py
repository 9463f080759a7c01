"""Verify the signatures of a set by pairs."""

from pathlib import Path

from fkd.logs import stage
from fkd.verification import PairProtocol, evaluate_wi

machine = snakemake.input.get("machine")

with stage(snakemake.log[0], snakemake.config["plugins"]):
    evaluate_wi(
        features=Path(snakemake.input.features),
        machine=Path(machine) if machine else None,
        metrics=Path(snakemake.output.metrics),
        scores=Path(snakemake.output.scores),
        verifier=snakemake.wildcards.verifier,
        protocol=PairProtocol(**snakemake.params.protocol),
        threads=snakemake.threads,
    )
