"""Export a model as ONNX."""

from pathlib import Path

from fkd.export import export_onnx
from fkd.logs import stage

with stage(snakemake.log[0]):
    export_onnx(
        weights=Path(snakemake.input[0]),
        out=Path(snakemake.output[0]),
        name=snakemake.wildcards.model,
    )
