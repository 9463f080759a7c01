"""Write the tables of equal error rates."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.tables import write_tables
from fkd.study.students import students_of

with stage(snakemake.log[0], snakemake.config["plugins"]):
    write_tables(
        metrics=[Path(path) for path in snakemake.input.metrics],
        differences=[Path(path) for path in snakemake.input.differences],
        leaks=Path(snakemake.input.leaks),
        csv=Path(snakemake.output.csv),
        markdown=Path(snakemake.output.markdown),
        title=snakemake.params.title,
        students=students_of(snakemake.params.students),
        synthetic=snakemake.params.synthetic,
    )
