"""Sum up the run times of the stages."""

from pathlib import Path

from fkd.logs import stage
from fkd.report.run_times import sum_up_times

with stage(snakemake.log[0], snakemake.config["plugins"]):
    sum_up_times(
        measured=Path(snakemake.params.measured),
        csv=Path(snakemake.output.csv),
        markdown=Path(snakemake.output.markdown),
    )
