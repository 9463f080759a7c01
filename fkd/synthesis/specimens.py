"""Specimens of a signature: genuine ones, and skilled forgeries by other hands."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import lfilter

from fkd.synthesis.ink import Sheet
from fkd.synthesis.signers import Signature
from fkd.synthesis.strokes import Path
from fkd.synthesis.style import Hand, draw_hand

_FORGET = 0.8  # the share of a misplacement that the next target keeps


@dataclass(frozen=True)
class Variation:
    """How far one specimen departs from the signature, as standard deviations.

    Attributes
    ----------
    scale, aspect : float
        Deviations of the logarithms of the size and of the ratio of width to height.
    rotation, shear : float
        Deviations of the angle in radians, and of the tangent of the slant.
    warp : float
        Deviation of smooth shifts of whole parts, x-heights.
    targets : float
        Deviation of single targets, x-heights.
    proportion : float
        Deviation of the logarithm of the strokes' lengths.
    timing : float
        Deviation of the logarithm of the strokes' durations.
    """

    scale: float
    aspect: float
    rotation: float
    shear: float
    warp: float
    targets: float
    proportion: float
    timing: float


#: The departure of one genuine signature from the next.
GENUINE = Variation(
    scale=0.07,
    aspect=0.06,
    rotation=0.035,
    shear=0.05,
    warp=0.11,
    targets=0.05,
    proportion=0.07,
    timing=0.18,
)


@dataclass(frozen=True)
class Forger:
    """A way to forge a signature.

    Attributes
    ----------
    share : float
        How often a forger goes this way.
    variation : Variation
        The departure from the signature.
    slower : tuple of float
        The range of the factor by which strokes take longer than the signer's.
    shakier : tuple of float
        The range of the factor by which the tremor is larger.
    """

    share: float
    variation: Variation
    slower: tuple[float, float]
    shakier: tuple[float, float]


FORGERS = (
    # Practiced on specimens, and then written freely.
    Forger(
        0.55,
        Variation(
            scale=0.12,
            aspect=0.10,
            rotation=0.05,
            shear=0.09,
            warp=0.23,
            targets=0.08,
            proportion=0.16,
            timing=0.3,
        ),
        (1.3, 2.6),
        (1.2, 2.5),
    ),
    # Traced from one specimen: the shape is right, the line is slow and shaky.
    Forger(
        0.2,
        Variation(
            scale=0.03,
            aspect=0.03,
            rotation=0.03,
            shear=0.03,
            warp=0.07,
            targets=0.05,
            proportion=0.03,
            timing=0.3,
        ),
        (2.0, 4.0),
        (2.0, 4.0),
    ),
    # Written after a glance, at the forger's own size and slant.
    Forger(
        0.25,
        Variation(
            scale=0.2,
            aspect=0.18,
            rotation=0.07,
            shear=0.2,
            warp=0.35,
            targets=0.12,
            proportion=0.28,
            timing=0.25,
        ),
        (1.1, 1.6),
        (1.0, 1.6),
    ),
)
"""The ways to forge."""


@dataclass(frozen=True)
class Written:
    """One specimen as a hand has moved, before its ink is drawn.

    Attributes
    ----------
    path : Path
        The path in pixels, x to the right and y down. Its origin may be anywhere.
    hand : Hand
        The hand that moved.
    usual : float
        Pixels per second at which the line has the pen's width: the signer's own speed.
    """

    path: Path
    hand: Hand
    usual: float


def sign(signature: Signature, rng: np.random.Generator) -> np.ndarray:
    """Draw one genuine signature.

    Parameters
    ----------
    signature : Signature
        The signature to write.
    rng : numpy.random.Generator
        The specimen's generator.

    Returns
    -------
    (height, width) uint8 array
        Gray levels, dark ink on light paper.
    """
    return _scan(write_genuine(signature, rng), rng)


def write_genuine(signature: Signature, rng: np.random.Generator) -> Written:
    """Write one genuine signature, as :func:`sign` draws it.

    Parameters
    ----------
    signature : Signature
        The signature to write.
    rng : numpy.random.Generator
        The specimen's generator.

    Returns
    -------
    Written
    """
    hand = signature.days[rng.integers(len(signature.days))]
    hand = replace(
        hand,
        tempo=hand.tempo * rng.lognormal(0, 0.08),
        crispness=hand.crispness * rng.lognormal(0, 0.06),
        bend=hand.bend * rng.lognormal(0, 0.05),
        pen=replace(hand.pen, flow=hand.pen.flow * rng.lognormal(0, 0.1)),
    )
    flourish = [] if rng.uniform() < signature.forget else signature.flourish
    return _perform(signature.runs + flourish, hand, signature.hand, GENUINE, rng)


def forge(signature: Signature, rng: np.random.Generator) -> np.ndarray:
    """Draw one skilled forgery: the shape is imitated, the movement is the forger's.

    Parameters
    ----------
    signature : Signature
        The signature imitated.
    rng : numpy.random.Generator
        The forgery's generator; its forger is drawn from it too.

    Returns
    -------
    (height, width) uint8 array
        Gray levels, dark ink on light paper.
    """
    return _scan(write_forgery(signature, rng), rng)


def write_forgery(signature: Signature, rng: np.random.Generator) -> Written:
    """Write one skilled forgery, as :func:`forge` draws it.

    Parameters
    ----------
    signature : Signature
        The signature imitated.
    rng : numpy.random.Generator
        The forgery's generator; its forger is drawn from it too.

    Returns
    -------
    Written
    """
    forger, model = draw_hand(rng, alphabet={}), signature.hand
    way = FORGERS[rng.choice(len(FORGERS), p=[way.share for way in FORGERS])]
    hand = replace(
        model,
        bend=0.3 * model.bend + 0.7 * forger.bend,
        # Drawing is slower than writing: strokes come one by one, and the hand shakes.
        crispness=model.crispness * rng.uniform(1.1, 1.7),
        sigma=forger.sigma,
        tempo=model.tempo * rng.uniform(*way.slower),
        tremor=max(model.tremor, forger.tremor) * rng.uniform(*way.shakier),
        # Often all sign with the pen that lies there.
        pen=model.pen if rng.uniform() < 0.4 else forger.pen,
        pressure=forger.pressure,
    )
    return _perform(signature.runs + signature.flourish, hand, model, way.variation, rng)


def _perform(
    runs: list[np.ndarray],
    hand: Hand,
    signer: Hand,
    variation: Variation,
    rng: np.random.Generator,
) -> Written:
    """Write the runs once, with a hand."""
    runs = [run * [hand.size, -hand.size] for run in _vary(runs, variation, rng)]
    path = hand.write(runs, variation.timing, rng)
    # Ink follows speed on the signer's scale: a slow hand presses harder.
    return Written(path, hand, usual=hand.size / signer.tempo)


def _scan(written: Written, rng: np.random.Generator) -> np.ndarray:
    """Draw what was written on a sheet, and scan the sheet."""
    path, hand = written.path, written.hand
    # The box: the ink and some paper around it.
    margin = rng.uniform(20, 70, (2, 2))
    corner = path.points.min(axis=0) - margin[0]
    width, height = np.ceil(path.points.max(axis=0) + margin[1] - corner).astype(int)
    sheet = Sheet(height, width)
    path = replace(path, points=path.points - corner)
    sheet.draw(path, pen=hand.pen, usual=written.usual, pressure=hand.pressure, rng=rng)
    # Paper is above 255 where the scanner was set to show none.
    return sheet.scan(ink=hand.pen.ink, paper=rng.uniform(225, 280), rng=rng)


def _vary(
    runs: list[np.ndarray], variation: Variation, rng: np.random.Generator
) -> list[np.ndarray]:
    """Vary the targets of a signature into those of one specimen."""
    cuts = np.cumsum([len(run) for run in runs])[:-1]
    targets = np.concatenate(runs)
    # Proportions: a stroke that is too long or too short shifts all that follows. The filter
    # adds up these errors, and lets each of them fade over the targets that follow.
    steps = np.diff(targets, axis=0, prepend=targets[:1])
    wrong = steps * (np.exp(rng.normal(0, variation.proportion, (len(steps), 1))) - 1)
    drifts = lfilter([1.0], [1.0, -_FORGET], wrong, axis=0)
    x = targets[:, :1]
    # Warp: three slow waves along the name shift whole parts of it, in x and in y.
    span = np.ptp(x) + 1e-6  # a name of one upright stroke has no width
    waves = rng.uniform(0.5, 3.0, (3, 2))
    phase = rng.uniform(0, 2 * np.pi, (3, 2))
    shift = np.sin(2 * np.pi * waves[:, None] * (x / span) + phase[:, None])  # (3, n, 2)
    weights = rng.normal(0, variation.warp, (3, 1, 2))
    targets = targets + drifts + (weights * shift).sum(axis=0)
    targets = targets + rng.normal(0, variation.targets, targets.shape)
    # Finally the whole specimen is rotated, stretched, scaled and sheared.
    angle = rng.normal(0, variation.rotation)
    stretch = np.exp(rng.normal(0, variation.aspect) / 2)
    affine = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    affine = np.diag([stretch, 1 / stretch]) @ affine * np.exp(rng.normal(0, variation.scale))
    affine = np.array([[1, 0], [rng.normal(0, variation.shear), 1]]) @ affine
    return np.split(targets @ affine, cuts)
