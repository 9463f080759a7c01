"""Signatures: genuine ones, and skilled forgeries by other hands."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from fkd.errors import FkdError
from fkd.seeding import generator
from fkd.synthesis.ink import Sheet, save
from fkd.synthesis.letters import CAPITALS
from fkd.synthesis.spelling import make_word, spell
from fkd.synthesis.strokes import plan, trace
from fkd.synthesis.style import Hand, draw_hand

_FORGET = 0.8  # share of a misplacement that the next target still has


@dataclass(frozen=True)
class Signature:
    """What a signer has learned to write.

    Attributes
    ----------
    runs : list of (n, 2) float arrays
        Targets between lifts of the pen, in x-heights, slanted, y upwards.
    flourish : list of (n, 2) float arrays
        The same for what is added when the name is written.
    hand : Hand
        The signer's.
    forget : float
        Chance that the flourish is left out.
    """

    runs: list[np.ndarray]
    flourish: list[np.ndarray]
    hand: Hand
    forget: float


@dataclass(frozen=True)
class Variation:
    """How far one specimen departs from the signature. Standard deviations.

    Attributes
    ----------
    scale, aspect : float
        Of the logarithm of size and of width over height.
    rotation, shear : float
        Radians; tangent.
    warp : float
        Of smooth shifts of whole parts, x-heights.
    targets : float
        Of single targets, x-heights.
    proportion : float
        Of the logarithm of the strokes' lengths.
    timing : float
        Of the logarithm of the strokes' durations.
    """

    scale: float
    aspect: float
    rotation: float
    shear: float
    warp: float
    targets: float
    proportion: float
    timing: float


#: From one genuine signature to the next.
GENUINE = Variation(
    scale=0.07,
    aspect=0.06,
    rotation=0.035,
    shear=0.05,
    warp=0.09,
    targets=0.04,
    proportion=0.05,
    timing=0.15,
)

#: From the signature to what a practiced forger makes of it.
SKILLED = Variation(
    scale=0.13,
    aspect=0.10,
    rotation=0.05,
    shear=0.09,
    warp=0.22,
    targets=0.08,
    proportion=0.14,
    timing=0.3,
)


def draw_signatures(
    *, folder: Path, writers: int, genuine: int, skilled: int, seed: int, first: int = 1
) -> None:
    """Draw ``folder/genuine/WWW-SS.png`` and ``folder/skilled/WWW-SS.png``.

    Images look like signatures cut out of forms scanned at 300 dpi. Each is drawn for its
    seed, writer and number alone. Every forgery of a signature is by another forger.

    Parameters
    ----------
    folder : Path
        Where to write.
    writers : int
        Number of writers.
    genuine, skilled : int
        Genuine signatures and skilled forgeries of each writer, numbered from 1.
    seed : int
        The study's seed.
    first : int
        Number of the first writer; sets whose numbers differ have different writers.

    Raises
    ------
    FkdError
        Where there is nothing to draw.
    """
    for name, value in (("writers", writers), ("genuine", genuine), ("first", first)):
        if value < 1:
            raise FkdError(f"{name} is {value}. Set {name} to at least 1.")
    if skilled < 0:
        raise FkdError(f"skilled is {skilled}. Set skilled to 0 or more.")
    for writer in range(first, first + writers):
        signature = make_signature(generator(seed, "signature writer", writer))
        for number in range(1, genuine + 1):
            image = sign(signature, generator(seed, "genuine", writer, number))
            save(image, Path(folder) / "genuine" / f"{writer:03d}-{number:02d}.png")
        for number in range(1, skilled + 1):
            image = forge(signature, generator(seed, "skilled", writer, number))
            save(image, Path(folder) / "skilled" / f"{writer:03d}-{number:02d}.png")


def make_signature(rng: np.random.Generator) -> Signature:
    """Make up a writer's signature.

    Parameters
    ----------
    rng : numpy.random.Generator
        The writer's generator.

    Returns
    -------
    Signature
        Initials and a name of 4 to 10 letters, the later ones of hasty hands melted into
        a scribble, with or without a flourish.
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
    legible = int(rng.choice([1, 2, 3, 4, 10], p=[0.1, 0.15, 0.15, 0.15, 0.45]))
    large = rng.uniform(0.9, 1.6)

    def write(text: str, scale: float) -> None:
        nonlocal x
        main, late, advance = spell(text, hand, rng)
        runs.extend(run * scale + np.array([x, 0]) for run in late + main)
        x += advance * scale

    for _ in range(rng.integers(0, 3) if names == 1 else 0):
        write(rng.choice(list(CAPITALS)), large)
        x += rng.uniform(-0.3, 0.5)
    for _ in range(names):
        write(rng.choice(list(CAPITALS)), large)
        name = make_word(rng, 3, 9 if names == 1 else 5)
        write(name[:legible], 1.0)
        if len(name) > legible:
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
    """Waves that stand for the letters a hasty hand no longer forms."""
    humps = letters + int(rng.integers(0, 2))
    height = np.linspace(rng.uniform(0.6, 1.1), rng.uniform(0.1, 0.6), humps)
    height = height * rng.lognormal(0, 0.3, humps)
    tall = rng.uniform(size=humps) < 0.12
    height[tall] += rng.uniform(0.5, 1.2, tall.sum())
    left = np.cumsum(rng.uniform(0.5, 1.0, humps)) * hand.width * 0.8
    lean = rng.uniform(-0.35, 0.2)
    x = np.stack([left + lean, left + 0.35 * hand.width], axis=1).ravel()
    y = np.stack([height, rng.normal(0, 0.08, humps)], axis=1).ravel()
    return np.stack([x, y], axis=1)


