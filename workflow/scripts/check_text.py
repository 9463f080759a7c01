"""Check how many pages and crops were set aside."""

from pathlib import Path

from fkd.logs import stage
from fkd.text.check import check_text

with stage(snakemake.log[0], snakemake.config["plugins"]):
    check_text(
        pages=Path(snakemake.input.pages),
        crops=[Path(path) for path in snakemake.input.crops],
        page_lists=[Path(path) for path in snakemake.input.page_lists],
        crop_lists=[Path(path) for path in snakemake.input.crop_lists],
        out=Path(snakemake.output[0]),
        max_share=snakemake.params.max_share,
    )
