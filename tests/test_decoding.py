"""Uploads are decoded elsewhere, within limits of time and memory."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from bad_data import SCANS
from bad_data.images import encode
from serving import as_files, serving

from fkd.service import Preprocessing, read_scan
from fkd.service.decoding import Decoders

PLAIN = Preprocessing()


@pytest.fixture
def decoders():
    made = []

    def make(**limits):
        made.append(Decoders(1, **limits))
        return made[-1]

    yield make
    for one in made:
        one.close()


def held(decoders):
    """The process of the only decoder."""
    process = decoders._free.get()
    decoders._free.put(process)
    return process._process


def test_a_decoder_reads_as_the_library(decoders, made):
    read = decoders()
    for content in (made.genuine(1)[0].read_bytes(), b"no image", encode(np.full((9, 9), 7, "u1"))):
        found, expected = read(content, PLAIN), read_scan(content, PLAIN)
        assert found.findings == expected.findings
        assert np.array_equal(found.image, expected.image)
    settings = Preprocessing("blurred", (800, 900), 600.0)
    content = made.genuine(1)[0].read_bytes()
    assert np.array_equal(read(content, settings).image, read_scan(content, settings).image)


def test_what_takes_too_much_is_refused_and_the_next_one_is_read(decoders, made):
    content = made.genuine(1)[0].read_bytes()
    large = encode(np.tile(np.arange(256, dtype=np.uint8), (6000, 24)))
    read = decoders(memory=60 << 20)
    refusal = read(large, PLAIN).refusal
    assert refusal.code == "unreadable" and "60 MB" in refusal.sentence
    assert read(content, PLAIN).image is not None
    hasty = decoders(seconds=1e-4)
    assert "0.0001 s" in hasty(large, PLAIN).refusal.sentence
    few = decoders(max_pixels=1000)
    assert "too large" in few(content, PLAIN).refusal.sentence


def test_a_decoder_that_died_is_replaced(decoders, made):
    read, content = decoders(), made.genuine(1)[0].read_bytes()
    assert read(content, PLAIN).image is not None
    process = held(read)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert read(content, PLAIN).refusal.code == "unreadable"
    assert read(content, PLAIN).image is not None


def test_images_of_several_requests_do_not_mix(made):
    paths = [*made.genuine(1), *made.genuine(2)]
    read = Decoders(2)
    try:
        with ThreadPoolExecutor(6) as workers:
            found = list(workers.map(lambda path: read(path.read_bytes(), PLAIN), paths * 3))
    finally:
        read.close()
    for path, scan in zip(paths * 3, found, strict=True):
        assert np.array_equal(scan.image, read_scan(path, PLAIN).image)


@pytest.mark.operations
def test_bad_uploads_are_refused_and_memory_stays_bounded(made, tmp_path):
    assert len(SCANS) >= 100
    with serving(f"sqlite:///{tmp_path}/fkd.sqlite", made) as service:
        customer = service.new_customer()
        place = f"/v1/customers/{customer}/references"
        outcomes, most = [], 0
        for scan in SCANS:
            answer = service.client.post(place, files=as_files([scan.content]))
            outcomes.append(answer.status_code)
            if answer.status_code == 422:
                assert answer.json()["code"] == "unusable_image" and answer.json()["detail"]
                assert answer.json()["quality"][0][-1]["severity"] == "refuse", scan.name
            elif answer.status_code == 409:  # the same bytes once more, or too many references
                service.client.delete(f"/v1/customers/{customer}")
                customer = service.new_customer()
                place = f"/v1/customers/{customer}/references"
            else:
                assert answer.status_code in (201, 413), (scan.name, answer.text)
                assert answer.status_code == 413 or scan.refused is None or scan.may, scan.name
            process = service.parts.desk._decoders._free.get()
            service.parts.desk._decoders._free.put(process)
            if process:
                status = Path(f"/proc/{process._process.pid}/status").read_text(encoding="utf-8")
                peak = int(status.partition("VmHWM:")[2].split()[0])
                most = max(most, peak << 10)
        assert outcomes.count(422) >= 60 and most < 1 << 31
        assert service.client.get("/ready").status_code == 200
