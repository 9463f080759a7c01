"""The baseline of the preprocessing gives what ours gives."""

import numpy as np
import pytest
from benchmarks.preprocessing import benchmarks, draw_scans, normalize_plainly, same_images

from fkd.images import read_gray
from fkd.preprocess import normalize


@pytest.mark.fidelity("prepared images")
@pytest.mark.parametrize("threshold", ["image", "blurred"])
def test_drawn_signatures(threshold):
    for scan in draw_scans(3):
        ours = normalize(scan, threshold=threshold)
        same_images(ours, normalize_plainly(scan, threshold=threshold))


@pytest.mark.fidelity("prepared images")
def test_real_signatures(shared):
    paths = sorted((shared / "data/cedar").glob("*/*.png"))[::12]
    assert len(paths) == 24
    scans = [read_gray(path) for path in paths]
    same_images(
        np.stack([normalize(scan) for scan in scans]),
        np.stack([normalize_plainly(scan) for scan in scans]),
    )


def test_images_that_differ_are_refused():
    [scan] = draw_scans(1)
    ours = normalize(scan)
    brighter = np.where(ours > 0, ours + 1, 0)
    with pytest.raises(AssertionError, match="are equal"):
        same_images(ours, brighter)
    with pytest.raises(AssertionError, match="levels apart"):
        same_images(ours, np.roll(ours, 1, axis=1))


def test_the_line_of_the_table():
    [entry] = benchmarks()
    assert entry.name == "normalize"
    entry.check(entry.ours()[:2], entry.baseline()[:2])
