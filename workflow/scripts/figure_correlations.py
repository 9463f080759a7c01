"""Draw how students' feature elements correlate with the teacher's."""

from pathlib import Path

from fkd.figures.correlations import figure_correlations
from fkd.logs import stage
from fkd.study.students import students_of

with stage(snakemake.log[0], snakemake.config["plugins"]):
    figure_correlations(
        teacher=Path(snakemake.input.teacher),
        features=[Path(path) for path in snakemake.input.features],
        students=students_of(snakemake.params.students),
        svg=Path(snakemake.output.svg),
        png=Path(snakemake.output.png),
    )
