"""The hand: what stays the same in all that one writer writes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fkd.synthesis.letters import ALPHABET, Letter
from fkd.synthesis.strokes import Path, plan, trace


@dataclass(frozen=True)
class Hand:
    """One writer's style. Lengths are in x-heights where no unit is given.

    Attributes
    ----------
    size : float
        Height of small letters, pixels at 300 dpi.
    slant : float
        Tangent of the angle to the right of the upright.
    width : float
        Horizontal stretch of the letters.
    spacing, word_gap : float
        Room added between letters, and between words.
    rise : float
        Slope of the baseline.
    wander : float
        Amplitude of the baseline's waves.
    bend : float
        How round strokes are: 0 draws straight lines, 1 circles.
    crispness : float
        Time between strokes over the spread of one stroke. Low values melt
        neighboring strokes into each other.
    sigma : float
        Shape of the lognormal speed profile.
    tempo : float
        Seconds for a stroke of one x-height.
    tremor : float
        Amplitude of the physiological tremor.
    jitter : float
        Standard deviation of the targets from one time to the next.
    pen : float
        Width of the line at the hand's usual speed, pixels.
    ink : float
        Gray level of the darkest ink, 0 to 255.
    pressure : float
        Loss of width and darkness when the speed doubles, as a share.
    lifts : float
        Chance that the pen is lifted between two letters that could be joined.
    letters : dict of str to Letter
        The writer's own shape of each character.
    """

    size: float
    slant: float
    width: float
    spacing: float
    word_gap: float
    rise: float
    wander: float
    bend: float
    crispness: float
    sigma: float
    tempo: float
    tremor: float
    jitter: float
    pen: float
    ink: float
    pressure: float
    lifts: float
    letters: dict[str, Letter]

    def write(self, runs: Sequence[np.ndarray], timing: float, rng: np.random.Generator) -> Path:
        """Move the pen over the targets of `runs`.

        Parameters
        ----------
        runs : sequence of (n, 2) float arrays
            Targets between lifts of the pen, n >= 2, pixels.
        timing : float
            Standard deviation of the logarithm of a stroke's duration.
        rng : numpy.random.Generator

        Returns
        -------
        Path
            In pixels.
        """
        movement = plan(
            runs,
            unit=self.size,
            bend=self.bend,
            crispness=self.crispness,
            sigma=self.sigma,
            tempo=self.tempo,
            timing=timing,
            rng=rng,
        )
        return trace(movement, tremor=self.tremor * self.size, rng=rng)


def draw_hand(rng: np.random.Generator) -> Hand:
    """Draw a writer's style.

    Parameters
    ----------
    rng : numpy.random.Generator
        The writer's generator.

    Returns
    -------
    Hand
        A style within the spread seen on scanned forms at 300 dpi.
    """
    cursive = rng.uniform()
    shape = _Proportions(
        ascender=rng.uniform(0.75, 1.35),
        descender=rng.uniform(0.7, 1.35),
        spread=rng.uniform(0.04, 0.12),
        school=0.25 + 0.7 * cursive,
    )
    return Hand(
        size=float(np.clip(rng.normal(37, 5), 28, 50)),
        slant=float(np.clip(rng.normal(0.2, 0.24), -0.35, 0.8)),
        width=float(np.clip(rng.normal(1.0, 0.17), 0.65, 1.45)),
        spacing=rng.uniform(-0.05, 0.3),
        word_gap=rng.uniform(0.7, 1.7),
        rise=float(rng.normal(0, 0.008)),
        wander=rng.uniform(0.02, 0.12),
        bend=rng.uniform(0.45, 1.1),
        crispness=rng.uniform(2.3, 4.0),
        sigma=rng.uniform(0.18, 0.34),
        tempo=rng.uniform(0.07, 0.14),
        tremor=rng.uniform(0.003, 0.02),
        jitter=rng.uniform(0.03, 0.08),
        pen=rng.uniform(2.6, 6.2),
        ink=rng.uniform(25, 95),
        pressure=rng.uniform(0.06, 0.2),
        lifts=0.6 * (1 - cursive) ** 2,
        letters={name: _own(rng, shapes, shape) for name, shapes in ALPHABET.items()},
    )


@dataclass(frozen=True)
class _Proportions:
    """How a writer's letters depart from the alphabet."""

    ascender: float
    descender: float
    spread: float
    school: float  # chance of the school hand's shape where there are others


def _own(rng: np.random.Generator, shapes: tuple[Letter, ...], shape: _Proportions) -> Letter:
    """Bend one letter into the writer's own."""
    others = rng.integers(1, max(len(shapes), 2))
    letter = shapes[0 if len(shapes) == 1 or rng.uniform() < shape.school else others]
    stretch = np.exp(rng.normal(0, 1.2 * shape.spread))

    def own(run: np.ndarray) -> np.ndarray:
        x, y = run.T
        y = np.where(y > 1, 1 + (y - 1) * shape.ascender, np.where(y < 0, y * shape.descender, y))
        bent = np.stack([x * stretch, y], axis=1)
        return bent + rng.normal(0, shape.spread, bent.shape)

    return Letter(
        runs=tuple(own(run) for run in letter.runs),
        late=tuple(own(run) for run in letter.late),
        width=letter.width * stretch,
        joined=letter.joined,
    )
