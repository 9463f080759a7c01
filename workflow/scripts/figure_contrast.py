"""Draw the contrast of the teacher's feature maps beside that of the students'."""

from pathlib import Path

from fkd.figures.contrast import figure_contrast
from fkd.logs import stage
from fkd.study.students import students_of

settings = dict(snakemake.params.settings)

with stage(snakemake.log[0], snakemake.config["plugins"]):
    figure_contrast(
        signatures=Path(snakemake.input.signatures),
        teacher=Path(snakemake.input.teacher),
        weights={Path(path).parent.name: Path(path) for path in snakemake.input.students},
        svg=Path(snakemake.output.svg),
        png=Path(snakemake.output.png),
        students=students_of(settings.pop("students")),
        **settings,
    )
