"""What a teacher learns from: classes, forgeries and editions of its development sets."""

import math

import numpy as np
import pytest
import torch

from fkd.errors import FkdError
from fkd.storage import shards
from fkd.synthesis import draw_signatures
from fkd.training.development import FORGERY_WEIGHT, DevelopmentSignatures


def prepared(path, name, writers, first=0, skilled=1):
    """Write a set with two genuine signatures a writer and some forgeries, each of one gray."""
    whose = [writer for writer in writers for _ in range(2 + skilled)]
    forgery = np.tile([False] * 2 + [True] * skilled, len(writers))
    gray = first + np.arange(len(whose), dtype=np.uint8)
    image = np.broadcast_to(gray[:, None, None], (len(whose), 170, 242))
    arrays = {"image": image, "writer": np.array(whose), "forgery": forgery}
    shards.write(path, "signatures", arrays, {"set": name})
    return path


@pytest.fixture
def sets(tmp_path):
    """Two editions of one set, and another set of writers who bear the same names."""
    return [
        prepared(tmp_path / "a.h5", "a", "xy", 0),
        prepared(tmp_path / "a.2.h5", "a", "xy", 100),
        prepared(tmp_path / "b.h5", "b", "x", 200),
    ]


def grays(lesson):
    return lesson.image[:, 0, 0].tolist()


def test_each_epoch_sees_the_next_edition_of_each_set(sets):
    data = DevelopmentSignatures(sets)
    assert data.editions == {"a": 2, "b": 1}
    assert [grays(data.epoch(number)) for number in range(3)] == [
        [0, 1, 3, 4, 200, 201],
        [100, 101, 103, 104, 200, 201],
        [0, 1, 3, 4, 200, 201],
    ]


def test_writers_of_two_sets_are_different_people(sets):
    data = DevelopmentSignatures(sets)
    assert (data.writers, data.classes, len(data)) == (3, 3, 6)
    assert data.epoch(1).label.tolist() == [0, 0, 1, 1, 2, 2]


def test_the_forgeries_of_each_writer_are_a_class(sets):
    data = DevelopmentSignatures(sets, "classes")
    assert (data.writers, data.classes, len(data)) == (3, 6, 9)
    assert data.epoch(0).label.tolist() == [0, 0, 3, 1, 1, 4, 2, 2, 5]


@pytest.mark.fidelity("teacher's training")
def test_the_loss_of_signet_f_is_that_of_its_equation(sets):
    data = DevelopmentSignatures(sets, "output")
    lesson = data.epoch(0)
    assert data.classes == 4
    assert lesson.label.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    logits = torch.randn(9, 4, generator=torch.Generator().manual_seed(3))
    terms, classes = data.loss(logits, *map(torch.from_numpy, lesson[1:]))
    assert torch.equal(classes, logits[:, :3])
    total = writers = 0.0
    for row, label, forged in zip(logits.double().tolist(), *map(list, lesson[1:]), strict=True):
        of_writer = math.log(sum(math.exp(value) for value in row[:3])) - row[label]
        share = 1 / (1 + math.exp(-row[3]))
        of_forgery = -math.log(share if forged else 1 - share)
        total += (1 - forged) * (1 - FORGERY_WEIGHT) * of_writer + FORGERY_WEIGHT * of_forgery
        writers += (1 - forged) * of_writer
    assert terms["total"].item() == pytest.approx(total / 9, rel=1e-5)
    assert terms["classification"].item() == pytest.approx(writers / 9, rel=1e-5)


def test_editions_of_other_writers_are_refused(tmp_path, sets):
    sets[1] = prepared(tmp_path / "other.h5", "a", "xz")
    with pytest.raises(FkdError, match=r"other\.h5: editions of a have the same signatures"):
        DevelopmentSignatures(sets)


@pytest.mark.parametrize("forgeries", ["classes", "output"])
def test_forgeries_are_needed_to_learn_from_them(tmp_path, forgeries):
    path = prepared(tmp_path / "a.h5", "a", "xy", skilled=0)
    with pytest.raises(FkdError, match=f"forgeries: {forgeries}, but a have no skilled forgeries"):
        DevelopmentSignatures([path], forgeries)


def test_an_edited_image_is_another_lesson(tmp_path, sets):
    before = DevelopmentSignatures(sets).digest
    assert DevelopmentSignatures(sets).digest == before
    prepared(sets[1], "a", "xy", 101)
    assert DevelopmentSignatures(sets).digest != before


def test_an_edition_goes_on_with_other_signatures_of_the_same_writers(tmp_path):
    counts = {"writers": 2, "genuine": 2, "skilled": 1, "seed": 4}
    draw_signatures(folder=tmp_path / "long", **counts | {"genuine": 4, "skilled": 2})
    draw_signatures(folder=tmp_path / "second", **counts, edition=2)
    drawn = sorted(path.relative_to(tmp_path / "second") for path in tmp_path.glob("second/*/*"))
    assert [str(path) for path in drawn] == [
        "genuine/001-03.png",
        "genuine/001-04.png",
        "genuine/002-03.png",
        "genuine/002-04.png",
        "skilled/001-02.png",
        "skilled/002-02.png",
    ]
    for path in drawn:
        assert (tmp_path / "second" / path).read_bytes() == (tmp_path / "long" / path).read_bytes()
