"""The study in one picture: from a page to a student, and from a signature to error rates."""

from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch

from fkd.figures.appearance import ink_boxes
from fkd.figures.contrast import COLORS, measure
from fkd.figures.cuts import file_of, most_cut
from fkd.figures.examples import describe_by_maps, genuine_signatures
from fkd.figures.tree import Tree, find_tree
from fkd.graph import MAPS, RADIUS
from fkd.images import MAX_PIXELS, read_gray
from fkd.preprocess import INPUT, center_crop
from fkd.ranges import Count, checked
from fkd.storage import shards
from fkd.study.models import TEACHER, label
from fkd.study.students import Student
from fkd.study.style import (
    BLACK,
    FORGED,
    GENUINE,
    GRAY,
    figure,
    frame_image,
    save,
    set_label,
    styled,
)
from fkd.study.summary import read_splits

CROPS = 3
"""The number of text crops, and of signatures, that are stacked."""


@checked
def figure_pipeline(
    *,
    pages: Path,
    crops: list[Path],
    teacher: Path,
    signatures: Path,
    features: Path,
    scores: Path,
    metrics: list[Path],
    student: str,
    students: dict[str, Student],
    is_drawn: bool,
    svg: Path,
    png: Path,
    maps: list[str] = MAPS,
    radius: Count = RADIUS,
    max_pixels: Count = MAX_PIXELS,
    seed: int = 0,
) -> None:
    """Draw the way from pages to a student, and from signatures to equal error rates.

    Parameters
    ----------
    pages : Path
        List written by :func:`fkd.text.pages.list_pages`.
    crops : list of Path
        Shards of kind "crops".
    teacher : Path
        The teacher's weights.
    signatures : Path
        Shard of kind "signatures".
    features : Path
        Shard of kind "features" of these signatures by the model that is shown.
    scores : Path
        Shard of kind "scores" of these features.
    metrics : list of Path
        The rates of each model on this set, with as many references, in the order to show.
    student : str
        The model to which the features and scores belong: a student, or the teacher where no
        student is trained.
    students : dict of str to Student
        The students of the study.
    is_drawn : bool
        Whether a program drew these signatures, which the figure then says.
    svg : Path
        The figure.
    png : Path
        The same figure.
    maps : list of str, optional
        The teacher's maps; the first is drawn.
    radius : int, optional
        The largest number of hops between neighbors on the tree.
    max_pixels : int, optional
        The largest number of pixels that a page may have.
    seed : int, optional
        The study's seed.
    """
    page, shard = most_cut(crops)
    source = shards.read(crops[shard], "crops", ["image", "page"])
    images = center_crop(source["image"][source["page"] == page])
    # The crops with the highest ink have the most to show.
    images = images[np.argsort(-ink_boxes(images)[:, 0], kind="stable")[:CROPS]]
    name = maps[0]
    feature_map = describe_by_maps(teacher, images[:1], [name])[name]
    with styled():
        drawing = figure(height=3.0)
        above, below = drawing.subfigures(2)
        text = above.subplots(1, 4, width_ratios=(1.1, 1, 1, 1), gridspec_kw={"wspace": 0.16})
        signature = below.subplots(1, 4, gridspec_kw={"wspace": 0.16})
        _show_page(text[0], read_gray(file_of(pages, page), max_pixels))
        _show_stack(text[1], images, "text crops")
        _show_tree(text[2], images[0], find_tree(feature_map[0], images[0], radius))
        contrast = measure(name, {TEACHER: feature_map}, radius).by_model[TEACHER][0]
        text[3].imshow(contrast, cmap=COLORS, extent=(0, INPUT[1], INPUT[0], 0))
        text[3].set_title("and contrast (NAC)")
        _show_stack(signature[0], genuine_signatures(signatures, CROPS, seed), "signatures")
        whose = "teacher" if student == TEACHER else "student"
        _show_features(signature[1], shards.read(features, "features"), whose)
        _show_scores(signature[2], shards.read(scores, "scores", ["score", "forgery"]))
        _show_rates(signature[3], metrics, students, is_drawn)
        guided = (
            "guide a student, which also learns who wrote the text"
            if any(student.is_trained for student in students.values())
            else "could guide a student; this study trains none"
        )
        above.supxlabel(guided, fontsize=8)
        for axis in (*text, *signature[:2]):
            frame_image(axis)
        for row in (text, signature):
            for left, right in pairwise(row):
                _join(drawing, left, right)
        save(drawing, svg, png)


def _show_page(axis: Axes, page: np.ndarray) -> None:
    """Show the upper part of a page."""
    rows = min(len(page), round(page.shape[1] * 0.7))
    axis.imshow(page[:rows], vmin=0, vmax=255, interpolation="antialiased")
    axis.set_title("pages of text")


