"""Write the table of thresholds set beforehand and of evidence."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.verifiers import write_verifiers
from fkd.study.students import students_of

with stage(snakemake.log[0], snakemake.config["plugins"]):
    write_verifiers(
        evidence=[Path(path) for path in snakemake.input.evidence],
        leaks=Path(snakemake.input.leaks),
        csv=Path(snakemake.output.csv),
        markdown=Path(snakemake.output.markdown),
        students=students_of(snakemake.params.students),
        **snakemake.params.settings,
    )
