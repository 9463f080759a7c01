"""What the Snakemake workflow catalog and a reader of the report are promised."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


def test_the_catalog_is_told_how_to_run():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert set(usage) == {"mandatory-flags", "software-stack-deployment", "report"}
    assert set(usage["mandatory-flags"]) == {"desc", "flags"}
    assert usage["software-stack-deployment"]["conda"] is True
    assert usage["report"] is True


@pytest.mark.operations
@pytest.mark.workflow
def test_the_report_is_written_offline(tmp_path):
    """The part of the smallest study that compares text with signatures, and its report."""
    (tmp_path / "config.yaml").write_bytes((ROOT / "config.yaml").read_bytes())
    nowhere = "http://127.0.0.1:9"  # where a request of any library would end
    offline = {"http_proxy": nowhere, "https_proxy": nowhere, "no_proxy": ""}
    offline |= {name.upper(): value for name, value in offline.items()}
    command = [sys.executable, "-m", "snakemake", "-d", tmp_path, "--cores", "2"]
    command += ["results/tables/appearance.md", "--config", "size=smallest"]
    for report in ([], ["--report", "report.html"]):
        done = subprocess.run(
            [*command, *report],
            cwd=ROOT,
            env=os.environ | offline,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == 0, done.stdout
    html = (tmp_path / "report.html").read_text()
    assert "appearance.png" in html
    assert "Text crops beside genuine signatures" in html  # the caption
    assert "compare_appearance" in html
    assert not re.search(r'<(script|link)[^>]+(src|href)="?https?://', html)