def _show_stack(axis: Axes, images: np.ndarray, title: str) -> None:
    """Show images one below the other as dark ink on white, cut to the rows with ink."""
    inked = images[:, images.any(axis=(0, 2))]
    stack = np.concatenate(list(inked)) / max(1, images.max())
    axis.imshow(1 - np.minimum(1.5 * stack, 1), vmin=0, vmax=1, aspect="auto")
    axis.set_title(title)


def _show_tree(axis: Axes, image: np.ndarray, tree: Tree) -> None:
    """Show the edges between unequal vectors, and the neighborhood of one node."""
    axis.imshow(1 - 0.35 * image / max(1, image.max()), vmin=0, vmax=1)
    places, within = tree.places()[tree.edges], tree.within()
    axis.add_collection(LineCollection(places[~tree.equal & ~within], color=BLACK, linewidth=0.5))
    axis.add_collection(LineCollection(places[within], color=GENUINE, linewidth=1.4))
    axis.plot(*tree.places()[tree.node], "o", color=FORGED, markersize=3)
    axis.set_title("the teacher's tree")


def _show_features(axis: Axes, shard: shards.Shard, whose: str) -> None:
    """Show the features of genuine signatures of a few writers: the elements that vary most."""
    writers = list(dict.fromkeys(shard["writer"]))[:6]
    rows = np.isin(shard["writer"], writers) & ~shard["forgery"].astype(bool)
    values = shard["feature"][rows]
    chosen = np.argsort(-values.std(axis=0), kind="stable")[:60]
    values = values[:, np.sort(chosen)]
    axis.imshow(values / np.maximum(values.max(axis=0), 1e-9), cmap="Greys", aspect="auto")
    changes = np.flatnonzero(shard["writer"][rows][1:] != shard["writer"][rows][:-1])
    axis.hlines(changes + 0.5, -0.5, values.shape[1] - 0.5, GENUINE, linewidth=0.6)
    axis.set_title(f"the {whose}'s features")
    axis.set_xlabel("a row each, by writer", fontsize=6)


def _show_scores(axis: Axes, shard: shards.Shard) -> None:
    """Show how the scores of genuine signatures and of forgeries are distributed."""
    forged = shard["forgery"].astype(bool)
    bins = np.histogram_bin_edges(shard["score"], 40)
    for rows, color, name in ((~forged, GENUINE, "genuine"), (forged, FORGED, "forged")):
        axis.hist(shard["score"][rows], bins, color=color, alpha=0.6, label=name)
    axis.set_title("a writer's SVM: scores")
    axis.set_yticks([])
    axis.tick_params(labelsize=6)
    axis.legend(fontsize=6, handlelength=1, borderpad=0)


def _show_rates(
    axis: Axes, metrics: list[Path], students: dict[str, Student], is_drawn: bool
) -> None:
    """Show the equal error rate of each model, mean and deviation over the splits, as a bar."""
    splits = read_splits(metrics)
    models = list(dict.fromkeys(splits["model"]))
    by_model = splits.groupby("model")["EER_userthresholds"]
    means, spreads = 100 * by_model.mean()[models], 100 * by_model.std(ddof=0)[models]
    bars = axis.barh(range(len(models)), means, color=GRAY, height=0.35)
    texts = [f"{mean:.1f} ± {sd:.1f}" for mean, sd in zip(means, spreads, strict=True)]
    axis.bar_label(bars, texts, padding=2, fontsize=6)
    axis.set_xlim(right=1.6 * max(1, means.max()))  # room for the texts
    for at, model in enumerate(models):
        axis.text(0, at - 0.25, f" {label(model, students)}", va="bottom", fontsize=6)
    axis.set_ylim(len(models) - 0.6, -0.75)
    axis.set_yticks([])
    axis.grid(visible=False)
    axis.set_xticks([])
    axis.spines["bottom"].set_visible(False)
    axis.set_title("equal error rates (%)")
    name, references = splits["set"].iloc[0], splits["references"].iloc[0]
    axis.set_xlabel(
        f"{set_label(name, [name] * is_drawn)}\n"
        f"NREF {references}, mean ± sd of {splits['split'].nunique()} splits",
        fontsize=6,
    )


def _join(drawing: Figure, left: Axes, right: Axes) -> None:
    """Draw an arrow from one panel to the next."""
    arrow = ConnectionPatch(
        (1.02, 0.5),
        (-0.02, 0.5),
        coordsA=left.transAxes,
        coordsB=right.transAxes,
        arrowstyle="-|>",
        color=GRAY,
        mutation_scale=9,
    )
    drawing.add_artist(arrow)
