"""Compare the models of a set over writers and seeds."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.differences import compare_models
from fkd.study.students import students_of

with stage(snakemake.log[0], snakemake.config["plugins"]):
    compare_models(
        scores=[Path(path) for path in snakemake.input],
        out=Path(snakemake.output[0]),
        students=students_of(snakemake.params.students),
        starts=snakemake.params.starts,
    )
