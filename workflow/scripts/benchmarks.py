"""Compare the run times of the method's steps with those of straightforward code."""

import os
import subprocess
import sys
from pathlib import Path

import fkd

# Runs in a separate process, because the measurements of memory start further processes.
with Path(snakemake.log[0]).open("w", encoding="utf-8") as log:
    subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks"),
            *("--json", snakemake.output.json),
            *("--markdown", snakemake.output.markdown),
            *("--threads", str(snakemake.threads)),
        ],
        env=os.environ | {"PYTHONPATH": str(Path(fkd.__file__).parents[1] / "tests")},
        stdout=log,
        stderr=subprocess.STDOUT,
        check=True,
    )
