"""Signers: what each has learned to write as a signature."""

from dataclasses import dataclass, replace

import numpy as np

from fkd.synthesis.letters import CAPITALS
from fkd.synthesis.spelling import make_word, spell
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
        The signer's hand.
    forget : float
        The chance that the flourish is left out.
    """

    runs: list[np.ndarray]
    flourish: list[np.ndarray]
    hand: Hand
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
        Initials and a name of 4 to 10 letters, with or without a flourish. In hasty hands,
        the later letters melt into a scribble.
    """
    hand = draw_hand(rng)
    # People sign larger, faster and rounder than they write.
    hand = replace(
        hand,
        size=hand.size * rng.uniform(0.85, 1.3),
        slant=hand.slant + rng.normal(0.05, 0.1),
        width=hand.width * rng.uniform(0.75, 1.25),
        tempo=hand.tempo * rng.uniform(0.6, 1.0),
        crispness=hand.crispness * rng.uniform(0.8, 1.05),
        lifts=hand.lifts * 0.5,
    )
    runs: list[np.ndarray] = []
    x = 0.0
    names = 1 + (rng.uniform() < 0.35)
    # The rest of each name's letters become a scribble.
    legible = int(rng.choice([1, 2, 3, 4, 10], p=[0.1, 0.15, 0.15, 0.15, 0.45]))
    large = rng.uniform(0.9, 1.6)

    def write(text: str, scale: float) -> None:
        nonlocal x
        main, late, advance = spell(text, hand, rng)
        runs.extend(run * scale + np.array([x, 0]) for run in late + main)
        x += advance * scale

    # Initials, before a single name only.
    for _ in range(rng.integers(0, 3) if names == 1 else 0):
        write(rng.choice(list(CAPITALS)), large)
        x += rng.uniform(-0.3, 0.5)
    for _ in range(names):
        write(rng.choice(list(CAPITALS)), large)
        name = make_word(rng, 3, 9 if names == 1 else 5)
        write(name[:legible], 1.0)
        if len(name) > legible:
            # The pen stays down between the last letter and the scribble.
            waves = _scribble(len(name) - legible, hand, rng) + np.array([x, 0])
            runs[-1] = np.concatenate([runs[-1], waves])
            x = float(waves[:, 0].max())
        x += rng.uniform(0.2, 1.0)
    flourish = _flourish(runs, x, rng)
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
        forget=rng.choice([0.0, 0.0, 0.15]),
    )


def _scribble(letters: int, hand: Hand, rng: np.random.Generator) -> np.ndarray:
    """Make up waves in place of the letters that a hasty hand no longer forms."""
    humps = letters + int(rng.integers(0, 2))
    height = np.linspace(rng.uniform(0.6, 1.1), rng.uniform(0.1, 0.6), humps)
    height = height * rng.lognormal(0, 0.3, humps)
    tall = rng.uniform(size=humps) < 0.12
    height[tall] += rng.uniform(0.5, 1.2, tall.sum())
    left = np.cumsum(rng.uniform(0.5, 1.0, humps)) * hand.width * 0.8
    lean = rng.uniform(-0.35, 0.2)
    # Peaks and valleys take turns.
    x = np.stack([left + lean, left + 0.35 * hand.width], axis=1).ravel()
    y = np.stack([height, rng.normal(0, 0.08, humps)], axis=1).ravel()
    return np.stack([x, y], axis=1)


def _flourish(runs: list[np.ndarray], x: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Make up the strokes around, under or through a name that is x wide."""
    ends = runs[-1][-1]
    kind = rng.choice(["none", "line", "tail", "loop", "swing", "cross", "dots"],
                      p=[0.26, 0.16, 0.16, 0.14, 0.12, 0.08, 0.08])  # fmt: skip
    low = -rng.uniform(0.6, 1.5)
    start = rng.uniform(-0.05, 0.35) * x
    stop = rng.uniform(0.75, 1.15) * x
    tilt = rng.normal(0.0, 0.3)
    if kind == "line":
        return [np.array([[start, low], [stop, low + tilt]])]
    if kind == "tail":
        rise = rng.uniform(-0.8, 1.6)
        far = rng.uniform(0.15, 0.45) * x
        return [ends + np.array([[0, 0], [0.3, -0.3], [far, rise]])]
    if kind == "loop":
        shape = [[stop, 0.1], [stop, low], [start, low - 0.4], [start - 0.4, low + 0.5],
                 [stop + 0.5, low + tilt]]  # fmt: skip
        return [np.array(shape)]
    if kind == "swing":
        high = rng.uniform(1.5, 2.6)
        shape = [ends, [x + 1.2, 0.6 * high], [0.6 * x, high], [start, 0.3 * high],
                 [0.5 * x, low], [stop + 0.6, low + 0.5]]  # fmt: skip
        return [np.array(shape)]
    if kind == "cross":
        return [np.array([[start, rng.uniform(0.3, 1.3)], [stop, rng.uniform(0.3, 1.6)]])]
    if kind == "dots":
        return [np.array([[x + gap, 0.0], [x + gap + 0.12, 0.03]]) for gap in (0.3, 0.9)]
    return []
