"""Write the paragraphs on methods."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.methods import write_methods

with stage(snakemake.log[0]):
    write_methods(
        settings=snakemake.params.settings,
        data=Path(snakemake.input.data),
        schema=Path(snakemake.scriptdir).parent / "schemas/config.schema.yaml",
        markdown=Path(snakemake.output[0]),
    )
