"""Comparing signatures by a verifier's files, in Python and on the command line."""

import json
import shutil

import numpy as np
import onnx
import pytest
from verified import NUMBERS

from fkd.__main__ import main
from fkd.errors import FkdError
from fkd.models.features import prepare_image
from fkd.service import Preprocessing, Verifier
from fkd.storage import shards
from fkd.verification import read_machine, read_verifier


@pytest.fixture(scope="module")
def verifiers(made):
    return {
        name: Verifier.load(*(made.verifier(name, number) for number in NUMBERS))
        for name in ("wi", "cosine")
    }


def test_the_answer_is_what_the_studys_own_parts_say(made, verifiers):
    files = made.genuine(1)
    features = verifiers["wi"].extract(np.stack([prepare_image(file) for file in files[:4]]))
    machine = read_machine(made.folder / "machines/cells.h5")
    scores = machine(features[3:], features[:3])[0]
    stored = read_verifier(made.verifier("wi", 3))
    log10_lr = stored.calibration([scores.max()])[0]
    found = verifiers["wi"].compare(files[:3], files[3], prior=0.2).judgment
    np.testing.assert_allclose(found.by_reference, scores)
    assert found.score == scores.max() and found.log10_lr == log10_lr
    odds = 0.25 * 10**log10_lr
    assert found.match_score == pytest.approx(odds / (1 + odds))
    low, high = found.log10_lr_bounds
    counts = stored.about["measured_on"]
    assert low == -np.log10(counts["genuine"] + 1) and high == np.log10(counts["forged"] + 1)
    assert low <= found.log10_lr <= high
    for cut in (found.accept, found.reject):
        threshold = stored.thresholds[cut.aim]
        assert (cut.value, cut.frr.value, cut.far.value) == (
            threshold.value,
            threshold.frr,
            threshold.far,
        )
        for rate in (cut.frr, cut.far):
            assert 0 <= rate.low <= rate.value <= rate.high <= 1 and rate.low < rate.high


def test_decisions_follow_the_two_thresholds(made, verifiers):
    verifier = verifiers["cosine"]
    reject, accept = verifier.cuts[1]
    assert reject.value < accept.value
    wanted = {
        "reject": np.nextafter(reject.value, -np.inf),
        "refer": reject.value,
        "accept": accept.value,
    }
    for decision, score in wanted.items():
        verifier._compare, kept = (
            lambda q, r, score=score: np.full((len(q), len(r)), score),
            (verifier._compare),
        )
        try:
            judgment = verifier.judge(np.zeros((1, 4)), np.zeros((1, 4)))[0]
        finally:
            verifier._compare = kept
        assert judgment.decision == decision
        assert 0 <= judgment.match_score <= 1 and all(judgment.why)


def test_higher_always_means_more_genuine(verifiers):
    """Along a line from far to near, no output falls."""
    reference = np.ones((1, 60))
    far = np.random.default_rng(1).normal(size=60)
    near = np.stack([far + step * (1 - far) for step in np.linspace(0, 1, 20)])
    found = verifiers["cosine"].judge(reference, near)
    for name in ("score", "log10_lr", "match_score"):
        values = [getattr(one, name) for one in found]
        assert (np.diff(values) >= 0).all() and values[-1] > values[0]
    order = ["reject", "refer", "accept"]
    assert (np.diff([order.index(one.decision) for one in found]) >= 0).all()


