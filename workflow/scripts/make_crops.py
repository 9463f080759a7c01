"""Cut the stripes of one shard into text crops."""

from pathlib import Path

from fkd.logs import stage
from fkd.text.crops import make_crops

with stage(snakemake.log[0], snakemake.config["plugins"]):
    make_crops(
        stripes=Path(snakemake.input[0]),
        out=Path(snakemake.output.crops),
        quarantine=Path(snakemake.output.quarantine),
        threads=snakemake.threads,
        **snakemake.params.settings,
    )
