"""The hand: the style that all writing of one writer shares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fkd.synthesis.ink import Pen, draw_pen
from fkd.synthesis.letters import ALPHABET, Letter
from fkd.synthesis.strokes import Path, plan, trace


@dataclass(frozen=True)
class Hand:
    """One writer's style. Lengths are in x-heights where no unit is given.

    Attributes
    ----------
    size : float
        The height of small letters, pixels at 300 dpi.
    slant : float
        The tangent of the angle by which letters lean to the right.
    width : float
        The horizontal stretch of the letters.
    spacing, word_gap : float
        The room added between letters, and between words.
    rise : float
        The slope of the baseline.
    wander : float
        The amplitude of the baseline's waves.
    bend : float
        How round strokes are: 0 draws straight lines, 1 draws circles.
    crispness : float
        The time between strokes, divided by the spread of one stroke in time. Low values
        melt neighboring strokes into each other.
    sigma : float
        The shape of the lognormal speed profile.
    tempo : float
        The seconds that a stroke of one x-height takes.
    tremor : float
        The amplitude of the physiological tremor.
    jitter : float
        The standard deviation of the targets when the same letter is written again.
    pen : Pen
        The pen that the hand usually holds.
    pressure : float
        The share of width and density of the line that is lost when the speed doubles.
    lifts : float
        The chance that the pen is lifted between two letters that could be joined.
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
    pen: Pen
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
            The standard deviation of the logarithm of a stroke's duration.
        rng : numpy.random.Generator
            The generator of the durations and of the tremor.

        Returns
        -------
        Path
            The path in pixels.
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


def draw_hand(
    rng: np.random.Generator, alphabet: Mapping[str, tuple[Letter, ...]] = ALPHABET
) -> Hand:
    """Draw a writer's style.

    Parameters
    ----------
    rng : numpy.random.Generator
        The writer's generator.
    alphabet : mapping of str to tuple of Letter
        The shapes from which the hand takes its letters; none if it writes no text.

    Returns
    -------
    Hand
        A style within the range seen on scanned forms at 300 dpi.
    """
    # How much the writer joins letters, and keeps to the shapes taught at school.
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
        pen=draw_pen(rng),
        pressure=rng.uniform(0.06, 0.22),
        lifts=0.6 * (1 - cursive) ** 2,
        letters={name: _own_shape(rng, shapes, shape) for name, shapes in alphabet.items()},
    )


@dataclass(frozen=True)
class _Proportions:
    """How a writer's letters depart from the alphabet."""

    ascender: float  # stretch of what is above the x-height
    descender: float  # stretch of what is below the baseline
    spread: float  # standard deviation of a letter's targets, x-heights
    school: float  # chance of the shape taught at school where a letter has others


def _own_shape(rng: np.random.Generator, shapes: tuple[Letter, ...], shape: _Proportions) -> Letter:
    """Vary one letter of the alphabet into the writer's own shape."""
    # One of the shapes other than the school's, to be taken where there is any.
    others = rng.integers(1, max(len(shapes), 2))
    letter = shapes[0 if len(shapes) == 1 or rng.uniform() < shape.school else others]
    stretch = np.exp(rng.normal(0, 1.2 * shape.spread))

    def vary(run: np.ndarray) -> np.ndarray:
        x, y = run.T
        y = np.where(y > 1, 1 + (y - 1) * shape.ascender, np.where(y < 0, y * shape.descender, y))
        bent = np.stack([x * stretch, y], axis=1)
        return bent + rng.normal(0, shape.spread, bent.shape)

    return Letter(
        runs=tuple(vary(run) for run in letter.runs),
        late=tuple(vary(run) for run in letter.late),
        width=letter.width * stretch,
        joined=letter.joined,
    )
