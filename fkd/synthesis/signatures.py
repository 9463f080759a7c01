"""Sets of signatures, genuine and forged."""

from pathlib import Path

from fkd.errors import FkdError
from fkd.seeding import generator
from fkd.synthesis.ink import save
from fkd.synthesis.signers import make_signature
from fkd.synthesis.specimens import forge, sign


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
    genuine : int
        Genuine signatures of each writer, numbered from 1.
    skilled : int
        Skilled forgeries of each writer, numbered from 1.
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
