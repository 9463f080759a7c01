"""The study in one picture shows the study's own page, crops, scores and rates."""

from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text

from fkd import models
from fkd.figures.pipeline import figure_pipeline
from fkd.images import read_gray
from fkd.models.export import export_onnx
from fkd.models.features import extract_features
from fkd.preprocess import center_crop
from fkd.storage import shards
from fkd.study import style
from fkd.study.parts import Networks
from fkd.study.students import PAPER
from fkd.synthesis import draw_pages
from fkd.text.crops import make_crops
from fkd.text.pages import list_pages
from fkd.text.stripes import segment_pages
from fkd.verification import Protocol, evaluate_wd

STUDENTS = {name: PAPER[name] for name in ("resnet18_cl", "resnet18_cl_geom_bc")}
SHOWN = "resnet18_cl_geom_bc"
NETWORKS = Networks(width=0.05, features=16)


def texts(figure):
    """All that stands in a figure."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The figure of a small study, twice, with what it was drawn from."""
    folder = tmp_path_factory.mktemp("pipeline")
    draw_pages(folder=folder / "pages", writers=2, pages=1, lines=3, seed=1)
    aside = {"quarantine": folder / "aside.csv", "seed": 1}
    pages, stripes, crops = folder / "pages.csv", folder / "stripes.h5", folder / "crops.h5"
    list_pages(
        source=folder / "pages",
        layout="folder",
        out=pages,
        shards=1,
        validation_share=0,
        **aside,
    )
    segment_pages(pages=pages, shard=0, out=stripes, max_pixels=10**7, **aside)
    make_crops(stripes=stripes, out=crops, **aside)

    rng = np.random.default_rng(0)
    signatures = folder / "signatures.h5"
    images = np.zeros((24, 170, 242), np.uint8)
    images[:, 60:100, 60:180] = rng.integers(0, 200, (24, 40, 120))
    arrays = {
        "image": images,
        "writer": np.repeat(np.array(["a", "b", "c"], object), 8),
        "forgery": np.tile([False] * 5 + [True] * 3, 3),
    }
    shards.write(signatures, "signatures", arrays, {"set": "mine"})
    metrics = []
    for name, architecture in (("teacher", "signet"), (SHOWN, "resnet18")):
        weights, onnx = folder / f"{name}.safetensors", folder / f"{name}.onnx"
        models.save(models.build(architecture, None, NETWORKS), weights)
        export_onnx(weights=weights, out=onnx, name=name)
        features = folder / f"{name}.features.h5"
        extract_features(model=onnx, signatures=signatures, out=features)
        metrics.append(folder / f"{name}.csv")
        evaluate_wd(
            features=features,
            metrics=metrics[-1],
            scores=folder / f"{name}.scores.h5",
            protocol=Protocol(2, 3, 3, splits=2),
        )
    kept = []
    saved = Figure.savefig

    def note(self, *args, **kwargs):
        kept.append(self)
        return saved(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", note)
        files = []
        for time in ("first", "second"):
            to = {"svg": folder / f"{time}.svg", "png": folder / f"{time}.png"}
            figure_pipeline(
                pages=pages,
                crops=[crops],
                teacher=folder / "teacher.safetensors",
                signatures=signatures,
                features=folder / f"{SHOWN}.features.h5",
                scores=folder / f"{SHOWN}.scores.h5",
                metrics=metrics,
                student=SHOWN,
                students=STUDENTS,
                is_drawn=False,
                **to,
            )
            files.append([path.read_bytes() for path in to.values()])
    return folder, kept[0], files


def test_two_runs_draw_the_same_files(drawn):
    _, _, (first, second) = drawn
    assert first == second


def test_the_page_and_its_crops_are_shown(drawn):
    folder, figure, _ = drawn
    page, stack = (axis.get_images()[0].get_array() for axis in figure.axes[:2])
    listed = pd.read_csv(folder / "pages.csv").set_index("page")["file"]
    source = shards.read(folder / "crops.h5", "crops", ["image", "page"])
    most = pd.Series(source["page"]).value_counts(sort=True).index[0]
    scan = read_gray(listed[most])
    assert np.array_equal(page, scan[: len(page)])
    crops = center_crop(source["image"][source["page"] == most])
    darkest = 1 - np.minimum(1.5 * crops.max() / crops.max(), 1)
    assert stack.min() == pytest.approx(darkest)
    assert stack.shape[1] == crops.shape[2]


def test_scores_and_rates_are_the_models(drawn):
    folder, figure, _ = drawn
    scores, rates = figure.axes[6], figure.axes[7]
    shard = shards.read(folder / f"{SHOWN}.scores.h5", "scores", ["forgery"])
    counts = [sum(bar.get_height() for bar in container) for container in scores.containers]
    assert counts == [(~shard["forgery"]).sum(), shard["forgery"].sum()]
    shown = [bar.get_width() for bar in rates.containers[0]]
    expected = [
        100 * pd.read_csv(folder / f"{name}.csv")["EER_userthresholds"].mean()
        for name in ("teacher", SHOWN)
    ]
    np.testing.assert_allclose(shown, expected)
    assert [text.get_text().strip() for text in rates.texts if "ea" in text.get_text()] == [
        "Teacher"
    ]


def test_rates_come_with_set_nref_and_spread(drawn):
    folder, figure, _ = drawn
    rates = figure.axes[7]
    assert rates.get_xlabel() == "mine\nNREF 2, mean ± sd of 2 splits"
    for name in ("teacher", SHOWN):
        eer = 100 * pd.read_csv(folder / f"{name}.csv")["EER_userthresholds"]
        assert f"{eer.mean():.1f} ± {eer.std(ddof=0):.1f}" in texts(rates)
    assert "the student's features" in texts(figure)


def test_without_trained_students_the_teacher_is_named_and_others_have_bars(drawn, monkeypatch):
    """The signatures are said to be drawn, too."""
    folder, _, _ = drawn
    theirs = pd.read_csv(folder / "teacher.csv").assign(model="theirs", EER_userthresholds=0.25)
    theirs.to_csv(folder / "theirs.csv", index=False)
    kept = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: kept.append(self))
    monkeypatch.setattr(style, "writing", lambda path: nullcontext(path))
    figure_pipeline(
        pages=folder / "pages.csv",
        crops=[folder / "crops.h5"],
        teacher=folder / "teacher.safetensors",
        signatures=folder / "signatures.h5",
        features=folder / "teacher.features.h5",
        scores=folder / "teacher.scores.h5",
        metrics=[folder / "teacher.csv", folder / "theirs.csv"],
        student="teacher",
        students={"resnet18_random": PAPER["resnet18_random"]},
        is_drawn=True,
        svg=folder / "f.svg",
        png=folder / "f.png",
    )
    said = texts(kept[0])
    assert "the teacher's features" in said
    assert not [text for text in said if "student's" in text]
    assert "could guide a student; this study trains none" in said
    rates = kept[0].axes[7]
    assert [bar.get_width() for bar in rates.containers[0]][1] == 25
    assert {"25.0 ± 0.0", " theirs"} <= set(texts(rates))
    assert rates.get_xlabel().startswith("mine, drawn by a program\nNREF 2,")


def test_every_panel_shows_something(drawn):
    _, figure, _ = drawn
    assert len(figure.axes) == 8
    assert sum(isinstance(c, AxesImage) for axis in figure.axes for c in axis.get_children()) == 6
