"""Write the card of a model."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.card import write_card

with stage(snakemake.log[0]):
    write_card(
        model=Path(snakemake.input.model),
        teacher=Path(snakemake.input.teacher),
        eer=Path(snakemake.input.eer),
        data=Path(snakemake.input.data),
        markdown=Path(snakemake.output[0]),
        **snakemake.params.settings,
    )
