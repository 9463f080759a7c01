"""The plain geometry that benchmarks compare with gives the same as ours."""

import numpy as np
import pytest
import torch
from benchmarks import geometry
from benchmarks.timing import Benchmark, peak


def test_plain_trees_masks_and_contrasts_are_ours(monkeypatch):
    monkeypatch.setattr(geometry, "IMAGES", 2)
    geometry.maps_of_signatures.cache_clear()
    ours, plain = geometry.targets(), geometry.targets_plainly()
    geometry.same_targets(ours, plain)
    ours["conv5"][0][1, 7] = ours["conv5"][0][1, 7] ^ 1
    with pytest.raises(AssertionError):
        geometry.same_targets(ours, plain)
    geometry.maps_of_signatures.cache_clear()


def test_plain_loss_has_our_gradient(monkeypatch):
    monkeypatch.setattr(geometry, "BATCH", 2)
    monkeypatch.setattr(geometry, "CHANNELS", 5)
    for cached in (geometry.loss_case, geometry.loss_mask):
        cached.cache_clear()
    ours, plain = geometry.loss_gradient(), geometry.loss_gradient_plainly()
    geometry.same_gradients(ours, plain)
    with pytest.raises(AssertionError):
        geometry.same_gradients(2 * ours, plain)
    for cached in (geometry.loss_case, geometry.loss_mask):
        cached.cache_clear()


def test_a_benchmark_checks_counts_and_gives_ratios():
    done = []

    def work(name):
        done.append(name)
        return name

    same = {"name": "n", "what": "w", "ours": lambda: work("ours"), "runs": 5}
    row = Benchmark(**same, baseline=lambda: work("plain"), check=lambda a, b: None).measure()
    assert done == ["ours", "plain"] * 6
    assert row["ratio"] == row["baseline"] / row["ours"]
    assert (row["name"], row["unit"], row["runs"]) == ("n", "s", 5)
    with pytest.raises(AssertionError):
        Benchmark(**same, baseline=lambda: work("plain"), check=np.testing.assert_equal).measure()


def fill():
    return lambda: torch.ones(25_000_000).sum()


def test_peak_memory_is_what_the_work_takes():
    assert 90 < peak(fill) < 140
