"""Cut the pages of one shard into stripes."""

from pathlib import Path

from fkd.logs import stage
from fkd.text.stripes import segment_pages

with stage(snakemake.log[0], snakemake.config["plugins"]):
    segment_pages(
        pages=Path(snakemake.input[0]),
        shard=int(snakemake.wildcards.shard),
        out=Path(snakemake.output.stripes),
        quarantine=Path(snakemake.output.quarantine),
        threads=snakemake.threads,
        **snakemake.params.settings,
    )
