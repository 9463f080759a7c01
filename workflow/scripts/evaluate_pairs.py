"""Judge a Siamese network on pairs."""

from pathlib import Path

from fkd.logs import stage
from fkd.pairs.evaluation import evaluate_pairs

with stage(snakemake.log[0], snakemake.config["plugins"]):
    evaluate_pairs(
        pairs=Path(snakemake.input.pairs),
        weights=Path(snakemake.input.weights),
        out=Path(snakemake.output.rates),
        scores=Path(snakemake.output.scores),
        name=snakemake.wildcards.siamese,
        device=snakemake.params.device,
        threads=snakemake.threads,
    )
