"""The strokes around, under and through the name of a signature.

Each function takes the runs of the name and a generator, and gives the runs of the flourish in the
same units, see :mod:`fkd.synthesis.bodies`.
"""

from collections.abc import Callable

import numpy as np

from fkd.synthesis.bodies import Runs

Flourish = Callable[[Runs, np.random.Generator], Runs]


def line(runs: Runs, rng: np.random.Generator) -> Runs:
    """Underline the name, or cross it out."""
    start, stop = _along(runs, rng)
    height = rng.choice([-rng.uniform(0.5, 1.5), rng.uniform(0.2, 1.4)], p=[0.7, 0.3])
    return [np.array([[start, height], [stop, height + rng.normal(0, 0.35)]])]


def zigzag(runs: Runs, rng: np.random.Generator) -> Runs:
    """Go back and forth under the name or through it."""
    start, stop = _along(runs, rng)
    turns = int(rng.integers(3, 6))
    height = rng.uniform(-1.4, 0.8) + np.cumsum(rng.normal(-0.12, 0.25, turns))
    x = np.where(np.arange(turns) % 2, stop, start) + rng.normal(0, 0.3, turns)
    return [np.stack([x, height], axis=1)]


def tail(runs: Runs, rng: np.random.Generator) -> Runs:
    """Let the last letter end in a long stroke."""
    end, width = runs[-1][-1], _width(runs)
    far = rng.uniform(0.15, 0.6) * width
    return [end + np.array([[0, 0], [0.3, -0.3], [far, rng.uniform(-0.8, 1.8)]])]


def loop(runs: Runs, rng: np.random.Generator) -> Runs:
    """Come back under the name and go out again."""
    start, stop = _along(runs, rng)
    low = -rng.uniform(0.6, 1.6)
    shape = [[stop, 0.1], [stop, low], [start, low - 0.4], [start - 0.4, low + 0.5],
             [stop + 0.5, low + rng.normal(0, 0.3)]]  # fmt: skip
    return [np.array(shape)]


def swing(runs: Runs, rng: np.random.Generator) -> Runs:
    """Come back over the name, and go through it or under it."""
    start, stop = _along(runs, rng)
    high, low = rng.uniform(1.5, 3.0), -rng.uniform(0.3, 1.5)
    shape = [runs[-1][-1], [stop + 1.0, 0.6 * high], [0.6 * stop, high], [start, 0.3 * high],
             [0.5 * (start + stop), low], [stop + 0.6, low + 0.5]]  # fmt: skip
    return [np.array(shape)]


def whirl(runs: Runs, rng: np.random.Generator) -> Runs:
    """Go around the name once or more."""
    points = np.concatenate(runs)
    low, high = points.min(axis=0), points.max(axis=0)
    center = (low + high) / 2 + rng.normal(0, 0.25, 2)
    radii = (high - low) / 2 * rng.uniform([0.45, 0.6], [1.1, 1.15]) + 0.2
    turns = rng.uniform(0.8, 2.6)
    angle = rng.uniform(0, 2 * np.pi) + np.arange(0, 2 * np.pi * turns, np.pi / 3) * rng.choice(
        [-1, 1]
    )
    drift = np.linspace(0, 1, len(angle))[:, None] * rng.normal(0, 0.5, 2)
    spread = rng.lognormal(0, 0.1, (len(angle), 2))
    shape = center + drift + np.stack([np.cos(angle), np.sin(angle)], axis=1) * radii * spread
    if rng.uniform() < 0.5:  # and out to the right
        shape = np.vstack([shape, [high[0] + rng.uniform(0, 2), rng.uniform(low[1], high[1])]])
    return [shape]


def dots(runs: Runs, rng: np.random.Generator) -> Runs:
    """Set one or two dots behind the name."""
    x = max(run[:, 0].max() for run in runs)
    gaps = (0.3, 0.9)[: rng.integers(1, 3)]
    return [np.array([[x + gap, 0.0], [x + gap + 0.12, 0.03]]) for gap in gaps]


FLOURISHES: dict[Flourish, float] = {
    line: 0.2,
    zigzag: 0.11,
    tail: 0.19,
    loop: 0.14,
    swing: 0.12,
    whirl: 0.18,
    dots: 0.06,
}
"""The flourishes, and how often each is drawn."""


def _width(runs: Runs) -> float:
    x = np.concatenate(runs)[:, 0]
    return float(np.ptp(x))


def _along(runs: Runs, rng: np.random.Generator) -> tuple[float, float]:
    """Draw where a stroke along the name starts and stops."""
    left, width = min(run[:, 0].min() for run in runs), _width(runs)
    return left + rng.uniform(-0.05, 0.35) * width, left + rng.uniform(0.75, 1.2) * width
