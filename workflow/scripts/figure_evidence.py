"""Draw what the likelihood ratios of a verifier are worth on a judged set."""

from pathlib import Path

from fkd.figures.evidence import figure_evidence
from fkd.logs import stage
from fkd.study.students import students_of

with stage(snakemake.log[0], snakemake.config["plugins"]):
    figure_evidence(
        scores=Path(snakemake.input.scores),
        verifier=Path(snakemake.input.verifier),
        students=students_of(snakemake.params.settings["students"]),
        drawn=snakemake.params.settings["drawn"],
        svg=Path(snakemake.output.svg),
        png=Path(snakemake.output.png),
    )
