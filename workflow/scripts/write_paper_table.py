"""Write a table of the paper with the published values and those of the study."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.paper_tables import write_paper_table
from fkd.study.students import students_of
from fkd.verification.protocol import Protocol

with stage(snakemake.log[0], snakemake.config["plugins"]):
    write_paper_table(
        table=int(snakemake.wildcards.table),
        metrics=[Path(path) for path in snakemake.input.metrics],
        signatures=[Path(path) for path in snakemake.input.signatures],
        layouts=snakemake.params.settings["layouts"],
        protocols={
            name: [Protocol(**protocol) for protocol in protocols]
            for name, protocols in snakemake.params.settings["protocols"].items()
        },
        leaks=Path(snakemake.input.leaks),
        csv=Path(snakemake.output.csv),
        markdown=Path(snakemake.output.markdown),
        latex=Path(snakemake.output.latex),
        title=snakemake.params.settings["title"],
        students=students_of(snakemake.params.settings["students"]),
        synthetic=snakemake.params.settings["synthetic"],
    )
