"""Take a model's features of the signatures of a set, which were computed elsewhere."""

from pathlib import Path

from fkd.logs import stage
from fkd.models.elsewhere import import_features

with stage(snakemake.log[0], snakemake.config["plugins"]):
    import_features(
        features=Path(snakemake.input.features),
        signatures=Path(snakemake.input.signatures),
        out=Path(snakemake.output[0]),
        name=snakemake.wildcards.model,
    )
