"""Count the pages, crops and signatures of a study."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.data import describe_data
from fkd.verification.protocol import Protocol

settings = dict(snakemake.params.settings)
protocols = {
    name: [Protocol(**given) for given in of_set]
    for name, of_set in settings.pop("protocols").items()
}

with stage(snakemake.log[0], snakemake.config["plugins"]):
    describe_data(
        pages=next(map(Path, snakemake.input.pages), None),
        crops=[Path(path) for path in snakemake.input.crops],
        text_aside=next(map(Path, snakemake.input.text_aside), None),
        signatures=[Path(path) for path in snakemake.input.signatures],
        signatures_aside=[Path(path) for path in snakemake.input.signatures_aside],
        csv=Path(snakemake.output.csv),
        markdown=Path(snakemake.output.markdown),
        protocols=protocols,
        **settings,
    )
