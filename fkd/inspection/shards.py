"""Descriptions of shards: what each kind is, and what its arrays hold."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from fkd.counting import counted
from fkd.errors import FkdError
from fkd.graph import check_rooted
from fkd.images import resized
from fkd.inspection import pictures
from fkd.inspection.finding import Finding, plain, times
from fkd.pairs.parts import PARTS
from fkd.preprocess import INPUT
from fkd.storage import shards
from fkd.storage.files import printable
from fkd.study.parts import ARCHITECTURES

SHOWN = 40
"""The largest number of images on a contact sheet."""

WHAT = {
    "stripes": "Stripes: the lines of handwritten pages, without the spaces between words. "
    "Made by segment_pages.",
    "crops": "Text crops: parts of handwritten lines, prepared as signatures are; students are "
    "trained on them. Made by make_crops.",
    "signatures": "A set of signatures, prepared as networks see them. Made by prepare_signatures.",
    "responses": "The teacher's responses: the feature that it gives each text crop of one shard. "
    "Made by cache_responses.",
    "geometry": "The geometry of the teacher's feature maps for each text crop of one shard: "
    "spanning trees, and the affinity contrast in their neighborhoods. Made by cache_geometry.",
    "features": "Features: what one model says of each signature of a set. Made by "
    "extract_features.",
    "scores": "Scores of the verifiers of all writers, for each tested signature. Made by "
    "evaluate_wd or evaluate_wi.",
    "machine": "A machine that compares two signatures of any writer. Made by train_wi.",
    "pairs": "A list of pairs: images of signatures, two of which make a pair, with the parts for "
    "training, validation and test. Made by list_pairs.",
    "pair_scores": "Scores that a Siamese network gives pairs for validation and test. Made by "
    "evaluate_pairs.",
    "verifier": "A verifier: thresholds and a calibration to likelihood ratios, set on development "
    "writers. Made by set_verifier.",
}
"""What a shard of each kind is."""

ARRAYS = {
    "image": "gray levels, ink bright on black",
    "pixels": "gray levels of all stripes or images, one after another, row by row",
    "columns": "for each column of all stripes, one after another, the page's column",
    "offset": "where in the pixels it begins",
    "height": "how many rows it has",
    "width": "how many columns it has",
    "top": "row of the page, made level, where it begins",
    "stripe": "row of its stripe in the shard of stripes",
    "left": "column of the stripe where it begins",
    "page": "the page it comes from",
    "line": "the line on its page, from 0",
    "crop": "the crop of its line, from 0",
    "ratio": "width / height that was drawn for it",
    "canvas": "rows and columns of the canvas on which it was prepared",
    "validation": "whether it is kept for validation",
    "writer": "who wrote it",
    "forgery": "whether it is a skilled forgery",
    "sample": "its number or name among the writer's",
    "file": "the file it comes from",
    "copy_of": "first row with the same image",
    "signature": "digest of the image as a set of signatures would hold it",
    "first": "row of the pair's first image",
    "second": "row of the pair's second image",
    "forged": "whether the pair has a forgery",
    "part": "0 for training, 1 for validation, 2 for the test",
    "feature": "the model's response, a vector for each image",
    "split": "the random split into references and tests",
    "row": "row of the signature in its set, or of the pair in its list",
    "score": "decision of the verifier; genuine where high",
    "random_split": "the split of a random forgery",
    "random_writer": "the number of the writer whose verifier judges it",
    "random_score": "its score",
    "person": "the number of the development writer",
    "knot_score": "the scores at which the calibration bends",
    "knot_log10_lr": "the log10 likelihood ratios there",
    "vector": "support vectors: scaled differences of the features of pairs",
    "coefficient": "their weights in a score, positive for pairs of one writer",
    "deviation": "the scale by which differences are divided, for each element",
    "references": "rows in the set of each writer's references, by split and writer",
    r"tree_\w+": "the next node on the way to node 0, on the map's spanning tree",
    r"nac_\w+": "affinity contrast of each node, 0 to 1",
}
"""What an array holds, by a regular expression for its name.

Arrays of one name hold the same in every kind of shard.
"""


def describe_shard(file: Path) -> Finding:
    """Describe a shard, and compare each of its arrays with its digest."""
    arrays, shapes = {}, []
    with shards.opened(file) as shard:
        kind, attributes = shard.kind, dict(shard.attributes)
        for name in shard.digests:
            values = shard.rows(name)
            text = values.dtype.kind == "O"
            meaning = next((m for rule, m in ARRAYS.items() if re.fullmatch(rule, name)), "")
            shapes.append((name, times(values.shape), "text" if text else values.dtype, meaning))
            arrays[name] = values
    if kind not in WHAT:
        raise FkdError(
            f"{printable(file)}: a shard of the kind {plain(kind)!r}; expected one of "
            f"{', '.join(WHAT)}."
        )
    finding = Finding(
        file,
        WHAT[kind],
        columns=("array", "shape", "type", "what it is"),
        rows=shapes,
        settings=attributes,
        verdict="All digests hold: the file is as it was written.",
    )
    try:
        finding.facts, finding.draw = _FACTS[kind](arrays, attributes)
    except Exception as error:  # arrays of unknown origin fail in any way
        raise FkdError(
            f"{printable(file)}: says that it holds {kind}, but lacks what these have "
            f"({plain(repr(error))}). {shards.MEND}"
        ) from None
    return finding


Told = tuple[list[str], Callable[[Path], None] | None]
"""The facts of a shard, and a function that draws it."""


def _some(count: int, most: int = SHOWN) -> np.ndarray:
    """Choose the rows that are shown, evenly over all."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))


