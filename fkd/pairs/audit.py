"""The audit of a split: what its parts have in common, by the content of the images."""

from collections.abc import Iterator

import numpy as np

from fkd.pairs.parts import PARTS, TEST, TRAINING, VALIDATION

COLUMNS = ("pairs_list", "split", "part", "against")
COLUMNS += ("common_pairs", "pairs", "common_images", "images", "common_writers", "writers")
"""The columns of an audit: of the ``pairs``, ``images`` and ``writers`` of a part, so many are also
in the part that it stands against."""

AGAINST = (
    (VALIDATION, (TRAINING,)),
    (TEST, (VALIDATION,)),
    (TEST, (TRAINING,)),
    (TEST, (TRAINING, VALIDATION)),
)
"""The comparisons: a part, and the part or parts that it should have nothing in common with. Both
learning parts together are what a file of training pairs held before a validation was taken out."""


def audit_parts(
    first: np.ndarray, second: np.ndarray, part: np.ndarray, copy_of: np.ndarray, writer: np.ndarray
) -> Iterator[tuple]:
    """Count what parts have in common.

    Parameters
    ----------
    first, second : ndarray of int, (n,)
        The images of each pair.
    part : ndarray of int, (n,)
        The part of each pair.
    copy_of : ndarray of int, (images,)
        For each image, the first one with the same content. So copies under other names count as
        one image.
    writer : ndarray of str, (images,)
        The writer of each image.

    Yields
    ------
    tuple
        ``part`` to ``writers`` of :data:`COLUMNS`, for each comparison of :data:`AGAINST`.

    Examples
    --------
    One test pair is a training pair, with its images in the other order and one of them a copy.

    >>> import numpy as np
    >>> from fkd.pairs.audit import audit_parts
    >>> first, second, part = np.array([0, 3, 4]), np.array([1, 0, 2]), np.array([0, 2, 2])
    >>> copy_of, writer = np.array([0, 1, 2, 1, 4]), np.array(list("aabab"))
    >>> for row in audit_parts(first, second, part, copy_of, writer):
    ...     print(*row)
    validation training 0 0 0 0 0 0
    test validation 0 2 0 4 0 2
    test training 1 2 2 4 1 2
    test training and validation 1 2 2 4 1 2
    """
    images = np.sort(np.stack([copy_of[first], copy_of[second]], axis=1), axis=1)  # (n, 2)
    pairs, named, writers = [], [], []
    for number in range(len(PARTS)):
        rows = images[part == number]
        pairs.append(list(map(tuple, rows.tolist())))
        named.append(set(rows.ravel().tolist()))
        writers.append({writer[image] for image in named[-1]})
    for number, others in AGAINST:
        known = set().union(*(pairs[other] for other in others))
        # Pairs are counted as rows: lists hold many a pair in both orders.
        counts = [sum(pair in known for pair in pairs[number]), len(pairs[number])]
        for kind in (named, writers):
            theirs = set().union(*(kind[other] for other in others))
            counts += [len(kind[number] & theirs), len(kind[number])]
        yield PARTS[number], " and ".join(PARTS[other] for other in others), *counts
