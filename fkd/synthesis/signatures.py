"""Sets of signatures, genuine and forged."""

from pathlib import Path

from fkd.ranges import Count, CountFromZero, checked
from fkd.seeding import generator
from fkd.synthesis.ink import save
from fkd.synthesis.signers import make_signature
from fkd.synthesis.specimens import forge, sign


@checked
def draw_signatures(
    *,
    folder: Path,
    writers: Count,
    genuine: Count,
    skilled: CountFromZero,
    seed: int,
    first: Count = 1,
    edition: Count = 1,
) -> None:
    """Draw ``folder/genuine/WWW-SS.png`` and ``folder/skilled/WWW-SS.png``.

    Images look like signatures cut out of forms scanned at 300 dpi. An image depends only on
    the seed, its writer and its number. Every forgery of a signature is by another forger.

    Parameters
    ----------
    folder : Path
        The folder to write to.
    writers : int
        The number of writers.
    genuine : int
        The number of genuine signatures of each writer.
    skilled : int
        The number of skilled forgeries of each writer.
    seed : int
        The study's seed.
    first : int
        The number of the first writer. Sets whose numbers differ have different writers.
    edition : int
        The number of the edition, from 1. Signatures are numbered on from edition to edition, so
        that each has others of the same writers.

    Raises
    ------
    FkdError
        Where a number is too small.
    """

    def numbers(count: int) -> range:
        return range((edition - 1) * count + 1, edition * count + 1)

    for writer in range(first, first + writers):
        signature = make_signature(generator(seed, "signature writer", writer))
        for number in numbers(genuine):
            image = sign(signature, generator(seed, "genuine", writer, number))
            save(image, Path(folder) / "genuine" / f"{writer:03d}-{number:02d}.png")
        for number in numbers(skilled):
            image = forge(signature, generator(seed, "skilled", writer, number))
            save(image, Path(folder) / "skilled" / f"{writer:03d}-{number:02d}.png")
