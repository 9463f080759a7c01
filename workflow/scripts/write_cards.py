"""Write the cards of the models."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.card import write_card

with stage(snakemake.log[0]):
    for model, markdown in zip(snakemake.input.models, snakemake.output, strict=True):
        write_card(
            model=Path(model),
            teacher=Path(snakemake.input.teacher),
            eer=Path(snakemake.input.eer),
            data=Path(snakemake.input.data),
            markdown=Path(markdown),
            **snakemake.params.settings,
        )
