"""Drawn signatures beside those of people: what tells them apart, and which are mistaken."""

from pathlib import Path

import numpy as np
import pandas as pd

from fkd.errors import FkdError
from fkd.figures.appearance import draw_rows
from fkd.seeding import generator
from fkd.signatures.realism import FOLDS, MEASURES, measure, tell_apart
from fkd.storage import shards
from fkd.storage.atomic import writing
from fkd.study.markup import escape_markdown

DRAWN = "drawn sets"
"""The drawn sets together, in the table. No set has this name, since names have no spaces."""

MOST = 2000
"""The largest number of genuine signatures of a set that are measured, drawn at random."""


def compare_drawn(
    *,
    signatures: list[Path],
    drawn: list[str],
    csv: Path,
    markdown: Path,
    svg: Path,
    png: Path,
    seed: int = 0,
) -> None:
    """Tell drawn signatures from real ones: the more often that fails, the closer they are.

    Parameters
    ----------
    signatures : list of Path
        Shards of kind "signatures", some of them drawn; their genuine signatures are compared.
    drawn : list of str
        The names of the drawn sets. All of them are one side; each other set is told from them.
    csv : Path
        For each real set the accuracy of :func:`fkd.signatures.realism.tell_apart`, unless it has
        too few writers, and for each side the median of every measure; ``drawn sets`` is a row
        without an accuracy.
    markdown : Path
        The same for readers.
    svg : Path
        The figure: of the first real set and of the drawn ones, signatures that were taken for the
        other side, and those that were recognized most surely. If all sets have too few writers,
        some of each.
    png : Path
        The same figure.
    seed : int
        The study's seed.

    Raises
    ------
    FkdError
        If there are no drawn sets or no real ones.
    """
    sides: dict[str, list] = {DRAWN: []}
    for path in signatures:
        shard = shards.read(path, "signatures", ["image", "writer", "forgery"])
        name = shard.attributes["set"]
        genuine = np.flatnonzero(~shard["forgery"].astype(bool))
        rows = np.sort(generator(seed, "measured", name).permutation(genuine)[:MOST])
        images, writers = shard["image"][rows], [f"{name}/{w}" for w in shard["writer"][rows]]
        sides.setdefault(DRAWN if name in drawn else name, []).append((images, writers))
    if not sides[DRAWN] or len(sides) < 2:
        raise FkdError("Drawn signatures are compared with real ones: give sets of both.")
    image = {name: np.concatenate([part for part, _ in parts]) for name, parts in sides.items()}
    writer = {name: np.concatenate([own for _, own in parts]) for name, parts in sides.items()}
    measured = {name: np.array([measure(one) for one in images]) for name, images in image.items()}
    gaps = {
        name: tell_apart(measured[DRAWN], measured[name], writer[DRAWN], writer[name], seed=seed)
        for name in sides
        if name != DRAWN and all(len(np.unique(writer[side])) >= FOLDS for side in (DRAWN, name))
    }
    table = pd.DataFrame(
        {name: np.median(values, axis=0) for name, values in measured.items()}, list(MEASURES)
    ).T
    accuracy = {name: gap.accuracy for name, gap in gaps.items()}
    table.insert(0, "accuracy", pd.Series(accuracy, dtype=float))
    table.insert(0, "signatures", {name: len(values) for name, values in measured.items()})
    with writing(csv) as part:
        table.to_csv(part, index_label="set")
    with writing(markdown) as part:
        part.write_text(_in_words(table), encoding="utf-8")

    def ordered(name: str, by: np.ndarray) -> np.ndarray:
        """Sort the images of a side, and take the first one by each writer."""
        order = np.argsort(by, stable=True)
        rows = np.unique(writer[name][order], return_index=True)[1]
        return image[name][order[np.sort(rows)]]

    if gaps:
        first, gap = next(iter(gaps.items()))
        shown = {
            "drawn, and taken for real": ordered(DRAWN, gap.drawn),
            "drawn, and recognized": ordered(DRAWN, -gap.drawn),
            f"{first}, and taken for drawn": ordered(first, -gap.real),
            f"{first}, and recognized": ordered(first, gap.real),
        }
    else:
        shown = {name: ordered(name, np.arange(len(image[name]))) for name in sides}
    draw_rows(shown, svg, png)


def _in_words(table: pd.DataFrame) -> str:
    """Write the table for readers."""
    names = [escape_markdown(name) for name in table.index]
    counts = [f"{count:,}" for count in table["signatures"]]
    accuracy = ["" if np.isnan(value) else f"{100 * value:.1f} %" for value in table["accuracy"]]
    summary = pd.DataFrame({"set": names, "signatures": counts, "told from drawn ones": accuracy})
    medians = table[list(MEASURES)].T.round(3)
    medians.columns = names
    medians.index = pd.Index(MEASURES.values(), name="median of")
    return (
        "# Drawn signatures and those of people\n\n"
        + summary.to_markdown(index=False, disable_numparse=True)
        + "\n\nA classifier of what is measured below tells drawn signatures from those of each "
        "set, and has seen none by the writers that it judges. The mean of its accuracies on both "
        f"is 50 % if they are alike, and 100 % if none is mistaken. It takes {FOLDS} writers of both.\n\n"
        + medians.to_markdown()
        + "\n"
    )
