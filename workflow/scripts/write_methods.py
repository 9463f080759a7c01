"""Write the paragraphs on methods."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.methods import write_methods
from fkd.study.study import told

SCHEMA = Path(snakemake.scriptdir).parent / "schemas/config.schema.yaml"

with stage(snakemake.log[0]):
    write_methods(
        settings=told(snakemake.config),
        data=Path(snakemake.input.data),
        schema=SCHEMA,
        markdown=Path(snakemake.output[0]),
    )
