"""Measure how a model's feature map differs within the writers of a set."""

from pathlib import Path

from fkd.logs import stage
from fkd.models.whitening import fit_whitening

with stage(snakemake.log[0], snakemake.config["plugins"]):
    fit_whitening(
        weights=Path(snakemake.input.weights),
        signatures=Path(*snakemake.input.signatures),
        out=Path(snakemake.output[0]),
        maps=snakemake.params.maps,
        threads=snakemake.threads,
    )
