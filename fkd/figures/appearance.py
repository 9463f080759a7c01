"""A comparison of text crops with signatures: the size and shade of their ink, and examples."""

from pathlib import Path

import numpy as np
import pandas as pd

from fkd.seeding import generator
from fkd.storage import shards
from fkd.storage.atomic import writing
from fkd.study.markup import escape_markdown
from fkd.study.style import figure, save, styled

PERCENTILES = (5, 50, 95)

SHOWN = 6
"""The number of images in a row of the figure."""

MEASURED = {"height": "height of the ink", "width": "width", "brightest": "brightest pixel"}
"""The columns of :func:`ink_boxes`, with their headings in the table for readers."""


def compare_appearance(
    *,
    crops: list[Path],
    signatures: list[Path],
    csv: Path,
    markdown: Path,
    svg: Path,
    png: Path,
    seed: int = 0,
) -> None:
    """Compare the ink of text crops with that of the signature sets.

    Parameters
    ----------
    crops : list of Path
        Shards of kind "crops".
    signatures : list of Path
        Shards of kind "signatures"; their genuine signatures are compared.
    csv : Path
        5th, 50th and 95th percentile of the height and width of the box around the ink, in
        pixels of the 170 x 242 images, and of the brightest pixel.
    markdown : Path
        The same for readers.
    svg : Path
        The figure: a few images of each group, drawn at random.
    png : Path
        The same figure.
    seed : int
        The study's seed.
    """
    groups = {"text crops": _measure(crops, "crops", seed)}
    for path in signatures:
        name = shards.read(path, "signatures", []).attributes["set"]
        groups[name] = _measure([path], "signatures", seed)
    rows = []
    for name, (boxes, _) in groups.items():
        row = {"images of": name, "count": len(boxes)}
        percentiles = np.percentile(boxes, PERCENTILES, axis=0)  # (3, measures)
        for measure, values in zip(MEASURED, percentiles.T, strict=True):
            row |= {f"{measure}_p{p}": v for p, v in zip(PERCENTILES, values, strict=True)}
        rows.append(row)
    with writing(csv) as part:
        pd.DataFrame(rows).to_csv(part, index=False)
    readable = pd.DataFrame(
        {
            "images of": [escape_markdown(row["images of"]) for row in rows],
            "count": [row["count"] for row in rows],
            **{
                title: [" / ".join(f"{row[f'{m}_p{p}']:.0f}" for p in PERCENTILES) for row in rows]
                for m, title in MEASURED.items()
            },
        }
    )
    with writing(markdown) as part:
        part.write_text(
            "# Ink of text crops and of genuine signatures\n\n"
            "Percentiles 5 / 50 / 95, in pixels of the 170 x 242 images.\n\n"
            + readable.to_markdown(index=False, disable_numparse=True)
            + "\n",
            encoding="utf-8",
        )
    draw_rows({name: examples for name, (_, examples) in groups.items()}, svg, png)


def _measure(paths: list[Path], kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Measure the ink of all images, and choose a few of them at random.

    Of each shard only the images to choose from are kept, so that one shard at a time is in
    memory.
    """
    boxes, examples = [], []
    for path in paths:
        shard = shards.read(path, kind, ["image"] + ["forgery"] * (kind == "signatures"))
        images = shard["image"]
        if kind == "signatures":
            images = images[~shard["forgery"].astype(bool)]
        boxes.append(ink_boxes(images))
        order = generator(seed, "shown", Path(path).name).permutation(len(images))
        examples.append(images[np.sort(order[:SHOWN])])
    candidates = np.concatenate(examples)
    order = generator(seed, "shown").permutation(len(candidates))
    return np.concatenate(boxes), candidates[order[:SHOWN]]


def draw_rows(groups: dict[str, np.ndarray], *paths: Path) -> None:
    """Draw the first :data:`SHOWN` images of each group in a row under its name.

    Parameters
    ----------
    groups : dict of str to ndarray of uint8, (n, height, width)
        Prepared images, with bright ink on 0.
    *paths : Path
        The files to write.
    """
    with styled():
        drawing = figure(height=1.0 * len(groups))
        axes = drawing.subplots(len(groups), SHOWN, squeeze=False)
        for row, (name, images) in zip(axes, groups.items(), strict=True):
            row[0].set_title(name, loc="left")
            for axis in row:
                axis.axis("off")
            for axis, image in zip(row, images, strict=False):
                axis.imshow(255 - image, vmin=0, vmax=255)
        save(drawing, *paths)


def ink_boxes(images: np.ndarray) -> np.ndarray:
    """Measure the ink in prepared images.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width)
        Bright ink on 0.

    Returns
    -------
    ndarray of int64, shape (n, 3)
        Height and width of the box around all pixels above 0, and the level of the brightest
        pixel. All three are 0 for an image without ink.
    """
    rows, columns = images.any(axis=2), images.any(axis=1)
    brightest = images.max(axis=(1, 2), initial=0).astype(int)
    return np.stack([_extent(rows), _extent(columns), brightest], axis=1)


def _extent(marked: np.ndarray) -> np.ndarray:
    """Measure the span from the first to the last mark in each row of an (n, length) array."""
    first, after = marked.argmax(axis=1), marked.shape[1] - marked[:, ::-1].argmax(axis=1)
    return np.where(marked.any(axis=1), after - first, 0)
