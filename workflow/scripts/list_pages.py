"""List the pages of handwriting."""

from pathlib import Path

from fkd.logs import stage
from fkd.text.pages import list_pages

# Jobs that draw the data write to folders side by side.
drawn = snakemake.input.get("drawn")
with stage(snakemake.log[0], snakemake.config["plugins"]):
    list_pages(
        source=Path(drawn[0]).parent if drawn else Path(snakemake.input.source),
        out=Path(snakemake.output.pages),
        quarantine=Path(snakemake.output.quarantine),
        **snakemake.params.settings,
    )
