"""Write the table of error rates across sets."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.verifiers import write_across
from fkd.study.students import students_of

with stage(snakemake.log[0], snakemake.config["plugins"]):
    write_across(
        metrics=[Path(path) for path in snakemake.input.metrics],
        leaks=Path(snakemake.input.leaks),
        csv=Path(snakemake.output.csv),
        markdown=Path(snakemake.output.markdown),
        title=snakemake.params.title,
        students=students_of(snakemake.params.students),
    )
