"""Write a table as an HTML page."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.hypertext import write_hypertext

with stage(snakemake.log[0], snakemake.config["plugins"]):
    write_hypertext(markdown=Path(snakemake.input[0]), out=Path(snakemake.output[0]))
