"""Write a table of the paper with the published values and those of the study."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.paper_tables import write_paper_table
from fkd.study.students import students_of

with stage(snakemake.log[0]):
    write_paper_table(
        table=int(snakemake.wildcards.table),
        metrics=[Path(path) for path in snakemake.input],
        csv=Path(snakemake.output.csv),
        markdown=Path(snakemake.output.markdown),
        latex=Path(snakemake.output.latex),
        title=snakemake.params.title,
        students=students_of(snakemake.params.students),
        synthetic=snakemake.params.synthetic,
    )
