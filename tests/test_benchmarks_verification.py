"""The baseline of the benchmarks of verification gives what ours gives."""

import dataclasses

import numpy as np
import pytest
from benchmarks import independent, verification
from benchmarks.verification import benchmarks, compare, draw_case, pipelines

pytestmark = pytest.mark.fidelity("published evaluation")
FEW = dict(references=4, test_genuine=5, test_skilled=6)


@pytest.mark.parametrize("trained", [range(6), [0, 2, 5]])
@pytest.mark.parametrize("negatives", [4, 2])
def test_the_pipelines_agree_with_ours(trained, negatives):
    case = draw_case(6, 10, 8, 20, negatives=negatives, **FEW)
    benchmark = compare("small", "a small split", case, trained)
    ours, baseline = benchmark.ours(), benchmark.baseline()
    benchmark.check(ours, baseline)
    assert benchmark.times == 6 / len(trained)
    assert baseline.random.shape == (len(trained), 25)
    assert ours.genuine.shape == (6, 5)


def test_other_scores_are_refused():
    case = draw_case(6, 10, 8, 20, negatives=4, **FEW)
    benchmark = compare("small", "a small split", case, range(6))
    baseline = benchmark.baseline()
    for kind in ("genuine", "skilled", "random"):
        changed = dataclasses.replace(baseline, **{kind: getattr(baseline, kind) + 2e-3})
        with pytest.raises(AssertionError):
            benchmark.check(benchmark.ours(), changed)
    fewer = pipelines(dataclasses.replace(case, negatives=2), range(6))
    with pytest.raises(AssertionError):
        benchmark.check(benchmark.ours(), fewer)


def test_the_cases_have_the_published_sizes(monkeypatch):
    monkeypatch.setattr(verification, "FEATURES", 1)
    cedar, gpds = benchmarks()
    assert (cedar.name, cedar.times) == ("wd_cedar", 1)
    assert (gpds.name, gpds.times) == ("wd_gpds", 253 / 8)
    case = draw_case(253, 24, 30, 1)
    assert len(case.x) == len(case.y) == len(case.yforg) == 253 * 54
    assert np.unique(case.y).size == 253
    assert case.yforg.sum() == 253 * 30


@pytest.mark.parametrize("references", [1, 4])
def test_the_published_way_agrees_with_ours(references):
    case = draw_case(16, 14, 6, 20, references=references, test_genuine=5)
    benchmark = independent.compare("small", "a small split", case, 7)
    found, expected = benchmark.ours(), benchmark.baseline()
    benchmark.check(found, expected)
    assert found.genuine.shape == (7, 5)
    for kind in ("genuine", "skilled", "random"):
        changed = dataclasses.replace(expected, **{kind: getattr(expected, kind) + 2e-3})
        with pytest.raises(AssertionError):
            benchmark.check(found, changed)
