"""Describe a set of signatures by a model."""

from pathlib import Path

from fkd.features import extract_features
from fkd.logs import stage

with stage(snakemake.log[0]):
    extract_features(
        model=Path(snakemake.input.model),
        signatures=Path(snakemake.input.signatures),
        out=Path(snakemake.output[0]),
        name=snakemake.wildcards.model,
        threads=snakemake.threads,
    )
