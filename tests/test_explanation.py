"""Explanations are faithful: what they call important is what the score depends on."""

import numpy as np
import pytest
from PIL import Image

from fkd.__main__ import main
from fkd.errors import FkdError
from fkd.service import Verifier, explain
from fkd.service.explanation import AGAINST, FOR, overlay, picture

DRAWN = 20
"""Random places that are covered."""


@pytest.fixture(scope="module")
def verifiers(made):
    return {name: Verifier.load(made.verifier(name, 3), foreign=False) for name in ("wi", "cosine")}


@pytest.fixture(scope="module")
def images(verifiers, made):
    read = verifiers["wi"].read
    pairs = []
    for writer in (1, 2):
        genuine = [read(path).image for path in made.genuine(writer)]
        for questioned in (*genuine[3:], *(read(path).image for path in made.forged(writer)[:2])):
            pairs.append((genuine[:3], questioned))
    return pairs


TILE = 10
"""Pixels of the side of the squares that the tests cover."""


def cells(values):
    """The sums of an array over squares."""
    return values.reshape(150 // TILE, TILE, 220 // TILE, TILE).sum(axis=(1, 3))


def score_without(verifier, references, questioned, chosen):
    """The score after some squares of the questioned signature are covered."""
    keep = np.ones((150 // TILE, 220 // TILE), np.uint8)
    keep.flat[chosen] = 0
    covered = questioned * np.kron(keep, np.ones((TILE, TILE), np.uint8))
    features = verifier.describe([*references, covered])
    return verifier.fused(verifier.scores(features[:-1], features[-1:]))[0]


@pytest.mark.parametrize("name", ["wi", "cosine"])
def test_covering_what_is_important_changes_the_score_more_than_covering_anything(
    verifiers, images, name
):
    verifier, draw = verifiers[name], np.random.default_rng(0)
    important, anywhere = [], []
    for references, questioned in images:
        found = explain(verifier, references, questioned)
        ink = np.flatnonzero(cells(questioned))
        ranked = ink[np.argsort(np.abs(cells(found.questioned_map)).ravel()[ink])[::-1]]
        chosen = [ranked[:3], *(draw.choice(ink, 3, replace=False) for _ in range(DRAWN))]
        changes = [
            abs(score_without(verifier, references, questioned, some) - found.score)
            for some in chosen
        ]
        important.append(changes[0])
        anywhere.append(np.mean(changes[1:]))
    assert np.mean(important) > 1.3 * np.mean(anywhere)
    assert np.mean(np.array(important) > np.array(anywhere)) >= 0.75


@pytest.mark.parametrize("name", ["wi", "cosine"])
def test_a_stroke_that_no_reference_has_speaks_against(verifiers, images, name):
    """A reference again, with a stroke added where all references are paper."""
    references = images[0][0]
    added = references[0].copy()
    added[4:34, 10:40] = added.max()
    found = explain(verifiers[name], references, added)
    stroke = found.questioned_map[10:28, 16:34]
    rest = found.questioned_map[added > 0]
    assert stroke.max() < 0 < rest.max() and found.questioned_map.min() in stroke


def test_only_what_the_model_sees_has_a_color(verifiers, images, monkeypatch):
    """A model that sees the left half alone is explained by the left half alone."""
    verifier = verifiers["cosine"]
    seen = verifier.describe

    def blinkered(given):
        return seen([np.where(np.arange(220) < 110, image, 0).astype(np.uint8) for image in given])

    monkeypatch.setattr(verifier, "describe", blinkered)
    found = explain(verifier, *images[0])
    shown = (images[0][1], images[0][0][found.reference])
    for image, one in zip(shown, (found.questioned_map, found.reference_map), strict=True):
        ink = np.flatnonzero(image.any(axis=0))
        # A window that reaches into the left half colors what it covers of the right one.
        end = 110 + (np.ptp(ink) + 1) // 4 + 1
        assert ink[-1] > end and one[:, :110].any() and not one[:, end:].any()


def test_paper_has_no_color(verifiers, images):
    references, questioned = images[0]
    half = np.where(np.arange(220) < 110, questioned, 0).astype(np.uint8)
    found = explain(verifiers["cosine"], references, half)
    assert found.questioned_map[:, :110].any() and not found.questioned_map[:, 110:].any()


def test_colors_are_as_strong_as_the_change():
    ink = np.full((150, 220), 200, np.uint8)
    change = np.zeros((150, 220))
    change[0, :4] = 2.0, 1.0, -2.0, 0.0
    shown = np.asarray(overlay(ink, change, 2.0)).astype(int)[0, :4]
    assert np.array_equal(shown[0], np.round(0.75 * np.array(FOR)))
    assert np.array_equal(shown[2], np.round(0.75 * np.array(AGAINST)))
    assert 0 < shown[1].sum() < shown[0].sum() and not shown[3].any()
    assert np.asarray(overlay(ink, np.zeros((150, 220)), 0.0)).max() == 0


def test_the_command_draws_the_explanation(made, tmp_path):
    arguments = ["verify_signature", "--verifier", str(made.verifier("cosine", 1))]
    arguments += ["--reference", str(made.genuine(1)[0]), "--questioned", str(made.forged(1)[0])]
    main([*arguments, "--explanation", str(tmp_path / "why.png")])
    drawn = np.asarray(Image.open(tmp_path / "why.png").convert("RGB")).astype(int)
    assert (drawn[..., 2] > drawn[..., 0] + 40).any() or (drawn[..., 0] > drawn[..., 2] + 40).any()
    with pytest.raises(SystemExit):
        main([*arguments, "--explanation", str(tmp_path / "why.svg")])


def test_the_picture_shows_the_reference_that_is_most_alike(verifiers, images):
    references, questioned = images[0]
    found = explain(verifiers["wi"], [*references[1:], questioned], questioned)
    assert found.reference == 2
    assert picture(found, questioned, questioned).size == (464, 356)


def test_bad_numbers_of_references_do_not_stop_an_explanation(verifiers, images):
    references, questioned = images[0]
    with pytest.raises(FkdError):
        verifiers["wi"].judge(np.ones((2, 4)), np.ones((1, 4)))
    assert explain(verifiers["wi"], references[:2], questioned).score
