"""Compute a model's features of the signatures of a set."""

from pathlib import Path

from fkd.logs import stage
from fkd.models.features import extract_features

with stage(snakemake.log[0], snakemake.config["plugins"]):
    extract_features(
        model=Path(snakemake.input.model),
        signatures=Path(snakemake.input.signatures),
        out=Path(snakemake.output[0]),
        name=snakemake.wildcards.model,
        foreign=snakemake.params.source is not None,
        threads=snakemake.threads,
    )
