"""Check the sets of signatures together."""

from pathlib import Path

from fkd.logs import stage
from fkd.signatures.check import check_signatures

with stage(snakemake.log[0], snakemake.config["plugins"]):
    check_signatures(
        signatures=[Path(path) for path in snakemake.input.signatures],
        quarantine=[Path(path) for path in snakemake.input.quarantine],
        pairs=[Path(path) for path in snakemake.input.pairs],
        out=Path(snakemake.output[0]),
        **snakemake.params.settings,
    )
