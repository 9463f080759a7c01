"""Prepare the images of a set of signatures."""

from pathlib import Path

from fkd.logs import stage
from fkd.signatures.prepare import prepare_signatures

# Jobs that draw the data write to folders side by side.
drawn = snakemake.input.get("drawn")
with stage(snakemake.log[0], snakemake.config["plugins"]):
    prepare_signatures(
        source=Path(drawn[0]).parent if drawn else Path(snakemake.input.source),
        out=Path(snakemake.output.signatures),
        quarantine=Path(snakemake.output.quarantine),
        # Not a parameter of the rule: it can stop the stage, but does not change its result.
        max_share=snakemake.config["quarantine"]["max_share"],
        threads=snakemake.threads,
        **snakemake.params.settings,
    )
