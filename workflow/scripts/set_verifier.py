"""Set the thresholds and the calibration of a verifier."""

from pathlib import Path

from fkd.logs import stage
from fkd.verification import PairProtocol, Protocol, set_verifier

settings = dict(snakemake.params.settings)
kind = Protocol if snakemake.wildcards.verifier == "wd" else PairProtocol

with stage(snakemake.log[0], snakemake.config["plugins"]):
    set_verifier(
        development=[Path(path) for path in snakemake.input],
        out=Path(snakemake.output[0]),
        verifier=snakemake.wildcards.verifier,
        protocol=kind(**settings.pop("protocol")),
        threads=snakemake.threads,
        memory=snakemake.resources.mem_mb / 2000,
        **settings,
    )