def _flourish(runs: list[np.ndarray], x: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw what goes around the name; shapes are in shares of the name's width."""
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


def sign(signature: Signature, rng: np.random.Generator) -> np.ndarray:
    """Draw one genuine signature.

    Parameters
    ----------
    signature : Signature
    rng : numpy.random.Generator
        The specimen's generator.

    Returns
    -------
    (height, width) uint8 array
        Gray levels, dark ink on light paper.
    """
    hand = signature.hand
    pen = hand.pen if rng.uniform() < 0.8 else rng.uniform(2.6, 6.2)  # not always the own pen
    hand = replace(
        hand,
        tempo=hand.tempo * rng.lognormal(0, 0.12),
        crispness=hand.crispness * rng.lognormal(0, 0.06),
        bend=hand.bend * rng.lognormal(0, 0.05),
        pen=pen * rng.lognormal(0, 0.06),
        ink=float(np.clip(hand.ink + rng.normal(0, 12), 10, 120)),
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
    forger, model = draw_hand(rng), signature.hand
    hand = replace(
        model,
        bend=0.5 * (model.bend + forger.bend),
        # Drawing is slower than writing: strokes come one by one, and the hand shakes.
        crispness=model.crispness * rng.uniform(1.0, 1.5),
        sigma=forger.sigma,
        tempo=model.tempo * rng.uniform(1.3, 2.6),
        tremor=max(model.tremor, forger.tremor) * rng.uniform(1.0, 2.2),
        pen=forger.pen,
        ink=forger.ink,
        pressure=forger.pressure,
    )
    return _perform(signature.runs + signature.flourish, hand, model, SKILLED, rng)


def _perform(
    runs: list[np.ndarray],
    hand: Hand,
    signer: Hand,
    variation: Variation,
    rng: np.random.Generator,
) -> np.ndarray:
    """Write the runs once, with a hand, and scan the sheet."""
    size = signer.size
    runs = [run * [size, -size] for run in _vary(runs, variation, rng)]
    movement = plan(
        runs,
        unit=size,
        bend=hand.bend,
        crispness=hand.crispness,
        sigma=hand.sigma,
        tempo=hand.tempo,
        timing=variation.timing,
        rng=rng,
    )
    path = trace(movement, tremor=hand.tremor * size, rng=rng)
    # The box: the ink and some paper around it.
    margin = rng.uniform(20, 70, (2, 2))
    corner = path.points.min(axis=0) - margin[0]
    width, height = np.ceil(path.points.max(axis=0) + margin[1] - corner).astype(int)
    sheet = Sheet(height, width)
    path = replace(path, points=path.points - corner)
    # Ink follows speed on the signer's scale: a slow hand presses harder.
    sheet.draw(path, pen=hand.pen, usual=size / signer.tempo, pressure=hand.pressure)
    return sheet.scan(ink=hand.ink, paper=rng.uniform(234, 250), rng=rng)


def _vary(
    runs: list[np.ndarray], variation: Variation, rng: np.random.Generator
) -> list[np.ndarray]:
    """Bend a signature's targets into one specimen's."""
    cuts = np.cumsum([len(run) for run in runs])[:-1]
    targets = np.concatenate(runs)
    # Proportions: strokes a little too long or short, and what follows is shifted; the
    # shift is forgotten with the letters that follow.
    steps = np.diff(targets, axis=0, prepend=targets[:1])
    wrong = steps * (np.exp(rng.normal(0, variation.proportion, (len(steps), 1))) - 1)
    drifts = lfilter([1.0], [1.0, -_FORGET], wrong, axis=0)
    x = targets[:, :1]
    span = np.ptp(x) + 1e-6
    waves = rng.uniform(0.5, 3.0, (3, 2))
    phase = rng.uniform(0, 2 * np.pi, (3, 2))
    shift = np.sin(2 * np.pi * waves[:, None] * (x / span) + phase[:, None])  # (3, n, 2)
    weights = rng.normal(0, variation.warp, (3, 1, 2))
    targets = targets + drifts + (weights * shift).sum(axis=0)
    targets = targets + rng.normal(0, variation.targets, targets.shape)
    angle = rng.normal(0, variation.rotation)
    stretch = np.exp(rng.normal(0, variation.aspect) / 2)
    affine = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    affine = np.diag([stretch, 1 / stretch]) @ affine * np.exp(rng.normal(0, variation.scale))
    affine = np.array([[1, 0], [rng.normal(0, variation.shear), 1]]) @ affine
    return np.split(targets @ affine, cuts)