def test_the_command_prints_the_answer(made, capsys):
    references = [str(path) for path in made.genuine(1)[:3]]
    arguments = ["--verifier", str(made.verifier("wi", 3)), "--reference", *references]
    arguments += ["--questioned", str(made.genuine(1)[3])]
    main(["verify_signature", *arguments, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["decision"] in ("accept", "refer", "reject") and 0 < found["match_score"] < 1
    assert found["quality"]["references"] == {name: [] for name in references}
    assert set(found["verifier"]["sha256"]) == {"model", "verifier", "machine", "preprocessing"}
    main(["verify_signature", *arguments])
    text = capsys.readouterr().out
    for part in (found["decision"], "log10 LR", "FAR 1 %", "why", "SHA-256 machine"):
        assert part in text


def test_all_unusable_scans_are_named(made, verifiers, tmp_path):
    files = made.genuine(1)
    (tmp_path / "none.png").write_bytes(b"no image")
    with pytest.raises(FkdError) as caught:
        verifiers["wi"].compare([tmp_path / "none.png", *files[:2]], tmp_path / "missing.png")
    assert "2 of 4 scans" in str(caught.value)
    assert str(caught.value).count(str(tmp_path)) == 2


def test_rates_hold_for_their_number_of_references_only(made, verifiers):
    files = made.genuine(1)
    with pytest.raises(FkdError, match=r"2 references are given.* measured with 1, 3"):
        verifiers["wi"].compare(files[:2], files[3])
    with pytest.raises(FkdError, match="prior"):
        verifiers["wi"].compare(files[:1], files[3], prior=1.0)


def changed(path, out, **attributes):
    """Copy a shard with other attributes."""
    shard = shards.read(path)
    shards.write(
        out,
        "machine" if "vector" in shard.arrays else "verifier",
        shard.arrays,
        shard.attributes | attributes,
    )
    return out


def test_files_that_do_not_belong_together_are_refused(made, tmp_path):
    verifier = made.verifier("wi", 3)
    model = onnx.load(made.folder / "models/cells.onnx")
    model.doc_string = "another"
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(FkdError, match="not the model on which"):
        Verifier.load(verifier, model=tmp_path / "other.onnx")
    machine = made.folder / "machines/cells.h5"
    for key, value in (("onnx", "0" * 64), ("sets", ["more"]), ("C", 2.0), ("seed", 1)):
        with pytest.raises(FkdError, match=f"not the machine of .*differs in {key}"):
            Verifier.load(verifier, machine=changed(machine, tmp_path / "m.h5", **{key: value}))
    with pytest.raises(FkdError, match=r"differs from .* in verifier, protocol"):
        Verifier.load(verifier, made.verifier("cosine", 1))
    with pytest.raises(FkdError, match="another file is for 3 references"):
        Verifier.load(verifier, shutil.copy(verifier, tmp_path / "again.h5"))
    with pytest.raises(FkdError, match="is a distance, and needs none"):
        Verifier.load(made.verifier("cosine", 3), machine=machine)
    alone = shutil.copy(verifier, tmp_path / "alone.h5")
    with pytest.raises(FkdError, match="Name the file of the model by --model"):
        Verifier.load(alone)


def test_a_writer_dependent_verifier_compares_no_pairs(made, tmp_path):
    protocol = {"references": 3, "test_genuine": 4, "test_skilled": 5, "C": 1.0, "gamma": 1.0}
    wd = changed(made.verifier("wi", 3), tmp_path / "wd.h5", protocol=protocol, verifier="wd")
    with pytest.raises(FkdError, match="learns each writer from signatures of others"):
        Verifier.load(wd)


def test_scans_are_prepared_as_the_development_sets(made, tmp_path):
    verifier = made.verifier("cosine", 1)
    one, two = ({"canvas": [800, 900], "threshold": "image"}, {"canvas": [400, 900]})
    same = changed(verifier, tmp_path / "same.h5", preprocessing={"a": one, "b": one})
    model = made.folder / "models/cells.onnx"
    assert Verifier.load(same, model=model).preprocessing.canvas == (800, 900)
    mixed = changed(verifier, tmp_path / "mixed.h5", preprocessing={"a": one, "b": two})
    with pytest.raises(FkdError, match="a, b were prepared differently"):
        Verifier.load(mixed, model=model)
    assert Verifier.load(mixed, model=model, like="b").preprocessing.canvas == (400, 900)
    with pytest.raises(FkdError, match="'c' is none of the sets a, b"):
        Preprocessing.of({"a": one, "b": two}, "c")


def test_one_digest_stands_for_all_that_an_answer_depends_on(made, verifiers, tmp_path):
    again = Verifier.load(made.verifier("wi", 3), made.verifier("wi", 1))
    assert again.digest == verifiers["wi"].digest
    others = [verifiers["cosine"].digest, Verifier.load(made.verifier("wi", 3)).digest]
    assert len({again.digest, *others}) == 3
