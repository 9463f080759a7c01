"""Random draws that depend on what they are drawn for, never on when."""

import hashlib

import numpy as np


def entropy(seed: int, *drawn_for: object) -> int:
    """Derive a 64-bit seed from the study's seed and the thing drawn for.

    Parameters
    ----------
    seed : int
        The study's seed.
    *drawn_for : object
        What the draw is for, as strings and integers, such as
        ``("crop", page, line)``.

    Returns
    -------
    int
        The same number for the same arguments, on every machine, whatever was
        drawn before.
    """
    name = "\x1f".join(str(part) for part in (seed, *drawn_for))
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def generator(seed: int, *drawn_for: object) -> np.random.Generator:
    """Make a NumPy generator from :func:`entropy` of the same arguments.

    Parameters
    ----------
    seed : int
        The study's seed.
    *drawn_for : object
        What the draws are for.

    Returns
    -------
    numpy.random.Generator
        A generator of its own, independent of all others.
    """
    return np.random.default_rng(entropy(seed, *drawn_for))
