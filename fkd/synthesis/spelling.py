"""Words: how they are made up, and how they become the targets of a hand."""

import numpy as np

from fkd.synthesis.style import Hand

# A small grammar of syllables. Entries that are repeated are drawn more often.
_ONSETS = [
    *"b c d f g h h j k l l m m n n p r r s s t t t v w w".split(),
    *"th th sh st br tr pl ch gr qu".split(),
]
_NUCLEI = "a a a e e e e i i o o u ea ou ai y ee".split()
_CODAS = ["", "", "", "", *"n n r s t l d nd ng st ly m ck x z f p".split()]

_HIGH = 0.5  # x-heights: a letter that is left or entered above this is joined at the top


def make_word(rng: np.random.Generator, shortest: int, longest: int) -> str:
    """Make up a pronounceable word.

    Parameters
    ----------
    rng : numpy.random.Generator
        The generator of the word.
    shortest, longest : int
        The least and the largest number of letters.

    Returns
    -------
    str
        Lower-case letters.
    """
    length = int(rng.integers(shortest, longest + 1))
    word = ""
    while len(word) < length:
        word += rng.choice(_ONSETS) + rng.choice(_NUCLEI) + rng.choice(_CODAS)
    return word[:length]


def spell(
    word: str, hand: Hand, rng: np.random.Generator
) -> tuple[list[np.ndarray], list[np.ndarray], float]:
    """Lay out a word as the targets of a hand.

    Where two letters are joined, the entry of the second replaces the exit of the first.
    Only a high exit, as of o or v, replaces a low entry instead.

    Parameters
    ----------
    word : str
        Characters of :data:`fkd.synthesis.letters.ALPHABET`.
    hand : Hand
        The hand that writes the word.
    rng : numpy.random.Generator
        The generator that decides where the pen is lifted.

    Returns
    -------
    runs : list of (n, 2) float arrays
        Targets between lifts of the pen, in x-heights, without slant, from x = 0.
    late : list of (n, 2) float arrays
        Dots and bars, which are written after the word.
    width : float
        The width of the word in x-heights.
    """
    runs: list[np.ndarray] = []
    late: list[np.ndarray] = []
    x = 0.0
    open_run = False  # whether the pen is still down
    for character in word:
        letter = hand.letters[character]
        scale = np.array([hand.width, 1.0])
        placed = [run * scale + [x, 0] for run in letter.runs]
        if open_run:
            before, after = runs[-1], placed[0]
            if before[-1, 1] > _HIGH > after[0, 1]:
                after = after[1:]
            else:
                before = before[:-1]
            runs[-1] = np.concatenate([before, after])
            placed = placed[1:]
        runs += placed
        late += [run * scale + [x, 0] for run in letter.late]
        x += letter.width * hand.width + hand.spacing
        open_run = letter.joined and rng.uniform() >= hand.lifts
    return runs, late, x
