"""List the pages of handwriting."""

from pathlib import Path

from fkd.logs import stage
from fkd.text.pages import list_pages

with stage(snakemake.log[0], snakemake.config["plugins"]):
    list_pages(
        source=Path(snakemake.input[0]),
        out=Path(snakemake.output.pages),
        quarantine=Path(snakemake.output.quarantine),
        **snakemake.params.settings,
    )
