"""Time the steps of the method beside straightforward code."""

import os
import subprocess
import sys
from pathlib import Path

import fkd

# In a process of its own: measures of memory start further ones.
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