def _of_validation(arrays: dict, what: str, writers: list) -> str:
    count, kept = len(arrays["validation"]), int(arrays["validation"].sum())
    found = len(np.unique(arrays["writer"]))
    return (
        f"{counted(count, what)} of {counted(found, 'writer')} ({len(writers)} in the study), "
        f"{kept:,} of them for validation."
    )


def _stripes(arrays: dict, about: dict) -> Told:
    height, width = arrays["height"], arrays["width"]
    facts = [_of_validation(arrays, "stripe", about["writers"])]
    if len(height):
        facts.append(
            f"They are {height.min()} to {height.max()} pixels high and {width.min():,} to "
            f"{width.max():,} wide, of {counted(len(set(arrays['page'])), 'page')}."
        )
    chosen = _some(len(height), 12)
    ends = arrays["offset"] + height.astype(np.int64) * width
    images = [
        arrays["pixels"][arrays["offset"][at] : ends[at]].reshape(height[at], width[at])
        for at in chosen
    ]
    names = [f"{arrays['page'][at]}, line {arrays['line'][at]}" for at in chosen]
    return facts, partial(pictures.draw_stripes, images, names) if images else None


def _crops(arrays: dict, about: dict) -> Told:
    images = arrays["image"]
    facts = [_of_validation(arrays, "crop", about["writers"])]
    chosen = _some(len(images))
    names = list(arrays["writer"][chosen])
    return facts, _sheet(images[chosen], names)


def _signatures(arrays: dict, about: dict) -> Told:
    images, forged = arrays["image"], arrays["forgery"].astype(bool)
    facts = [
        f"The set {about['set']}: {counted(len(set(arrays['writer'])), 'writer')}, "
        f"{counted(int((~forged).sum()), 'genuine signature')} and "
        f"{counted(int(forged.sum()), 'skilled forgery', 'skilled forgeries')}."
    ]
    if about.get("copies"):
        facts.append(f"{about['copies']} are copies of another image of the set.")
    chosen = _some(len(images))
    names = [f"{arrays['writer'][at]}{' forged' if forged[at] else ''}" for at in chosen]
    return facts, _sheet(images[chosen], names)


def _sheet(images: np.ndarray, names: list[str]) -> Callable[[Path], None] | None:
    if images.ndim != 3:
        raise ValueError(f"images of shape {images.shape}")
    return partial(pictures.draw_contact_sheet, images, names) if len(images) else None


def _responses(arrays: dict, about: dict) -> Told:
    feature = arrays["feature"]
    facts = [
        f"{counted(len(feature), 'vector')} of {feature.shape[1]:,} elements, one for each crop.",
        f"{(feature == 0).mean():.0%} of all elements are 0, the largest is {feature.max():.3g}.",
        f"The teacher's digest is {about['teacher']}, that of the crops {about['crops']}.",
    ]
    return facts, partial(pictures.draw_features, feature, None, "text crops, in their order")


def _features(arrays: dict, about: dict) -> Told:
    feature, forged = arrays["feature"], arrays["forgery"].astype(bool)
    facts = [
        f"What the model {about['model']} says of the set {about['set']}: "
        f"{counted(len(feature), 'vector')} of {feature.shape[1]:,} elements, of "
        f"{counted(len(set(arrays['writer'])), 'writer')}; {int(forged.sum()):,} are of forgeries.",
        f"{(feature == 0).mean():.0%} of all elements are 0, the largest is {feature.max():.3g}.",
    ]
    rows = "signatures, by writer; the orange lines stand between writers"
    return facts, partial(pictures.draw_features, feature, arrays["writer"], rows)


def _geometry(arrays: dict, about: dict) -> Told:
    maps = [name.removeprefix("tree_") for name in arrays if name.startswith("tree_")]
    count = len(arrays[f"tree_{maps[0]}"])
    for name in maps:
        check_rooted(arrays[f"tree_{name}"], name)
    sizes = {name: _map_size(name, arrays[f"tree_{name}"].shape[1]) for name in maps}
    facts = [
        f"{counted(count, 'text crop')}, "
        + ", ".join(f"map {name} of {times(size)} nodes" for name, size in sizes.items())
        + f"; neighbors are within {about['radius']} hops.",
        f"The teacher's digest is {about['teacher']}, that of the crops {about['crops']}.",
    ]
    chosen = _some(count, 4)
    drawn = {
        name: (sizes[name], arrays[f"tree_{name}"][chosen], arrays[f"nac_{name}"][chosen])
        for name in maps
    }
    return facts, partial(pictures.draw_geometry, drawn, chosen.tolist()) if count else None


