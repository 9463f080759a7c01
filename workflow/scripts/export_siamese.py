"""Export a Siamese network with its comparison."""

from pathlib import Path

from fkd.logs import stage
from fkd.models.export import export_siamese

with stage(snakemake.log[0], snakemake.config["plugins"]):
    export_siamese(
        weights=Path(snakemake.input[0]),
        out=Path(snakemake.output[0]),
        name=snakemake.wildcards.siamese,
    )
