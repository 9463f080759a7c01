"""Cut the stripes of one shard into text crops."""

from pathlib import Path

from fkd.crops import make_crops
from fkd.logs import stage

with stage(snakemake.log[0]):
    make_crops(
        stripes=Path(snakemake.input[0]),
        out=Path(snakemake.output.crops),
        quarantine=Path(snakemake.output.quarantine),
        canvases=snakemake.params.canvases,
        ratios=snakemake.params.ratios,
        ratio_per=snakemake.params.ratio_per,
        max_per_page=snakemake.params.max_per_page,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
    )
