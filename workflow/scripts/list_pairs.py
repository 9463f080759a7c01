"""List pairs of signatures."""

from pathlib import Path

from fkd.logs import stage
from fkd.pairs.drawing import Draw
from fkd.pairs.listing import Source, list_pairs
from fkd.pairs.parts import PartShares

settings = dict(snakemake.params.settings)
source, draw = settings.pop("source"), settings.pop("draw")

with stage(snakemake.log[0], snakemake.config["plugins"]):
    list_pairs(
        name=snakemake.wildcards.pairs,
        out=Path(snakemake.output.pairs),
        quarantine=Path(snakemake.output.quarantine),
        audit=Path(snakemake.output.audit),
        source=Source(path=Path(snakemake.params.source["path"]), **source) if source else None,
        signatures=None if source else Path(snakemake.input[0]),
        draw=Draw(**draw) if draw else None,
        shares=PartShares(**settings.pop("shares")),
        # Not a parameter of the rule: it can stop the stage, but does not change its result.
        max_share=snakemake.config["quarantine"]["max_share"],
        threads=snakemake.threads,
        **settings,
    )
