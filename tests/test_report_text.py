"""Figures of pages, trees and contrasts show what the stages made, and nothing else."""

import csv
from itertools import combinations

import cv2
import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from fkd.errors import FkdError
from fkd.figures.contrast import figure_contrast, measure
from fkd.figures.cuts import Crop, Stripe, choose_crops, most_cut, read_cuts
from fkd.figures.examples import describe_by_maps, genuine_signatures
from fkd.figures.page import TINTS, figure_page, join
from fkd.figures.tree import Tree, courses, figure_tree, find_tree, ink_of_cells
from fkd.graph import nac, neighborhoods, spanning_tree, vectors_of_map
from fkd.images import read_gray
from fkd.models import build, save
from fkd.preprocess import normalize
from fkd.storage import shards
from fkd.study.parts import ARCHITECTURES, Networks
from fkd.study.students import PAPER
from fkd.text.crops import make_crops
from fkd.text.lines import find_lines
from fkd.text.pages import list_pages
from fkd.text.stripes import segment_pages


def write_page(file, words, slope):
    """A gray scan with a line of handwriting for each of some words."""
    ink = np.zeros((200 + 150 * len(words), 1500), np.uint8)
    for line, text in enumerate(words):
        cv2.putText(ink, text, (90, 170 + line * 150), cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, 3, 1, 6)
    shear = np.array([[1, 0, 0], [slope, 1, -slope * 750]])
    ink = cv2.warpAffine(ink, shear, ink.shape[::-1], flags=cv2.INTER_NEAREST)
    paper = np.random.default_rng(0).normal(230, 3, ink.shape)
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), np.clip(np.where(ink, 60, paper), 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Four pages in two shards; the second line of the last, the largest, is too short to be kept."""
    folder = tmp_path_factory.mktemp("text")
    lines = [
        "high gypsy fly by the bay",
        "ly",
        "lazy dog quilt hatch yoke",
        "jumpy glyph thing day yet",
    ]
    for name, at in {"ann/0": 2, "ann/1": 3, "bob/2": 2}.items():
        write_page(folder / f"scans/{name}.png", lines[at : at + 1], 0.0)
    write_page(folder / "scans/cat/3.png", lines, 0.02)
    paths = {"pages": folder / "pages.csv", "stripes": [], "crops": []}
    common = {"quarantine": folder / "aside.csv", "seed": 3}
    list_pages(
        source=folder / "scans",
        layout="folder",
        out=paths["pages"],
        shards=2,
        validation_share=0,
        **common,
    )
    for shard in (0, 1):
        stripes, crops = folder / f"stripes{shard}.h5", folder / f"crops{shard}.h5"
        segment_pages(pages=paths["pages"], shard=shard, out=stripes, max_pixels=10**7, **common)
        make_crops(stripes=stripes, out=crops, max_per_page=4, **common)
        paths["stripes"].append(stripes)
        paths["crops"].append(crops)
    return paths


def lines_of(text, name):
    with text["pages"].open() as stream:
        files = {row["page"]: row["file"] for row in csv.DictReader(stream)}
    return find_lines(read_gray(files[name]))


@pytest.fixture(scope="module")
def cut(text):
    """Lines, stripes, crops and the shard of crops of the larger page."""
    stripes, crops = read_cuts("cat/3.png", text["stripes"][1], text["crops"][1])
    return lines_of(text, "cat/3.png"), stripes, crops, shards.read(text["crops"][1], "crops")


@pytest.fixture
def drawn(monkeypatch):
    """Every figure that is saved, to look into."""
    figures = []
    saved = Figure.savefig

    def note(self, *args, **kwargs):
        figures.append(self)
        return saved(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", note)
    return figures


def outputs(folder):
    return {"svg": folder / "figure.svg", "png": folder / "figure.png"}


def contents(folder):
    return [path.read_bytes() for path in outputs(folder).values()]


def test_cuts_are_those_of_the_crops(cut):
    _, stripes, crops, source = cut
    rows = np.flatnonzero(source["page"] == "cat/3.png")
    assert [crop.row for crop in crops] == list(rows) and len(rows) == 4
    for crop in crops:
        row = crop.row
        assert crop.canvas == tuple(source["canvas"][row])
        assert crop.ratio == pytest.approx(source["ratio"][row])
        assert crop.stripe is stripes[source["line"][row]]
        assert crop.width == max(1, round(len(crop.stripe.pixels) * crop.ratio))
        shown = normalize(crop.cut_out(), crop.canvas, threshold="blurred")
        assert np.array_equal(shown, source["image"][row])
    for one, other in combinations(crops, 2):  # no two share a column of a stripe
        if one.stripe is other.stripe:
            assert one.left + one.width <= other.left or other.left + other.width <= one.left


def test_cuts_lie_on_the_page_where_their_columns_are(cut):
    lines, stripes, crops, _ = cut
    assert len(lines) == 4
    assert [stripe.top for stripe in stripes] == [lines[at].top for at in (0, 2, 3)]
    band_of = dict(zip(map(id, stripes), (lines[at].pixels for at in (0, 2, 3)), strict=True))
    for stripe in stripes:
        assert np.array_equal(band_of[id(stripe)][:, stripe.columns], stripe.pixels)
    for crop in crops:
        start, end = crop.ends
        band = band_of[id(crop.stripe)]
        kept = np.isin(np.arange(band.shape[1]), crop.stripe.columns)
        assert np.array_equal(band[:, start:end][:, kept[start:end]], crop.cut_out())


def test_crops_of_other_stripes_are_refused(text, tmp_path):
    shard = shards.read(text["crops"][1], "crops")
    moved = tmp_path / "moved.h5"
    shards.write(moved, "crops", shard.arrays | {"stripe": shard["stripe"] + 7}, shard.attributes)
    with pytest.raises(FkdError, match="cut out of other stripes than"):
        read_cuts("cat/3.png", text["stripes"][1], moved)


def write_crops(path, pages, canvases=None):
    canvases = np.array(canvases or [(6, 8)] * len(pages), np.int32).reshape(-1, 2)
    arrays = {"page": np.array(pages, object), "canvas": canvases}
    shards.write(path, "crops", arrays, {"seed": 0})
    return path


def test_the_page_is_the_first_of_those_with_most_crops(tmp_path):
    pages = ["a", "b", "b"], ["d", "c", "d"]
    paths = [write_crops(tmp_path / f"{n}.h5", names) for n, names in enumerate(pages)]
    assert most_cut(paths) == ("b", 0)
    assert most_cut(paths[::-1]) == ("d", 0)
    assert most_cut([paths[0], write_crops(tmp_path / "2.h5", ["e"] * 3)]) == ("e", 1)
    with pytest.raises(FkdError, match="there is no crop"):
        most_cut([write_crops(tmp_path / "none.h5", [])])


def crop_at(row, canvas=(9, 9), stripe=None, left=0, width=1):
    return Crop(stripe, left, width, 1.0, canvas, row)


@pytest.mark.parametrize("seed", range(5))
def test_crops_of_each_canvas_are_chosen_before_a_second(seed):
    canvases = [(1, 1)] * 8 + [(2, 2), (3, 3)]
    crops = [crop_at(row, canvas) for row, canvas in enumerate(canvases)]
    rows = [crop.row for crop in choose_crops(crops, "b", seed, 4)]
    assert sorted(rows) == rows and len(set(rows)) == 4
    assert {8, 9} < set(rows)
    assert [crop.row for crop in choose_crops(crops, "b", seed, 20)] == list(range(10))


def test_crops_are_tinted_and_strokes_show_through_each_other():
    upper, lower = np.full((2, 6, 40), 200, np.uint8)
    upper[5, 10] = lower[0, 12] = 50  # where both bands overlap
    columns = np.arange(2, 38)
    stripes = [Stripe(0, columns, upper[:, columns]), Stripe(4, columns, lower[:, columns])]
    crops = [crop_at(0, stripe=stripes[0], width=10)]
    crops += [crop_at(1 + n, stripe=stripes[1], left=12 * n, width=12) for n in (0, 1)]
    colors = join(stripes, crops)
    assert colors.shape == (10, 38, 3)
    first, second = np.float32(TINTS)
    np.testing.assert_allclose(colors[:4, 2:12], np.broadcast_to(first, (4, 10, 3)))
    np.testing.assert_allclose(colors[6:, 2:26], np.broadcast_to(second, (4, 24, 3)))
    np.testing.assert_allclose(colors[4, 2:12], np.broadcast_to(first * second, (10, 3)))
    assert (colors[:4, 12:] == 1).all() and (colors[6:, 26:] == 1).all()
    np.testing.assert_allclose(colors[5, 10], first * second / 4, rtol=1e-6)
    np.testing.assert_allclose(colors[4, 12], second / 4, rtol=1e-6)


def test_the_figure_of_a_page_shows_these_cuts_and_crops(text, cut, tmp_path, drawn):
    _, _, crops, source = cut
    given = {"stripes": text["stripes"], "crops": text["crops"], "seed": 3}
    figure_page(**given, **outputs(tmp_path))
    before = contents(tmp_path)
    figure_page(**given, **outputs(tmp_path))
    assert contents(tmp_path) == before
    above, *below = drawn[0].axes
    assert len(below) == 12
    lines = [c.get_segments() for c in above.collections if isinstance(c, LineCollection)]
    for crop, segments in zip(crops, lines, strict=True):
        assert tuple(segment[0, 0] for segment in segments) == crop.ends
        ends = (crop.stripe.top, crop.stripe.bottom)
        assert {tuple(segment[:, 1]) for segment in segments} == {ends}
    chosen = choose_crops(crops, "cat/3.png", 3, 4)
    for name, crop, cut_out, canvas, small in zip(
        "ABCD", chosen, below[:4], below[4:8], below[8:], strict=True
    ):
        assert cut_out.get_title() == f"{name}: ratio {crop.ratio:.2f}"
        assert canvas.get_title() == "{} × {}".format(*crop.canvas)
        width, height = np.array(canvas.images[0].get_extent())[[1, 2]]
        assert (height, width) == crop.canvas
        image = source["image"][crop.row] / source["image"][crop.row].max()
        np.testing.assert_allclose(small.images[0].get_array(), 1 - image, atol=1e-6)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Signatures of three writers, and small networks with random weights."""
    folder = tmp_path_factory.mktemp("models")
    draw = np.random.default_rng(0)
    images = np.zeros((12, 170, 242), np.uint8)
    for image in images:
        points = draw.integers((60, 60), (180, 110), (8, 2)).astype(np.int32)
        cv2.polylines(image, [points], False, 200, 2)
    arrays = {
        "image": images,
        "writer": np.repeat(np.array(["a", "b", "c"], object), 4),
        "forgery": np.tile([False, False, True, True], 3),
    }
    shards.write(folder / "signatures.h5", "signatures", arrays, {"set": "mine"})
    small = Networks(width=0.05, features=16)
    for seed, (name, architecture) in enumerate(
        {
            "teacher": "signet",
            "signet_cl": "signet",
            "resnet18_cl": "resnet18",
            "resnet18_cl_geom": "resnet18",
        }.items()
    ):
        network = build(architecture, networks=small, seed=seed)
        save(network, folder / f"{name}.safetensors")
    return folder


def test_signatures_shown_are_genuine_and_each_of_another_writer(models):
    path = models / "signatures.h5"
    shard = shards.read(path)
    genuine = shard["image"][:, 10:160, 11:231][~shard["forgery"]]
    found = genuine_signatures(path, 5, seed=1)
    rows = [int((genuine == image).all(axis=(1, 2)).argmax()) for image in found]
    assert all((genuine[row] == image).all() for row, image in zip(rows, found, strict=True))
    assert sorted(row // 2 for row in rows) == [0, 1, 2]
    assert np.array_equal(genuine_signatures(path, 1, seed=1), found[:1])
    firsts = [genuine_signatures(path, 1, seed)[0] for seed in range(8)]
    assert len({int((genuine == image).all(axis=(1, 2)).argmax()) // 2 for image in firsts}) > 1


def test_a_set_without_genuine_signatures_is_refused(tmp_path):
    arrays = {
        "image": np.zeros((1, 170, 242), np.uint8),
        "writer": np.array(["a"], object),
        "forgery": np.array([True]),
    }
    shards.write(tmp_path / "forged.h5", "signatures", arrays, {"set": "forged"})
    with pytest.raises(FkdError, match="no genuine signature"):
        genuine_signatures(tmp_path / "forged.h5", 1, 0)


def test_ink_belongs_to_the_cell_at_whose_center_a_node_stands():
    for grid in ((17, 26), (8, 12), (3, 5)):
        places = Tree(grid, *[None] * 4).places()
        for node, (column, row) in enumerate(places):
            image = np.zeros((150, 220), np.uint8)
            image[int(row), int(column)] = 7
            assert np.flatnonzero(ink_of_cells(image, grid)) == [node]
    image = np.arange(15 * 22).reshape(15, 22) % 251
    whole = image.reshape(3, 5, 2, 11).sum(axis=(1, 3)).ravel()
    assert np.array_equal(ink_of_cells(image.astype(np.uint8), (3, 2)), whole)


def test_the_marked_node_has_ink_and_most_neighbors(models):
    image = genuine_signatures(models / "signatures.h5", 1, 0)[0]
    maps = describe_by_maps(models / "teacher.safetensors", image[None], ["conv2", "conv5"])
    for name, grid in {"conv2": (17, 26), "conv5": (8, 12)}.items():
        found = find_tree(maps[name][0], image, radius=5)
        vectors = vectors_of_map(maps[name])[0].numpy()
        assert found.grid == grid
        assert np.array_equal(found.edges, spanning_tree(vectors))
        mask = neighborhoods(spanning_tree(vectors), 5)
        assert np.array_equal(found.near, mask[found.node])
        inked = ink_of_cells(image, grid) > 0
        assert inked[found.node]
        assert found.near.sum() == mask.sum(axis=1)[inked].max() < mask.sum(axis=1).max()
        ends = vectors[found.edges]
        assert np.array_equal(found.equal, (ends[:, 0] == ends[:, 1]).all(axis=1))
        # A neighborhood hangs together, so its edges are one fewer than its nodes.
        assert found.within().sum() == found.near.sum()
    assert found.equal.sum() < len(found.equal)


def test_edges_bow_around_nodes_on_their_way_and_end_where_they_should():
    grid = (4, 6)
    edges = np.array([[0, 1], [0, 12], [0, 13], [0, 14], [2, 4], [6, 18]])
    equal = np.array([False] * 5 + [True])
    shown = Tree(grid, edges, equal, 0, np.zeros(24, bool))
    places = shown.places()
    runs = courses(shown)
    for run, edge in zip(runs, edges, strict=True):
        np.testing.assert_allclose(run[[0, -1]], places[edge])
    assert [len(run) > 2 for run in runs] == [False, True, False, True, True, False]
    for run, over in ((runs[1], 6), (runs[3], 7), (runs[4], 3)):
        assert np.hypot(*(run - places[over]).T).min() > 5


def test_the_figure_of_trees_connects_the_cells_that_the_tree_does(models, tmp_path, drawn):
    given = {"signatures": models / "signatures.h5", "teacher": models / "teacher.safetensors"}
    maps = ["conv2", "conv5", "conv3"]
    figure_tree(**given, **outputs(tmp_path), seed=4, maps=maps, radius=3)
    before = contents(tmp_path)
    figure_tree(**given, **outputs(tmp_path), seed=4, maps=maps, radius=3)
    assert contents(tmp_path) == before
    image = genuine_signatures(given["signatures"], 1, 4)
    found = describe_by_maps(given["teacher"], image, maps)
    for axis, name in zip(drawn[0].axes, maps, strict=False):
        rows, columns = found[name].shape[2:]
        wanted = spanning_tree(vectors_of_map(found[name])[0].numpy())
        groups = [c.get_segments() for c in axis.collections]

        def cells(segments, rows=rows, columns=columns):
            ends = np.array([segment[[0, -1]] for segment in segments]).reshape(-1, 2, 2)
            at = (ends * (columns, rows) / (220, 150)).astype(int)
            return {tuple(pair) for pair in (at[..., 1] * columns + at[..., 0]).tolist()}

        assert sum(map(len, groups)) == len(wanted)
        assert cells([s for group in groups for s in group]) == set(map(tuple, wanted.tolist()))
        shown = find_tree(found[name][0], image[0], 3)
        near = np.append(np.flatnonzero(shown.near), shown.node)
        marked = {edge for edge in map(tuple, wanted.tolist()) if set(edge) <= set(near)}
        assert cells(groups[2]) == marked
        assert (
            axis.get_title(loc="left") == f"{name}, {rows} × {columns}: {len(near) - 1} neighbors"
        )


def test_contrasts_are_measured_in_the_teachers_neighborhoods():
    draw = torch.Generator().manual_seed(0)
    maps = {
        "teacher": torch.rand(2, 7, 5, 6, generator=draw),
        "a": torch.rand(2, 3, 5, 6, generator=draw),
    }
    found = measure("conv2", maps, radius=2)
    vectors = {name: vectors_of_map(values).numpy() for name, values in maps.items()}
    mask = np.array([neighborhoods(spanning_tree(of), 2) for of in vectors["teacher"]])
    for name in maps:
        expected = nac(vectors[name], mask).reshape(2, 5, 6)
        np.testing.assert_allclose(found.by_model[name], expected, rtol=1e-4, atol=1e-6)
    difference = (found.by_model["a"] - found.by_model["teacher"]).reshape(2, -1)
    np.testing.assert_allclose(found.apart("a"), (difference**2).mean(axis=1), rtol=1e-6)
    with pytest.raises(FkdError, match="grid of 6 x 5, the teacher's 5 x 6"):
        measure("conv2", maps | {"b": maps["a"].mT}, radius=2)


def contrast_inputs(models, *names):
    return {
        "signatures": models / "signatures.h5",
        "teacher": models / "teacher.safetensors",
        "weights": {name: models / f"{name}.safetensors" for name in names},
        "students": {name: PAPER[name] for name in names},
        "seed": 2,
    }


def test_the_figure_of_contrasts_shows_them_in_one_scale_with_their_difference(
    models, tmp_path, drawn
):
    names = ["resnet18_cl", "signet_cl", "resnet18_cl_geom"]
    given = contrast_inputs(models, *names)
    figure_contrast(**given, **outputs(tmp_path), count=2, radius=3)
    before = contents(tmp_path)
    figure_contrast(**given, **outputs(tmp_path), count=2, radius=3)
    assert contents(tmp_path) == before
    images = genuine_signatures(given["signatures"], 2, 2)
    for block, name in zip(drawn[0].subfigs, ("conv2", "conv5"), strict=True):
        maps = {"teacher": describe_by_maps(given["teacher"], images, [name])[name]}
        for student, path in given["weights"].items():
            answer = ARCHITECTURES[PAPER[student].architecture].connections[name]
            maps[student] = describe_by_maps(path, images, [answer])[answer]
        found = measure(name, maps, 3)
        *axes, bar = block.axes
        axes = np.reshape(axes, (2, 5))
        assert [axis.get_title().replace("\n", " ") for axis in axes[0, 1:]] == [
            "Teacher",
            "ResNet-18 CL",
            "SigNet CL",
            "ResNet-18 CL+GEOM",
        ]
        assert bar.get_ylabel() == "NAC"
        largest = max(values.max() for values in found.by_model.values())
        for at, row in enumerate(axes):
            for axis, model in zip(row[1:], maps, strict=True):
                assert np.array_equal(axis.images[0].get_array(), found.by_model[model][at])
                assert axis.images[0].get_clim() == (0, largest)
                if model != "teacher":
                    said = axis.get_xlabel().strip("$").replace(r" \times 10^{", "e")
                    wanted = (
                        (found.by_model[model][at] - found.by_model["teacher"][at]) ** 2
                    ).mean()
                    assert float(said.rstrip("}")) == pytest.approx(wanted, rel=0.05)


def test_students_whose_maps_do_not_answer_are_refused(models, tmp_path):
    given = contrast_inputs(models, "signet_cl") | outputs(tmp_path)
    with pytest.raises(FkdError, match="no map of signet_cl answers the teacher's conv2"):
        figure_contrast(**given, connections={"signet": {"conv5": "conv5"}})
    with pytest.raises(FkdError, match="there is no student signet_cl"):
        figure_contrast(**given | {"students": {}})
    with pytest.raises(FkdError, match="no maps conv9"):
        figure_tree(
            signatures=given["signatures"],
            teacher=given["teacher"],
            maps=["conv9"],
            **outputs(tmp_path),
        )
