"""What stands in the middle of a signature: names, and what haste and other scripts make of them.

Each function takes the signer's hand and a generator, and gives runs: targets between lifts of
the pen, (n, 2), in x-heights, without slant, y upwards. They begin near x = 0.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fkd.synthesis.letters import CAPITALS
from fkd.synthesis.spelling import make_word, spell
from fkd.synthesis.style import Hand

Runs = list[np.ndarray]
"""Targets between lifts of the pen."""

Body = Callable[[Hand, np.random.Generator], Runs]


def name(hand: Hand, rng: np.random.Generator) -> Runs:
    """Write initials and one or two names. In hasty hands the later letters become a scribble."""
    runs: Runs = []
    x, y = 0.0, 0.0
    names = 1 + (rng.uniform() < 0.35)
    legible = int(rng.choice([1, 2, 3, 4, 10], p=[0.14, 0.16, 0.15, 0.15, 0.4]))
    large = rng.uniform(0.9, 1.9)
    hand = replace(hand, spacing=hand.spacing - rng.choice([0, rng.uniform(0, 0.45)]))
    below = rng.uniform() < 0.25  # a second name stands under the first

    def write(text: str, scale: float) -> None:
        nonlocal x
        main, late, advance = spell(text, hand, rng)
        runs.extend(run * scale + [x, y] for run in late + main)
        x += advance * scale

    # Initials, before a single name only.
    for _ in range(rng.integers(0, 3) if names == 1 else 0):
        write(rng.choice(list(CAPITALS)), large)
        x += rng.uniform(-0.9, 0.4)
    for number in range(names):
        if number and below:
            x, y = rng.uniform(0.0, 2.0), -rng.uniform(1.6, 2.6)
        write(rng.choice(list(CAPITALS)), large)
        word = make_word(rng, 3, 9 if names == 1 else 5)
        write(word[:legible], 1.0)
        if len(word) > legible:
            # The pen stays down between the last letter and the scribble.
            waves = _scribble(len(word) - legible, hand, rng) + [x, y]
            runs[-1] = np.concatenate([runs[-1], waves])
            x = float(waves[:, 0].max())
        x += rng.uniform(0.1, 1.0)
    return runs


def capitals(hand: Hand, rng: np.random.Generator) -> Runs:
    """Print one or two names in capitals, without joining them."""
    hand = replace(hand, lifts=1.0, width=0.75 * hand.width, spacing=rng.uniform(-0.1, 0.3))
    runs: Runs = []
    x = 0.0
    for _ in range(1 + (rng.uniform() < 0.5)):
        word = "".join(rng.choice(list(CAPITALS), rng.integers(3, 8)))
        main, late, advance = spell(word, hand, rng)
        scale = rng.uniform(0.6, 0.9)
        runs += [run * scale + [x, 0] for run in main + late]
        x += advance * scale + rng.uniform(0.6, 1.4)
    return runs


def scrawl(hand: Hand, rng: np.random.Generator) -> Runs:
    """Write a large capital, and let all that follows run together."""
    main, late, advance = spell(rng.choice(list(CAPITALS)), hand, rng)
    large = rng.uniform(1.2, 2.4)
    runs = [run * large for run in late + main]
    waves = _scribble(int(rng.integers(4, 13)), hand, rng)
    waves = waves * [rng.uniform(0.6, 1.5), rng.uniform(0.8, 2.0)]
    runs[-1] = np.concatenate([runs[-1], waves + [large * advance * rng.uniform(0.3, 0.9), 0]])
    return runs


def loops(hand: Hand, rng: np.random.Generator) -> Runs:
    """Write a chain of loops, some of them tall and some hanging, as of letters e, l and g."""
    height = rng.choice(
        [0.8, 1.0, 2.0, 2.6, -1.2], rng.integers(5, 15), p=[0.3, 0.3, 0.17, 0.1, 0.13]
    )
    height = height * rng.lognormal(0, 0.15, len(height))
    lean, wide = rng.uniform(0.0, 0.5), hand.width * rng.uniform(0.35, 0.8)
    step = wide * rng.uniform(0.7, 1.6)
    targets, x = [[0.0, 0.1]], 0.0
    for tall in height:
        turn = np.array([[0.6, 0.35], [1.0, 0.85], [0.55, 1.0], [0.05, 0.7], [0.25, 0.15]])
        targets += (turn * [wide, tall] + np.outer(turn[:, 1], [lean * tall, 0]) + [x, 0]).tolist()
        x += step * rng.lognormal(0, 0.15)
    return [np.array([*targets, [x + wide, rng.uniform(-0.2, 0.6)]])]


def monogram(hand: Hand, rng: np.random.Generator) -> Runs:
    """Write two or three large capitals into each other."""
    runs: Runs = []
    x = 0.0
    for letter in rng.choice(list(CAPITALS), rng.integers(2, 4)):
        scale = rng.uniform(1.2, 2.2)
        main, late, advance = spell(letter, hand, rng)
        runs += [run * scale + [x, rng.normal(0, 0.2)] for run in main + late]
        x += advance * scale * rng.uniform(0.2, 0.7)
    return runs


def headline(hand: Hand, rng: np.random.Generator) -> Runs:
    """Hang syllables from a bar, with marks above and below, as in scripts of northern India."""
    runs: Runs = []
    x, top = 0.0, 1.5
    bars = []
    for _ in range(rng.integers(1, 3)):
        begin = x
        for _ in range(rng.integers(2, 5)):
            wide = hand.width * rng.uniform(0.7, 1.2)
            kind = rng.integers(4)
            bowl = {
                0: [[0.9, 0.95], [0.2, 1.0], [0.1, 0.45], [0.6, 0.35], [1.0, 0.6]],
                1: [[0.0, 1.2], [0.5, 1.25], [0.45, 0.75], [0.1, 0.7], [0.6, 0.5], [0.3, 0.0]],
                2: [[0.1, 1.5], [0.1, 0.6], [0.5, 0.4], [0.9, 0.8]],
                3: [[0.2, 1.1], [0.7, 1.1], [0.6, 0.6], [0.15, 0.6], [0.2, 0.1], [0.8, 0.0]],
            }[int(kind)]  # fmt: skip
            shape = np.array(bowl) + rng.normal(0, 0.09, (len(bowl), 2))
            runs.append(shape * [wide, 1] + [x, 0])
            if rng.uniform() < 0.65:  # the stem, from the bar to the ground
                runs.append(np.array([[x + wide, top], [x + wide + rng.normal(0, 0.04), 0.0]]))
            mark = rng.uniform()
            if mark < 0.3:  # above the bar
                arch = [[0.1, top], [0.3, top + 0.7], [0.8, top + 0.75], [1.0, top]]
                runs.append(np.array(arch) * [wide, 1] + [x, 0])
            elif mark < 0.42:  # below the ground
                hook = [[0.5, -0.1], [0.9, -0.4], [0.4, -0.6], [0.1, -0.45]]
                runs.append(np.array(hook) * [wide, 1] + [x, 0])
            x += wide * rng.uniform(1.05, 1.4)
        bars.append(
            np.array([[begin - 0.2, top + rng.normal(0, 0.1)], [x, top + rng.normal(0, 0.1)]])
        )
        x += rng.uniform(0.3, 0.9)
    return runs + bars if rng.uniform() < 0.8 else runs


def leftwards(hand: Hand, rng: np.random.Generator) -> Runs:
    """Write connected teeth, bowls and stems from right to left, and then their dots."""
    targets, dots, x = [[0.0, 0.6]], [], 0.0
    runs: Runs = []
    for _ in range(rng.integers(4, 10)):
        wide = hand.width * rng.uniform(0.4, 1.3)
        kind = rng.choice(4, p=[0.35, 0.3, 0.2, 0.15])
        if kind == 0:  # a tooth
            targets += [[x - 0.3 * wide, 0.0], [x - 0.6 * wide, 0.5], [x - wide, 0.0]]
        elif kind == 1:  # a bowl under the line
            deep = rng.uniform(0.6, 1.6)
            targets += [[x - 0.1, -0.4 * deep], [x - 0.6 * wide, -deep], [x - 1.5 * wide, -0.1]]
            wide *= 1.5
        elif kind == 2:  # a stem
            tall = rng.uniform(1.4, 2.6)
            targets += [[x - 0.3 * wide, tall], [x - 0.45 * wide, 0.0], [x - wide, 0.05]]
        else:  # an eye
            targets += [
                [x - 0.1, 0.5],
                [x - 0.5 * wide, 0.7],
                [x - 0.4 * wide, 0.1],
                [x - wide, 0.0],
            ]
        if rng.uniform() < 0.4:
            place = [x - 0.5 * wide, rng.choice([1.0, -0.7]) + rng.normal(0, 0.15)]
            dots.append(np.array([place, np.add(place, [-0.14, -0.05])]))
        x -= wide
        if rng.uniform() < 0.2:  # the pen is lifted
            runs.append(np.array(targets))
            x -= 0.2
            targets = [[x, 0.5]]
    runs.append(np.array([*targets, [x - 0.3, rng.uniform(-0.6, 0.3)]]))
    return [run - [x, 0] for run in runs + dots]


BODIES: dict[Body, float] = {
    name: 0.44,
    capitals: 0.06,
    scrawl: 0.14,
    loops: 0.14,
    monogram: 0.08,
    headline: 0.08,
    leftwards: 0.06,
}
"""The bodies, and how often each is drawn."""


def _scribble(letters: int, hand: Hand, rng: np.random.Generator) -> np.ndarray:
    """Make up waves in place of the letters that a hasty hand no longer forms."""
    humps = letters + int(rng.integers(0, 2))
    height = np.linspace(rng.uniform(0.6, 1.1), rng.uniform(0.1, 0.6), humps)
    height = height * rng.lognormal(0, 0.3, humps)
    tall = rng.uniform(size=humps) < 0.12
    height[tall] += rng.uniform(0.5, 1.6, tall.sum())
    left = np.cumsum(rng.uniform(0.35, 1.0, humps)) * hand.width * rng.uniform(0.45, 0.85)
    lean = rng.uniform(-0.35, 0.2)
    # Peaks and valleys take turns.
    x = np.stack([left + lean, left + 0.35 * hand.width], axis=1).ravel()
    y = np.stack([height, rng.normal(0, 0.08, humps)], axis=1).ravel()
    return np.stack([x, y], axis=1)
