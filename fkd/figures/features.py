"""A map of features: whether a writer's signatures lie together, and where forgeries lie."""

from collections.abc import Collection
from itertools import cycle
from pathlib import Path

import numpy as np
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from fkd.ranges import Count, CountFromZero, checked
from fkd.storage import shards
from fkd.storage.files import natural_order
from fkd.study.models import label
from fkd.study.students import Student
from fkd.study.style import (
    BLUE,
    GRAY,
    GREEN,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    figure,
    save,
    set_label,
    styled,
)

PERPLEXITY = 15.0
"""About how many neighbors of a signature the map keeps near: as many as a writer has signatures."""

GENUINE, FORGERY = ({"s": 12, "marker": marker, "linewidths": 0.7} for marker in "o^")
"""How signatures are marked."""

LEGIBLE = 12
"""The largest number of characters of a writer's name."""


@checked
def figure_features(
    *,
    features: Path,
    students: dict[str, Student],
    svg: Path,
    png: Path,
    drawn: Collection[str] = (),
    writers: Count = 20,
    seed: CountFromZero = 0,
) -> None:
    """Draw a map of a model's features of a set.

    Parameters
    ----------
    features : Path
        Shard of kind "features": one model, one set.
    students : dict of str to Student
        The students of the study.
    svg : Path
        The figure: a point for each signature of the first writers, so that what is near in the
        features is near on the map (:func:`places`). A writer has one color, and the name at the
        middle of the genuine signatures; forgeries are hollow.
    png : Path
        The same figure.
    drawn : collection of str, optional
        The sets that a program drew, which the figure then says.
    writers : int
        How many writers are shown, in the natural order of their names.
    seed : int
        The seed of the map.
    """
    shard = shards.read(features, "features", ["feature", "writer", "forgery"])
    of_set = sorted(set(shard["writer"]), key=natural_order)
    chosen = of_set[:writers]
    kept = np.isin(shard["writer"], chosen)
    writer, is_forgery = shard["writer"][kept], shard["forgery"][kept].astype(bool)
    x, y = places(shard["feature"][kept], seed).T
    with styled():
        drawing = figure(height=5.2)
        axis = drawing.subplots()
        for name, color in zip(
            chosen, cycle((BLUE, ORANGE, GREEN, RED, PURPLE, SKY)), strict=False
        ):
            own = writer == name
            genuine, forged = own & ~is_forgery, own & is_forgery
            axis.scatter(x[forged], y[forged], c="none", edgecolors=color, **FORGERY)
            axis.scatter(x[genuine], y[genuine], c=color, edgecolors="none", **GENUINE)
            middle = genuine if genuine.any() else own
            axis.text(
                *(np.median(values[middle]) for values in (x, y)),
                str(name)[:LEGIBLE],
                fontsize=6,
                ha="center",
                va="center",
                bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": color, "lw": 0.6},
            )
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
        model, name = shard.attributes["model"], shard.attributes["set"]
        shown = f"{len(chosen)} of {len(of_set)} writers"
        axis.set_title(f"{label(model, students)}, {set_label(name, drawn)}, {shown}")
        axis.scatter([], [], c=GRAY, edgecolors="none", label="genuine", **GENUINE)
        axis.scatter([], [], c="none", edgecolors=GRAY, label="skilled forgery", **FORGERY)
        drawing.legend(loc="outside lower center", ncols=2)
        save(drawing, svg, png)


def places(features: np.ndarray, seed: int) -> np.ndarray:
    """Place features on a map by t-SNE (L. van der Maaten and G. Hinton, 2008).

    Parameters
    ----------
    features : ndarray of float, shape (N, F)
        The features, whose Euclidean distances count.
    seed : int
        The seed.

    Returns
    -------
    ndarray of float32, shape (N, 2)
        The places. Neither their axes nor distances between far groups mean anything.
    """
    can_start_by_variance = min(features.shape) > 1 and np.ptp(features, axis=0).any()
    tsne = TSNE(
        perplexity=min(PERPLEXITY, max(1.0, (len(features) - 1) / 3)),
        init="pca" if can_start_by_variance else "random",
        random_state=seed,
        n_jobs=1,
    )
    with threadpool_limits(1):  # sums in another order would grow to another map
        return tsne.fit_transform(np.ascontiguousarray(features, np.float32))
