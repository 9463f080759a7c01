"""Draw error rates against the number of references."""

from pathlib import Path

from fkd.figures.references import figure_references
from fkd.logs import stage
from fkd.study.students import students_of

with stage(snakemake.log[0], snakemake.config["plugins"]):
    figure_references(
        metrics=[Path(path) for path in snakemake.input],
        students=students_of(snakemake.params.settings["students"]),
        drawn=snakemake.params.settings["drawn"],
        svg=Path(snakemake.output.svg),
        png=Path(snakemake.output.png),
    )
