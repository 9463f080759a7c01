"""Fill the measured parts of documents."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.documents import fill_documents

with stage(snakemake.log[0]):
    fill_documents(
        documents=[Path(path) for path in snakemake.output],
        parts=[Path(path) for path in snakemake.input],
        figures=Path(snakemake.params.figures),
    )
