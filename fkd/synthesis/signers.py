"""Signers: what each has learned to write as a signature."""

from dataclasses import dataclass, replace

import numpy as np

from fkd.synthesis.bodies import BODIES, Runs
from fkd.synthesis.flourishes import FLOURISHES
from fkd.synthesis.ink import draw_pen
from fkd.synthesis.style import Hand, draw_hand


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
        A body, such as initials and a name, with or without a flourish, as large as the hand.
    """
    hand = draw_hand(rng)
    # People sign larger, faster and rounder than they write. Letters keep the size of the hand,
    # however many there are: signatures that all fill much the same room teach a network less.
    hand = replace(
        hand,
        size=hand.size * rng.uniform(0.85, 1.3),
        slant=hand.slant + rng.normal(0.05, 0.12),
        width=hand.width * rng.uniform(0.8, 1.6),
        tempo=hand.tempo * rng.uniform(0.6, 1.0),
        crispness=hand.crispness * rng.uniform(0.8, 1.05),
        lifts=hand.lifts * 0.5,
    )
    runs = _one_of(BODIES, rng)(hand, rng)
    flourish = _one_of(FLOURISHES, rng)(runs, rng) if rng.uniform() < 0.74 else []
    rise = rng.normal(0.1, 0.12)
    decay = rng.uniform(-0.02, 0.03)  # letters grow or shrink towards the end

    def place(run: np.ndarray) -> np.ndarray:
        u, y = run.T
        y = y * np.exp(-decay * u)
        return np.stack([u + hand.slant * y, y + rise * u], axis=1)

    return Signature(
        runs=[place(run) for run in runs],
        flourish=[place(run) for run in flourish],
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
