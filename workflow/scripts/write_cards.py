"""Write the model cards."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.card import write_cards

verifiers = snakemake.input.verifiers

with stage(snakemake.log[0], snakemake.config["plugins"]):
    write_cards(
        models=[Path(path) for path in snakemake.input.models],
        teacher=next(map(Path, snakemake.input.teacher), None),
        eer=Path(snakemake.input.eer),
        data=Path(snakemake.input.data),
        verifiers=Path(verifiers[0]) if verifiers else None,
        markdown=[Path(path) for path in snakemake.output],
        **snakemake.params.settings,
    )
