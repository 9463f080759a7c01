"""Verify a set of signatures by a model's features."""

from pathlib import Path

from fkd.logs import stage
from fkd.verification import evaluate_wd

with stage(snakemake.log[0]):
    evaluate_wd(
        features=Path(snakemake.input[0]),
        metrics=Path(snakemake.output.metrics),
        scores=Path(snakemake.output.scores),
        references=int(snakemake.wildcards.references),
        threads=snakemake.threads,
        memory_mb=snakemake.resources.mem_mb // 2,  # the rest: Python, Snakemake, the features
        **snakemake.params.settings,
    )
