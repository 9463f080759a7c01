"""What the Snakemake workflow catalog is promised."""

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


def test_the_catalog_is_told_how_to_run():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert set(usage) == {"mandatory-flags", "software-stack-deployment", "report"}
    assert set(usage["mandatory-flags"]) == {"desc", "flags"}
    assert usage["software-stack-deployment"]["conda"] is True
    assert usage["report"] is True
