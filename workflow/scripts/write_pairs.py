"""Write the tables of Siamese networks on pairs."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.pairs import write_pairs
from fkd.study.siamese import siamese_of

with stage(snakemake.log[0], snakemake.config["plugins"]):
    write_pairs(
        rates=[Path(path) for path in snakemake.input.rates],
        audits=[Path(path) for path in snakemake.input.audits],
        siamese=siamese_of(snakemake.params.siamese),
        csv=Path(snakemake.output.csv),
        markdown=Path(snakemake.output.markdown),
        audit_csv=Path(snakemake.output.audit_csv),
        audit_markdown=Path(snakemake.output.audit_markdown),
        title=snakemake.params.title,
    )
