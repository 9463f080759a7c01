"""A study whose results lie in a store of objects (S3), by a server of the protocol on this machine."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).resolve().parents[1]
TARGET = "results/metrics/synthetic/resnet18_random-3.csv"
STUDY = "s3://studies/first"
DONE = 2
"""The number of jobs after which the run is killed."""

ONE_BY_ONE = ("--cores", "1")
SECRETS = {"ACCESS_KEY": "anybody", "SECRET_KEY": "not a secret"}
CONFIG = """
title: A study in a store
size: smallest
sizes: {smallest: {}}
networks: {width: 0.05, features: 24}
signatures:
  synthetic: {layout: synthetic, draw: {writers: 3, genuine: 8, skilled: 4}}
  development: {layout: synthetic, draw: {writers: 4, genuine: 6, skilled: 2, first: 21}}
teacher: {development: [development]}
students:
  resnet18_random: null
evaluation:
  splits: 2
  sets:
    synthetic: [{references: [3], test_genuine: 3, test_skilled: 4}]
"""

pytestmark = [pytest.mark.operations, pytest.mark.workflow]


@pytest.fixture(scope="module")
def server():
    """The address of a server with an empty bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def store(server):
    """The bucket, and the options of Snakemake that name it."""
    keys = {"aws_access_key_id": "anybody", "aws_secret_access_key": "not a secret"}
    client = boto3.client("s3", endpoint_url=server, region_name="us-east-1", **keys)
    client.create_bucket(Bucket="studies")
    options = ["--default-storage-provider", "s3", "--default-storage-prefix", STUDY]
    options += ["--storage-s3-endpoint-url", server, "--storage-s3-region", "us-east-1"]
    return client, options


def start(folder, *options):
    """Start Snakemake in a folder that has nothing but a config."""
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    words = [sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile", "-d", folder, TARGET]
    words += ["--workflow-profile", ROOT / "profiles/default", *ONE_BY_ONE, *options]
    secrets = {f"SNAKEMAKE_STORAGE_S3_{name}": value for name, value in SECRETS.items()}
    return subprocess.Popen(
        [str(word) for word in words],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | secrets,
        cwd=ROOT,
        text=True,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def planned(said):
    """The number of jobs that a run says it has."""
    return int(re.search(r"^total +(\d+)$", said, re.M)[1])


def finish(process):
    """Wait for a run; give what it said."""
    said, _ = process.communicate()
    assert process.returncode == 0, said
    return said


def test_a_run_in_a_store_is_killed_and_goes_on(store, tmp_path):
    client, options = store
    process = start(tmp_path / "first", *options)
    before, done = [], 0
    while done < DONE:
        before.append(process.stdout.readline())
        assert before[-1], "".join(before)  # the run has ended
        done += before[-1].startswith("Finished jobid")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    kept = {item["Key"] for item in client.list_objects_v2(Bucket="studies")["Contents"]}
    assert kept and f"first/{TARGET}" not in kept, "".join(before)

    # Another machine goes on, which has nothing of the first but the store.
    said = finish(start(tmp_path / "second", *options, "--ignore-incomplete"))
    assert f"Results: {STUDY}/results" in said
    assert planned(said) == planned("".join(before)) - DONE
    there = {item["Key"] for item in client.list_objects_v2(Bucket="studies")["Contents"]}
    assert kept <= there and f"first/{TARGET}" in there

    finish(start(tmp_path / "local"))
    made = client.get_object(Bucket="studies", Key=f"first/{TARGET}")["Body"].read()
    assert made == (tmp_path / "local" / TARGET).read_bytes()
    assert "Nothing to be done" in finish(start(tmp_path / "second", *options))
