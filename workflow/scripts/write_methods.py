"""Write the paragraphs on methods."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.methods import write_methods
from fkd.study.study import told

SCHEMA = Path(snakemake.scriptdir).parent / "schemas/config.schema.yaml"

with stage(snakemake.log[0], snakemake.config["plugins"]):
    write_methods(
        settings=told(snakemake.config),
        data=Path(snakemake.input.data),
        models=[Path(path) for path in snakemake.input.models],
        schema=SCHEMA,
        markdown=Path(snakemake.output[0]),
    )
