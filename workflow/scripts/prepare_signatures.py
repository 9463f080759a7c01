"""Prepare a set of signatures."""

from pathlib import Path

from fkd.logs import stage
from fkd.signatures.prepare import prepare_signatures

with stage(snakemake.log[0]):
    prepare_signatures(
        name=snakemake.wildcards.name,
        source=Path(snakemake.input[0]),
        out=Path(snakemake.output.signatures),
        quarantine=Path(snakemake.output.quarantine),
        # No parameter: it decides whether there is a prepared set, not what is in it.
        max_share=snakemake.config["quarantine"]["max_share"],
        threads=snakemake.threads,
        **snakemake.params.settings,
    )
