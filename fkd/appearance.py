"""Whether text crops look like signatures: their ink in numbers, and side by side."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fkd import shards
from fkd.atomic import writing
from fkd.crops import ink_boxes
from fkd.seeding import generator

PERCENTILES = (5, 50, 95)

SHOWN = 8
"""Images a row of the figure."""

MEASURED = {"height": "height of the ink", "width": "width", "brightest": "brightest pixel"}


def compare_appearance(
    *,
    crops: list[Path],
    signatures: list[Path],
    csv: Path,
    markdown: Path,
    figure: Path,
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
        5th, 50th and 95th percentile of the box around the ink, in pixels of the
        170 x 242 images, and of the brightest pixel.
    markdown : Path
        The same for readers.
    figure : Path
        A few images of each, drawn at random; the ending says the format.
    seed : int
        The study's seed.
    """
    groups = {
        "text crops": np.concatenate([shards.read(p, "crops", ["image"])["image"] for p in crops])
    }
    for path in signatures:
        shard = shards.read(path, "signatures", ["image", "forgery"])
        groups[shard.attributes["set"]] = shard["image"][~shard["forgery"].astype(bool)]
    rows = []
    for name, images in groups.items():
        percentiles = np.percentile(ink_boxes(images), PERCENTILES, axis=0)  # (3, measures)
        row = {"images of": name, "count": len(images)}
        for measure, values in zip(MEASURED, percentiles.T, strict=True):
            row |= {f"{measure}_p{p}": v for p, v in zip(PERCENTILES, values, strict=True)}
        rows.append(row)
    with writing(csv) as part:
        pd.DataFrame(rows).to_csv(part, index=False)
    shown = pd.DataFrame(
        {
            "images of": [row["images of"] for row in rows],
            "count": [row["count"] for row in rows],
            **{
                what: [" / ".join(f"{row[f'{m}_p{p}']:.0f}" for p in PERCENTILES) for row in rows]
                for m, what in MEASURED.items()
            },
        }
    )
    with writing(markdown) as part:
        part.write_text(
            "# Ink of text crops and of genuine signatures\n\n"
            "Percentiles 5 / 50 / 95, in pixels of the 170 x 242 images.\n\n"
            + shown.to_markdown(index=False, disable_numparse=True)
            + "\n"
        )
    _draw(groups, figure, seed)


def _draw(groups: dict[str, np.ndarray], path: Path, seed: int) -> None:
    drawing = Figure(figsize=(1.6 * SHOWN, 1.25 * len(groups)), layout="constrained")
    axes = drawing.subplots(len(groups), SHOWN, squeeze=False)
    for row, (name, images) in zip(axes, groups.items(), strict=True):
        chosen = generator(seed, "shown", name).permutation(len(images))[:SHOWN]
        row[0].set_title(name, loc="left", fontsize=10)
        for axis in row:
            axis.axis("off")
        for axis, image in zip(row, images[chosen], strict=False):
            axis.imshow(255 - image, cmap="gray", vmin=0, vmax=255)
    # A fixed salt and no date keep the file equal from run to run.
    with writing(path) as part, mpl.rc_context({"svg.hashsalt": "fkd"}):
        drawing.savefig(part, dpi=120, metadata={"Date": None} if path.suffix == ".svg" else None)
