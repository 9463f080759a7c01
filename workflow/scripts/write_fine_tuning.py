"""Write the table of fine-tuning."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.fine_tuning import write_fine_tuning
from fkd.study.siamese import siamese_of

with stage(snakemake.log[0], snakemake.config["plugins"]):
    write_fine_tuning(
        differences=[Path(path) for path in snakemake.input.differences],
        siamese=siamese_of(snakemake.params.siamese),
        csv=Path(snakemake.output.csv),
        markdown=Path(snakemake.output.markdown),
        **snakemake.params.settings,
    )
