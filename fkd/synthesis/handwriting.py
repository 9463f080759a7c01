"""Pages of handwriting by made-up writers, each with a different hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from fkd.ranges import Count, checked
from fkd.seeding import generator
from fkd.synthesis.ink import Sheet, save
from fkd.synthesis.spelling import make_word, spell
from fkd.synthesis.style import Hand, draw_hand

_MARGIN = 70  # pixels around the text
_TIMING = 0.12  # standard deviation of the logarithm of the strokes' durations


@checked
def draw_pages(
    *, folder: Path, writers: Count, pages: Count, lines: Count, seed: int, first: Count = 1
) -> None:
    """Draw pages of handwriting as ``folder/wWWW/wWWW-P.png``.

    Pages look like forms scanned at 300 dpi and cropped to the handwriting: about 2000
    pixels wide, with a line every 110 to 200 pixels. A page depends only on the seed, its
    writer and its number.

    Parameters
    ----------
    folder : Path
        The folder to write to.
    writers : int
        The number of writers.
    pages : int
        The number of pages of each writer, which are numbered from 1.
    lines : int
        The number of lines of text on a page.
    seed : int
        The study's seed.
    first : int
        The number of the first writer.

    Raises
    ------
    FkdError
        Where one of the numbers is less than 1.
    """
    for writer in range(first, first + writers):
        hand = draw_hand(generator(seed, "page writer", writer))
        for number in range(1, pages + 1):
            image = draw_page(hand, lines, generator(seed, "page", writer, number))
            save(image, Path(folder) / f"w{writer:03d}" / f"w{writer:03d}-{number}.png")


def draw_page(hand: Hand, lines: int, rng: np.random.Generator) -> np.ndarray:
    """Draw one page of made-up text.

    Parameters
    ----------
    hand : Hand
        The writer's hand.
    lines : int
        The number of lines of text.
    rng : numpy.random.Generator
        The page's generator.

    Returns
    -------
    (height, width) uint8 array
        Gray levels, dark ink on light paper.
    """
    # A hand is never quite the same on two days, so each page has its own size, slant, pen
    # and tempo.
    hand = replace(
        hand,
        size=hand.size * rng.lognormal(0, 0.03),
        slant=hand.slant + rng.normal(0, 0.03),
        pen=replace(hand.pen, width=hand.pen.width * rng.lognormal(0, 0.06)),
        tempo=hand.tempo * rng.lognormal(0, 0.08),
    )
    pitch = float(np.clip(hand.size * rng.uniform(3.7, 4.4), 110, 200))
    width = int(rng.integers(1800, 2300))
    sheet = Sheet(round(_MARGIN + pitch * (lines + 0.6)), width)
    new_sentence = True
    for line in range(lines):
        start = np.array([_MARGIN + rng.normal(0, 8), _MARGIN + pitch * (line + 0.75)])
        runs, new_sentence = _line(hand, start, width - _MARGIN, new_sentence, rng)
        path = hand.write(runs, _TIMING, rng)
        usual = hand.size / hand.tempo  # pixels per second, in a stroke of one x-height
        sheet.draw(path, pen=hand.pen, usual=usual, pressure=hand.pressure, rng=rng)
    return sheet.scan(ink=hand.pen.ink, paper=rng.uniform(232, 250), rng=rng)


def _line(
    hand: Hand, start: np.ndarray, right: float, new_sentence: bool, rng: np.random.Generator
) -> tuple[list[np.ndarray], bool]:
    """Lay out words up to the right margin.

    Returns
    -------
    runs : list of (n, 2) float arrays
        Targets between lifts of the pen, pixels of the page.
    new_sentence : bool
        Whether the next line starts a sentence.
    """
    runs: list[np.ndarray] = []
    x = 0.0
    room = (right - start[0]) / hand.size  # lengths are in x-heights until `place`
    while True:
        word = make_word(rng, 2, 9)
        if new_sentence or rng.uniform() < 0.08:
            word = word.capitalize() if word.capitalize()[0] in hand.letters else word
        ends = rng.uniform() < 0.12
        word += ("." if rng.uniform() < 0.6 else ",") if ends else ""
        main, late, advance = spell(word, hand, rng)
        if x + advance > room and x > 0:  # a line has at least one word
            break
        new_sentence = word.endswith(".")
        # Each word is slightly taller or shorter, higher or lower than the others.
        height = rng.lognormal(0, 0.04)
        shift = [x, rng.normal(0, 0.03)]
        runs += [run * height + shift for run in main + late]
        x += advance * height + hand.word_gap * rng.lognormal(0, 0.2)
    rise = hand.rise + rng.normal(0, 0.004)
    phase, waves = rng.uniform(0, 2 * np.pi), rng.uniform(1, 2.5)

    def place(run: np.ndarray) -> np.ndarray:
        # The slant shears letters to the right; y points up in letters and down in images.
        x, y = (run + rng.normal(0, hand.jitter, run.shape)).T
        base = rise * x + hand.wander * np.sin(phase + 2 * np.pi * waves * x / room)
        return start + hand.size * np.stack([x + hand.slant * y, -(y + base)], axis=1)

    return [place(run) for run in runs], new_sentence
