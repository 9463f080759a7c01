"""Train a Siamese network."""

from pathlib import Path

from fkd.logs import stage
from fkd.study.parts import Networks
from fkd.study.siamese import Siamese
from fkd.training.recipe import PairRecipe
from fkd.training.siamese import train_siamese

settings = dict(snakemake.params.settings)
recipe, seed, device = (settings.pop(key) for key in ("training", "seed", "device"))

with stage(snakemake.log[0], snakemake.config["plugins"]):
    train_siamese(
        pairs=Path(snakemake.input.pairs),
        start=next(map(Path, snakemake.input.start), None),
        out=Path(snakemake.output.weights),
        losses=Path(snakemake.output.losses),
        checkpoint=Path(snakemake.params.checkpoint),
        siamese=Siamese.from_settings(settings),
        networks=Networks(**snakemake.params.networks),
        recipe=PairRecipe(**recipe),
        seed=seed,
        memory=snakemake.resources.mem_mb / 1000,
        device=device,
        threads=snakemake.threads,
    )
