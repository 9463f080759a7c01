"""Prepare a set of signatures."""

from pathlib import Path

from fkd.datasets import prepare_signatures
from fkd.logs import stage

with stage(snakemake.log[0]):
    prepare_signatures(
        name=snakemake.wildcards.name,
        source=Path(snakemake.input[0]),
        layout=snakemake.params.layout,
        out=Path(snakemake.output.signatures),
        quarantine=Path(snakemake.output.quarantine),
        expected=snakemake.params.expected,
        threshold=snakemake.params.threshold,
        max_pixels=snakemake.params.max_pixels,
        max_share=snakemake.params.max_share,
        threads=snakemake.threads,
        **snakemake.params.patterns,
    )
