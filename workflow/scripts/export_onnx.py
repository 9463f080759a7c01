"""Export a model as ONNX."""

from pathlib import Path

from fkd.logs import stage
from fkd.models.export import export_onnx

with stage(snakemake.log[0], snakemake.config["plugins"]):
    export_onnx(
        weights=Path(snakemake.input.weights),
        out=Path(snakemake.output[0]),
        name=snakemake.wildcards.model,
        precision=snakemake.params.precision,
        whitening=next(map(Path, snakemake.input.whitening), None),
    )
