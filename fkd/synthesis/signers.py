"""Signers: what each has learned to write as a signature."""

from dataclasses import dataclass, replace

import numpy as np

from fkd.synthesis.bodies import BODIES, Runs
from fkd.synthesis.flourishes import FLOURISHES
from fkd.synthesis.ink import draw_pen
from fkd.synthesis.style import Hand, draw_hand

_REACH = 345  # pixels: the usual root of width times height


@dataclass(frozen=True)
class Signature:
    """What a signer has learned to write.

    Attributes
    ----------
    runs : list of (n, 2) float arrays
        Targets between lifts of the pen, in x-heights, slanted, y upwards.
    flourish : list of (n, 2) float arrays
        The same for the strokes that are added once the name is written.
    hand : Hand
        The signer's usual hand.
    days : tuple of Hand
        The signer's hand on the days on which specimens were signed: people sign larger one day,
        in more haste the next, and with what pen there is.
    forget : float
        The chance that the flourish is left out.
    """

    runs: Runs
    flourish: Runs
    hand: Hand
    days: tuple[Hand, ...]
    forget: float


def make_signature(rng: np.random.Generator) -> Signature:
    """Make up a writer's signature.

    Parameters
    ----------
    rng : numpy.random.Generator
        The writer's generator.

    Returns
    -------
    Signature
        A body, such as initials and a name, with up to two flourishes.
    """
    hand = draw_hand(rng)
    # People sign larger, faster and rounder than they write.
    hand = replace(
        hand,
        slant=hand.slant + rng.normal(0.05, 0.12),
        width=hand.width * rng.uniform(0.8, 1.6),
        tempo=hand.tempo * rng.uniform(0.6, 1.0),
        crispness=hand.crispness * rng.uniform(0.8, 1.05),
        lifts=hand.lifts * 0.5,
    )
    runs = _one_of(BODIES, rng)(hand, rng)
    flourish: Runs = []
    for _ in range(rng.choice(3, p=[0.22, 0.53, 0.25])):
        flourish += _one_of(FLOURISHES, rng)(runs, rng)
    if flourish and rng.uniform() < 0.45:
        # The pen stays down between the name and the flourish.
        runs[-1] = np.concatenate([runs[-1], flourish.pop(0)])
    tall = rng.uniform(0.85, 1.4)
    rise = rng.normal(0.1, 0.12)
    decay = rng.uniform(-0.02, 0.03)  # letters grow or shrink towards the end

    def place(run: np.ndarray) -> np.ndarray:
        u, y = run.T
        y = np.where(y > 1, 1 + (y - 1) * tall, y) * np.exp(-decay * u)
        return np.stack([u + hand.slant * y, y + rise * u], axis=1)

    runs, flourish = [place(run) for run in runs], [place(run) for run in flourish]
    # A signature is about as large as a hand's reach on a form, however few letters it has.
    width, height = np.ptp(np.concatenate(runs + flourish), axis=0)
    reach = rng.lognormal(np.log(_REACH), 0.28) / np.sqrt(width * height)
    hand = replace(hand, size=float(np.clip(hand.size**0.25 * reach**0.75, 14, 130)))
    return Signature(
        runs=runs,
        flourish=flourish,
        hand=hand,
        days=tuple(_on_a_day(hand, rng) for _ in range(rng.integers(1, 5))),
        forget=rng.choice([0.0, 0.0, 0.15]),
    )


def _on_a_day(hand: Hand, rng: np.random.Generator) -> Hand:
    """Vary a hand as it differs from day to day."""
    return replace(
        hand,
        size=hand.size * rng.lognormal(0, 0.06),
        slant=hand.slant + rng.normal(0, 0.03),
        tempo=hand.tempo * rng.lognormal(0, 0.12),
        pen=hand.pen if rng.uniform() < 0.5 else draw_pen(rng),
    )


def _one_of(kinds: dict, rng: np.random.Generator):
    """Draw one of the keys, as often as its value says."""
    return list(kinds)[rng.choice(len(kinds), p=list(kinds.values()))]