def _map_size(name: str, nodes: int) -> tuple[int, int]:
    """Find the rows and columns of a map.

    They are those of a network that has a map of this name and size; where there is none, the
    map is taken to be as square as its number of nodes allows.
    """
    of_name = [n.map_sizes[name] for n in ARCHITECTURES.values() if name in n.map_sizes]
    fitting = [size for size in of_name if size[0] * size[1] == nodes]
    rows = max(d for d in range(1, int(nodes**0.5) + 1) if nodes % d == 0)
    return fitting[0] if fitting else (rows, nodes // rows)


def _pairs(arrays: dict, about: dict) -> Told:
    part, forged = arrays["part"], arrays["forged"].astype(bool)
    facts = [
        f"{counted(len(arrays['file']), 'image')} of "
        f"{counted(len(set(arrays['writer'])), 'writer')}, {about['images']}."
    ]
    for number, name in enumerate(PARTS):
        rows = forged[part == number]
        facts.append(f"{name}: {counted(len(rows), 'pair')}, {rows.sum():,} with a forgery.")
    shown = _some(len(part), most=SHOWN // 2)
    images, names = [], []
    for pair in shown:
        for row in (arrays["first"][pair], arrays["second"][pair]):
            begin, shape = arrays["offset"][row], (arrays["height"][row], arrays["width"][row])
            pixels = arrays["pixels"][begin : begin + np.prod(shape, dtype=int)]
            images.append(resized(pixels.reshape(shape), INPUT))
            names.append(plain(arrays["writer"][row]) + " forged" * bool(forged[pair]))
    return facts, partial(pictures.draw_contact_sheet, images, names) if images else None


def _pair_scores(arrays: dict, about: dict) -> Told:
    test = arrays["part"] == PARTS.index("test")
    score, forged = arrays["score"][test], arrays["forged"].astype(bool)[test]
    accepted = score >= about["threshold"]
    facts = [
        f"The network {plain(about['model'])} on the pairs {plain(about['pairs'])}: "
        f"{counted(len(score), 'test pair')}, {int(forged.sum()):,} with a forgery.",
        f"At the threshold {about['threshold']:.4g}, set on {about['set_on']}, "
        f"{int((accepted & ~forged).sum()):,} genuine pairs and {int((accepted & forged).sum()):,} "
        "with a forgery are accepted.",
    ]
    return facts, partial(pictures.draw_scores, score[~forged], score[forged])


def _scores(arrays: dict, about: dict) -> Told:
    score, forged, protocol = arrays["score"], arrays["forgery"].astype(bool), about["protocol"]
    facts = [
        f"The model {about['model']} on the set {about['set']}: {counted(len(score), 'score')} in "
        f"{counted(len(np.unique(arrays['split'])), 'split')}, {int((~forged).sum()):,} of genuine "
        f"signatures and {int(forged.sum()):,} of skilled forgeries.",
        f"Each verifier learned from {protocol['references']} references of its writer.",
    ]
    if len(score) and forged.any() and not forged.all():
        facts.append(
            f"Genuine ones score {score[~forged].mean():.2f} on average, forgeries "
            f"{score[forged].mean():.2f}."
        )
    return facts, partial(pictures.draw_scores, score[~forged], score[forged]) if len(
        score
    ) else None


def _machine(arrays: dict, about: dict) -> Told:
    weights = arrays["coefficient"]
    facts = [
        f"It compares features of the model {about['model']} and learned from "
        f"{counted(about['writers'], 'writer')} of {', '.join(about['sets'])}, "
        f"{counted(about['development_references'], 'signature')} each.",
        f"{counted(int((weights > 0).sum()), 'support vector')} of one writer's pairs, "
        f"{int((weights < 0).sum()):,} of two writers'.",
    ]
    return facts, None


def _verifier(arrays: dict, about: dict) -> Told:
    score, forged, measured = arrays["score"], arrays["forgery"].astype(bool), about["measured_on"]
    facts = [
        f"The verifier {about['verifier']} of the model {about['model']} with "
        f"{counted(about['protocol']['references'], 'reference')}, set on "
        f"{counted(measured['writers'], 'writer')} of {', '.join(measured['sets'])}: "
        f"{measured['genuine']:,} genuine signatures and {measured['forged']:,} forgeries."
    ]
    for aim, threshold in about["thresholds"].items():
        facts.append(
            f"{aim}: threshold {threshold['value']:.4g}, FRR {threshold['frr']:.4f} and FAR "
            f"{threshold['far']:.4f} there. {threshold['note']}".rstrip()
        )
    return facts, partial(pictures.draw_scores, score[~forged], score[forged])


_FACTS: dict[str, Callable[[dict, dict], Told]] = {
    "stripes": _stripes,
    "crops": _crops,
    "signatures": _signatures,
    "responses": _responses,
    "geometry": _geometry,
    "features": _features,
    "scores": _scores,
    "machine": _machine,
    "pairs": _pairs,
    "pair_scores": _pair_scores,
    "verifier": _verifier,
}
