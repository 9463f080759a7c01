"""Random streams that depend on what they are drawn for, and not on what was drawn before."""

import hashlib

import numpy as np


def entropy(seed: int, *drawn_for: object) -> int:
    """Derive a 64-bit seed from the study's seed and the purpose of a draw.

    Parameters
    ----------
    seed : int
        The study's seed.
    *drawn_for : object
        The purpose of the draw, as strings and integers, such as ``("crop", page, line)``.

    Returns
    -------
    int
        The same number for the same arguments, on every machine, whatever was
        drawn before.

    Examples
    --------
    >>> from fkd.seeding import entropy
    >>> entropy(1, "crop", "page-7", 2) == entropy(1, "crop", "page-7", 2)
    True
    >>> entropy(1, "crop", "page-7", 2) == entropy(1, "crop", "page-7", 3)
    False
    """
    # The separator keeps apart what would read alike: ("a", 12) and ("a1", 2).
    name = "\x1f".join(str(part) for part in (seed, *drawn_for))
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def generator(seed: int, *drawn_for: object) -> np.random.Generator:
    """Make a NumPy generator from :func:`entropy` of the same arguments.

    Parameters
    ----------
    seed : int
        The study's seed.
    *drawn_for : object
        The purpose of the draws.

    Returns
    -------
    numpy.random.Generator
        A new generator, independent of all others.

    Examples
    --------
    >>> from fkd.seeding import generator
    >>> first, again = generator(1, "order", 0), generator(1, "order", 0)
    >>> bool(first.random() == again.random())
    True
    """
    return np.random.default_rng(entropy(seed, *drawn_for))
