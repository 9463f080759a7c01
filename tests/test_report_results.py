"""Figures of results: what they show is what the study found, and two runs draw the same files."""

import re
import warnings
from dataclasses import replace
from itertools import pairwise

import matplotlib.figure
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from fkd import losses
from fkd.errors import FkdError
from fkd.figures.correlations import (
    _draw_histogram,
    correlations,
    figure_correlations,
    twins_and_colleagues,
)
from fkd.figures.curves import curve_of, figure_curves
from fkd.figures.hardest import figure_hardest, hardest
from fkd.figures.losses import figure_losses, limits_without_spikes, terms_over_epochs
from fkd.figures.references import figure_references
from fkd.figures.splits import figure_splits, rates_of_splits
from fkd.storage import shards
from fkd.study.choices import compared, contrasted, shown_model
from fkd.study.students import PAPER, Response, Student
from fkd.study.style import by_network, looks
from fkd.verification import Protocol, error_rates, evaluate_wd
from fkd.verification.metrics import equal_error_threshold
from fkd.verification.scoring import splits_of

NAMES = ("signet_cl_tce", "resnet18_random", "resnet18_cl", "resnet18_cl_bt", "resnet18_cl_geom_bc")
STUDENTS = {name: PAPER[name] for name in NAMES}


@pytest.fixture
def drawn(monkeypatch):
    """Every figure that is saved, to look into."""
    figures = []
    saved = matplotlib.figure.Figure.savefig

    def note(self, *args, **kwargs):
        figures.append(self)
        return saved(self, *args, **kwargs)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", note)
    return figures


def twice(draw, tmp_path):
    """Draw twice and hold both files of both runs against each other."""
    runs = []
    for run in ("a", "b"):
        paths = {kind: tmp_path / run / f"figure.{kind}" for kind in ("svg", "png")}
        draw(**paths)
        runs.append([path.read_bytes() for path in paths.values()])
    assert runs[0] == runs[1]
    assert runs[0][0].startswith(b"<?xml")
    assert runs[0][1].startswith(b"\x89PNG")


def lines_of(axis):
    """Data of an axis's lines by color."""
    return {to_hex(line.get_color()): line.get_xydata() for line in axis.lines}


# Losses


def losses_csv(folder, terms, subsets=("training", "validation"), epochs=3):
    rng = np.random.default_rng(len(terms))
    rows = [
        {"epoch": epoch, "subset": subset, "images": 8}
        | {term: rng.uniform(0.1, 0.9) for term in terms}
        | {"total": 1.0, "accuracy": rng.uniform(), "seconds": 0.1}
        for epoch in range(1, epochs + 1)
        for subset in subsets
    ]
    folder.mkdir(parents=True)
    pd.DataFrame(rows).to_csv(folder / "losses.csv", index=False)
    return folder / "losses.csv"


@pytest.fixture
def training(tmp_path):
    maps = ["geometry_conv2", "geometry_conv5"]
    terms = {
        "teacher": [],
        "signet_cl_tce": ["response"],
        "resnet18_cl": [],
        "resnet18_cl_bt": ["response"],
        "resnet18_cl_geom_bc": [*maps, "response"],
    }
    return {
        name: losses_csv(
            tmp_path / name,
            ["classification", *more],
            ("training",) if name == "teacher" else ("training", "validation"),
        )
        for name, more in terms.items()
    }


def test_each_term_holds_the_numbers_of_the_models_that_have_it(training):
    tables = {name: pd.read_csv(path) for name, path in training.items()}
    terms = terms_over_epochs(tables, {name: PAPER[name] for name in NAMES})
    assert list(terms) == [
        "CL (nats)",
        "GEOM conv2",
        "GEOM conv5",
        "T-CE (nats)",
        "BT",
        "BC",
        "accuracy (%)",
    ]
    columns = ["classification", "geometry_conv2", "geometry_conv5", *["response"] * 3, "accuracy"]
    for series, column in zip(terms.values(), columns, strict=True):
        for (model, subset), values in series.items():
            rows = tables[model][tables[model]["subset"] == subset]
            expected = rows[column].to_numpy() * (100 if column == "accuracy" else 1)
            np.testing.assert_array_equal(values, expected)
            assert list(values.index) == [1, 2, 3]
    assert {m for m, _ in terms["CL (nats)"]} == set(training)
    assert ("teacher", "validation") not in terms["CL (nats)"]


def test_response_losses_never_share_an_axis(training):
    tables = {name: pd.read_csv(path) for name, path in training.items()}
    students = {name: PAPER[name] for name in NAMES}
    warm = Response("temperature_cross_entropy", 1e-3, {"temperature": 4})
    students["mine"] = replace(PAPER["signet_cl_tce"], response=warm)
    tables["mine"] = tables["signet_cl_tce"]
    terms = terms_over_epochs(tables, students)
    alone = {
        "T-CE (nats)": "signet_cl_tce",
        "T-CE (nats)\n(temperature=4)": "mine",
        "BT": "resnet18_cl_bt",
        "BC": "resnet18_cl_geom_bc",
    }
    for term, model in alone.items():
        assert {of for of, _ in terms[term]} == {model}


def test_panels_of_losses_hold_the_lines_of_their_network_and_subset(training, tmp_path, drawn):
    models = ["teacher", "signet_cl_tce", "resnet18_cl_bt"]
    files = [training[model] for model in models]
    twice(lambda **to: figure_losses(losses=files, students=STUDENTS, **to), tmp_path)
    grid = np.array(drawn[0].axes).reshape(4, 4)
    titles = [axis.get_title().split("\n") for axis in grid[0]]
    assert titles == [[n, s] for n in ("SigNet", "ResNet-18") for s in ("training", "validation")]
    assert [axis.get_ylabel() for axis in grid[:, 0]] == [
        "CL (nats)",
        "T-CE (nats)",
        "BT",
        "accuracy (%)",
    ]
    rows = pd.read_csv(training["resnet18_cl_bt"]).set_index("subset")
    colors = {name: to_hex(look["color"]) for name, look in looks_of(models).items()}
    for column, subset in ((2, "training"), (3, "validation")):
        (line,) = lines_of(grid[2, column]).values()
        np.testing.assert_array_equal(line[:, 1], rows.loc[subset, "response"])
        np.testing.assert_array_equal(line[:, 0], rows.loc[subset, "epoch"])
    assert not lines_of(grid[2, 0])
    assert not lines_of(grid[1, 2])
    assert set(lines_of(grid[0, 0])) == {colors["teacher"], colors["signet_cl_tce"]}
    assert set(lines_of(grid[0, 3])) == {colors["resnet18_cl_bt"]}


def looks_of(models):
    return looks(models, {name: PAPER[name] for name in NAMES})


def test_columns_part_the_networks():
    students = {name: PAPER[name] for name in NAMES}
    columns = by_network(["teacher", *NAMES, "theirs"], students)
    assert list(columns) == ["SigNet", "ResNet-18", "other models"]
    assert columns["SigNet"] == ["teacher", "signet_cl_tce"]
    assert columns["ResNet-18"] == ["teacher", *NAMES[1:]]
    assert columns["other models"] == ["teacher", "theirs"]
    assert by_network(["teacher", "theirs"], students) == {"": ["teacher", "theirs"]}
    assert by_network(["teacher"], {}) == {"": ["teacher"]}
    # The column of others is the last, wherever their names stand.
    assert list(by_network(["a", "signet_cl_tce"], students)) == ["SigNet", "other models"]


def spiked(path, column, epoch, value):
    """Put a value into the losses of a training."""
    table = pd.read_csv(path)
    table.loc[(table["epoch"] == epoch) & (table["subset"] == "training"), column] = value
    table.to_csv(path, index=False)


@pytest.mark.parametrize("epochs", [3, 12])
@pytest.mark.parametrize(("epoch", "value"), [(1, 900.0), (2, 1e7), (3, 5e4), (2, -800.0)])
def test_a_spike_flattens_no_panel_and_is_told(tmp_path, drawn, epochs, epoch, value):
    """At the start, in the middle, or at the end of the shorter training."""
    file = losses_csv(tmp_path / "resnet18_cl", ["classification", "mine"], epochs=epochs)
    spiked(file, "classification", epoch, value)
    to = {kind: tmp_path / f"losses.{kind}" for kind in ("svg", "png")}
    figure_losses(losses=[file], students=STUDENTS, **to)
    training, validation = drawn[0].axes[:2]
    low, high = training.get_ylim()
    assert -1 < low < 0.9 and 0.1 < high < 2  # the other values lie between 0.1 and 0.9
    word = "down" if value < 0 else "up"
    told = [text.get_text() for text in training.texts]
    assert told == [f"{word} to {value:.3g} at epoch {epoch}"]
    assert not validation.texts
    assert all(not axis.texts for axis in drawn[0].axes[2:])


def test_a_spike_on_a_logarithmic_axis_is_cut_too(tmp_path, drawn):
    file = losses_csv(tmp_path / "resnet18_cl", ["geometry_conv2"], epochs=20)
    table = pd.read_csv(file)
    table["geometry_conv2"] = np.geomspace(1, 0.05, len(table))
    table.to_csv(file, index=False)
    spiked(file, "geometry_conv2", 9, 1e12)
    to = {kind: tmp_path / f"losses.{kind}" for kind in ("svg", "png")}
    figure_losses(losses=[file], students=STUDENTS, **to)
    (axis, _, *_) = drawn[0].axes
    assert axis.get_yscale() == "log" and axis.get_ylim()[1] < 10
    assert [text.get_text() for text in axis.texts] == ["up to 1e+12 at epoch 9"]


def test_in_a_short_training_the_other_models_tell_what_a_spike_is():
    series = [pd.Series(values, [1, 2]) for values in ([440.0, 15], [3, 2], [2, 1.8], [21, 2])]
    low, high = limits_without_spikes(series, False)
    assert low < 1.8 and 21 < high < 50
    # A model that is far from the others in all epochs has no spike, and is shown.
    assert limits_without_spikes([pd.Series([60.0, 59]), *series[1:]], False) is None


@pytest.mark.parametrize(
    "values",
    [[6, 4, 3], [5.9, 5.5], [6, 3, 2, 1.5, 1.2, 1.0], [6, 2, 0.8, 0.3, 0.12], [1, 1, 1], [7]],
)
def test_training_that_goes_well_is_shown_whole(values):
    assert limits_without_spikes([pd.Series(values, range(1, len(values) + 1))], False) is None


# Curves


def scores_file(path, model, score, forgery, references=3, name="cedar"):
    attributes = {"model": model, "set": name, "protocol": {"references": references}}
    shards.write(path, "scores", {"score": score, "forgery": forgery}, attributes)
    return path


@pytest.mark.fidelity("EER")
def test_the_equal_error_point_is_that_of_the_error_rates():
    rng = np.random.default_rng(0)
    genuine, skilled = rng.normal(1, 1, (6, 10)), rng.normal(-0.5, 1, (6, 12))
    score = np.concatenate([genuine.ravel(), skilled.ravel()])
    mixed = rng.permutation(len(score))
    curve = curve_of(score[mixed], (np.arange(len(score)) >= genuine.size)[mixed])
    rates = error_rates(genuine, skilled, skilled)
    assert (curve.eer_far, curve.eer_frr) == (rates["FAR_skilled"], rates["FRR"])
    assert (curve.eer_far + curve.eer_frr) / 2 == rates["EER"]
    on_curve = np.isclose(curve.far, curve.eer_far) & np.isclose(curve.frr, curve.eer_frr)
    assert on_curve.any()


@pytest.mark.fidelity("ROC")
def test_a_curve_by_hand():
    curve = curve_of(np.array([3.0, 2.0, 1.0, 0.0]), np.array([False, True, False, True]))
    # Thresholds inf, 3, 2, 1, 0: genuine 3 and 1, forged 2 and 0.
    np.testing.assert_allclose(curve.far, [0, 0, 0.5, 0.5, 1])
    np.testing.assert_allclose(curve.frr, [1, 0.5, 0.5, 0, 0])
    assert (curve.eer_far, curve.eer_frr) == (0.5, 0.5)


def test_curves_are_drawn_with_their_points(tmp_path, drawn):
    rng = np.random.default_rng(0)
    forgery = np.arange(400) >= 200
    scores, points = [], {}
    for model in ("teacher", "signet_cl_tce", "resnet18_cl"):
        score = rng.normal(0, 1, 400) - 2 * forgery
        points[model] = curve_of(score, forgery)
        scores.append(scores_file(tmp_path / f"{model}.h5", model, score, forgery))
    twice(lambda **to: figure_curves(scores=scores, students=STUDENTS, **to), tmp_path)
    assert drawn[0].get_suptitle() == "cedar, NREF 3"
    to = {kind: tmp_path / f"f.{kind}" for kind in ("svg", "png")}
    figure_curves(scores=scores[:1], students={}, drawn=["cedar"], **to)
    assert drawn[-1].get_suptitle() == "cedar, drawn by a program, NREF 3"
    trade_off, characteristic = drawn[0].axes[1], drawn[0].axes[3]
    for axis, point in (
        (trade_off, lambda c: (c.eer_far, c.eer_frr)),
        (characteristic, lambda c: (100 * c.eer_far, 100 - 100 * c.eer_frr)),
    ):
        marks = [
            line.get_xydata()[0] for line in axis.lines if line.get_marker() not in ("", "None")
        ]
        expected = [point(points[model]) for model in ("teacher", "resnet18_cl")]
        np.testing.assert_allclose(marks, expected, atol=1e-9)
    # On normal deviate axes scores of two normal distributions of equal spread make a line.
    low, middle, high = trade_off.transData.transform(
        [(0.0228, 0.5), (0.1587, 0.1587), (0.5, 0.0228)]
    )
    np.testing.assert_allclose(middle - low, high - middle, rtol=1e-2)


def test_curves_of_two_protocols_are_refused(tmp_path):
    score, forgery = np.arange(4.0), np.array([True, False, True, False])
    scores = [
        scores_file(tmp_path / "a.h5", "teacher", score, forgery),
        scores_file(tmp_path / "b.h5", "resnet18_cl", score, forgery, references=5),
    ]
    with pytest.raises(FkdError, match="one set"):
        figure_curves(
            scores=scores, students=STUDENTS, svg=tmp_path / "c.svg", png=tmp_path / "c.png"
        )


# Rates


@pytest.fixture
def metrics(tmp_path):
    """Rates of four models on two sets, the second with one NREF; four splits."""
    rng = np.random.default_rng(0)
    paths = []
    for name, all_references in (("cedar", (3, 12)), ("mcyt75", (5,))):
        for model in ("resnet18_cl", "teacher", "signet_cl_tce", "resnet18_cl_geom_bc"):
            for references in all_references:
                where = {"model": model, "set": name, "references": references, "split": range(4)}
                rates = (
                    "EER_userthresholds",
                    "EER",
                    "FRR",
                    "FAR_skilled",
                    "FAR_random",
                    "mean_AUC",
                )
                values = {rate: rng.uniform(0.01, 0.2, 4) for rate in rates}
                paths.append(tmp_path / f"{name}-{model}-{references}.csv")
                pd.DataFrame(where | values).to_csv(paths[-1], index=False)
    return paths


def of(metrics, **where):
    table = pd.concat(map(pd.read_csv, metrics))
    for key, value in where.items():
        table = table[table[key] == value]
    return 100 * table.sort_values("split")["EER_userthresholds"].to_numpy()


def test_error_against_references_is_mean_and_population_deviation(metrics, tmp_path, drawn):
    twice(lambda **to: figure_references(metrics=metrics, students=STUDENTS, **to), tmp_path)
    grid = np.array(drawn[0].axes).reshape(2, 2)
    assert [axis.get_ylabel().split("\n")[0] for axis in grid[:, 0]] == ["cedar", "mcyt75"]
    for row, (name, all_references) in enumerate((("cedar", (3, 12)), ("mcyt75", (5,)))):
        for column, models in enumerate(
            (("teacher", "signet_cl_tce"), ("teacher", "resnet18_cl", "resnet18_cl_geom_bc"))
        ):
            axis = grid[row, column]
            assert len(axis.containers) == len(models)
            for model, bar in zip(models, axis.containers, strict=True):
                rates = [of(metrics, set=name, model=model, references=n) for n in all_references]
                x, y = bar[0].get_xydata().T
                np.testing.assert_allclose(y, [r.mean() for r in rates])
                assert (np.abs(x - all_references) < 0.5).all()
                spans = [np.diff(ends[:, 1])[0] / 2 for ends in bar[2][0].get_segments()]
                np.testing.assert_allclose(spans, [r.std(ddof=0) for r in rates])


def test_splits_are_those_of_the_largest_number_of_references(metrics, tmp_path, drawn):
    rates = rates_of_splits(pd.concat(map(pd.read_csv, metrics)))
    assert list(rates) == [("cedar", 12), ("mcyt75", 5)]
    for (name, references), table in rates.items():
        for model in table:
            expected = of(metrics, set=name, model=model, references=references)
            np.testing.assert_allclose(table[model], expected)
    twice(lambda **to: figure_splits(metrics=metrics, students=STUDENTS, **to), tmp_path)
    axis = drawn[0].axes[0]
    assert [text.get_text() for text in axis.get_yticklabels()] == [
        "Teacher",
        "SigNet CL+T-CE",
        "ResNet-18 CL",
        "ResNet-18 CL+GEOM+BC",
    ]
    points = [line.get_xydata() for line in axis.lines if len(line.get_xydata()) == 4]
    models = ("teacher", "signet_cl_tce", "resnet18_cl", "resnet18_cl_geom_bc")
    for row, (model, data) in enumerate(zip(models, points, strict=True)):
        np.testing.assert_allclose(data[:, 0], rates["cedar", 12][model])
        np.testing.assert_allclose(data[:, 1] - row, points[0][:, 1])  # a split, a height
        assert np.abs(data[:, 1] - row).max() < 0.5


def test_sets_that_a_program_drew_are_said_to_be(metrics, tmp_path, drawn):
    to = {kind: tmp_path / f"f.{kind}" for kind in ("svg", "png")}
    for figure in (figure_references, figure_splits):
        figure(metrics=metrics, students=STUDENTS, drawn=["mcyt75"], **to)
        said = [axis.get_ylabel() + axis.get_title() for axis in drawn[-1].axes]
        assert [text for text in said if "mcyt75, drawn by a program" in text]
        assert not [text for text in said if "cedar, drawn" in text]


# Correlations


@pytest.mark.fidelity("Barlow Colleagues")
@pytest.mark.fidelity("Barlow Twins")
def test_correlations_are_those_of_the_losses():
    rng = np.random.default_rng(0)
    student, teacher = rng.normal(2, 3, (50, 6)), rng.normal(0, 1, (50, 6))
    student[:, 4] = teacher[:, 1] + 0.1 * rng.normal(size=50)
    student[:, 2] = 0.7
    matrix = correlations(student, teacher)
    alive = np.delete(np.arange(6), 2)
    pearson = np.corrcoef(student[:, alive].T, teacher.T)[:5, 5:]
    np.testing.assert_allclose(matrix[alive], pearson * 49 / 50, atol=1e-5)
    assert (matrix[2] == 0).all()
    twins, colleagues = twins_and_colleagues(matrix)
    assert colleagues[4] == 1
    np.testing.assert_array_equal(twins, [matrix[i, i] for i in range(6)])
    # With lambda 0 the losses are sums over these two alone.
    tensors = torch.from_numpy(student), torch.from_numpy(teacher)
    largest = matrix[np.arange(6), colleagues]
    for loss, chosen in ((losses.barlow_twins, twins), (losses.barlow_colleagues, largest)):
        assert float(loss(*tensors, lambda_=0.0)) == pytest.approx(np.sum((1 - chosen) ** 2))


def test_without_equal_numbers_of_elements_there_are_no_twins():
    matrix = np.array([[0.1, 0.9, 0.2], [0.5, -0.9, 0.2]])
    twins, colleagues = twins_and_colleagues(matrix)
    assert twins is None
    assert colleagues.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (list(PAPER), ["resnet18_cl", "resnet18_cl_bt", "resnet18_cl_bc"]),
        # as in the default study: geometry is in all three, so that the response alone differs
        (
            ["resnet18_random", "resnet18_cl", "resnet18_cl_geom", "resnet18_cl_geom_bt"]
            + ["resnet18_cl_geom_bc", "signet_cl_geom_tce"],
            ["resnet18_cl_geom", "resnet18_cl_geom_bt", "resnet18_cl_geom_bc"],
        ),
        (["signet_random", "resnet18_cl_tce"], []),
    ],
)
def test_students_that_differ_by_their_response_alone_are_compared(names, chosen):
    assert compared({name: PAPER[name] for name in names}) == chosen


@pytest.mark.parametrize(
    ("names", "shown", "contrast"),
    [
        (list(PAPER), "resnet18_cl_geom_bc", ["resnet18_cl", "resnet18_cl_geom"]),
        # one network alone has both
        (
            ["resnet18_cl", "signet_cl", "signet_cl_geom_bc"],
            "resnet18_cl",
            ["signet_cl", "signet_cl_geom_bc"],
        ),
        (["signet_random", "resnet18_cl_bc"], "resnet18_cl_bc", []),
        (["signet_random"], "teacher", []),
    ],
)
def test_the_models_that_stand_for_a_study(names, shown, contrast):
    students = {name: PAPER[name] for name in names}
    assert shown_model(students) == shown
    assert contrasted(students) == contrast


def features_file(path, model, feature, forgery, name="cedar"):
    writer = np.array(["1"] * len(forgery), object)
    arrays = {"feature": feature, "writer": writer, "forgery": forgery}
    shards.write(path, "features", arrays, {"model": model, "set": name})
    return path


def test_correlations_are_over_genuine_signatures(tmp_path, drawn):
    rng = np.random.default_rng(0)
    forgery = np.arange(40) >= 30
    teacher = rng.normal(size=(40, 60)).astype(np.float32)
    student = teacher[:, ::-1].copy()  # the colleague of the first is the last
    student[forgery] = 0
    paths = {
        model: features_file(tmp_path / f"{model}.h5", model, feature, forgery)
        for model, feature in (("teacher", teacher), ("resnet18_cl", student))
    }
    twice(
        lambda **to: figure_correlations(
            teacher=paths["teacher"], features=[paths["resnet18_cl"]], students=STUDENTS, **to
        ),
        tmp_path,
    )
    by_number, by_colleague = (np.asarray(axis.images[0].get_array()) for axis in drawn[0].axes[:2])
    expected = correlations(student[:30], teacher[:30])
    np.testing.assert_array_equal(by_number, expected[:48, :48])
    np.testing.assert_allclose(np.diag(by_colleague), 29 / 30, atol=1e-5)
    np.testing.assert_array_equal(by_colleague[0], expected[0, 59:11:-1])


def test_features_of_other_signatures_are_refused(tmp_path):
    feature, forgery = np.eye(4, dtype=np.float32), np.zeros(4, bool)
    teacher = features_file(tmp_path / "teacher.h5", "teacher", feature, forgery)
    other = features_file(tmp_path / "x.h5", "resnet18_cl", feature[:3], forgery[:3])
    to = {"students": STUDENTS, "svg": tmp_path / "f.svg", "png": tmp_path / "f.png"}
    with pytest.raises(FkdError, match="other signatures"):
        figure_correlations(teacher=teacher, features=[other], **to)
    with pytest.raises(FkdError, match="no student"):
        figure_correlations(teacher=teacher, features=[], **to)


# The hardest cases


@pytest.fixture(scope="module")
def verified(tmp_path_factory):
    """A set of twelve writers, more than nine so that their order matters, and its scores."""
    folder = tmp_path_factory.mktemp("verified")
    rng = np.random.default_rng(0)
    writer = np.repeat([f"name{i}" for i in range(12, 0, -1)], 10).astype(object)
    forgery = np.tile(np.arange(10) >= 6, 12)
    centers = rng.normal(0, 2, (12, 8)).repeat(10, axis=0)
    feature = centers + rng.normal(0, 1.5, (120, 8)) + forgery[:, None]
    image = np.zeros((120, 170, 242), np.uint8)
    image[:, 80:100, 90:150] = 1 + np.arange(120, dtype=np.uint8)[:, None, None]
    paths = {name: folder / f"{name}.h5" for name in ("signatures", "features", "scores")}
    who = {"writer": writer, "forgery": forgery}
    shards.write(paths["signatures"], "signatures", {"image": image} | who, {"set": "mine"})
    about = {"model": "teacher", "set": "mine"}
    shards.write(paths["features"], "features", {"feature": feature} | who, about)
    evaluate_wd(
        features=paths["features"],
        metrics=folder / "metrics.csv",
        scores=paths["scores"],
        protocol=Protocol(3, 3, 4, splits=4),
        gamma=0.1,
        threads=1,
    )
    return paths


def read_cases(verified, cases=4):
    shard = shards.read(verified["scores"])
    tested = pd.DataFrame({k: shard[k] for k in ("split", "row", "forgery", "score", "writer")})
    return tested, hardest(tested, shard.attributes["writers"], shard["references"], cases)


def test_the_hardest_cases_are_the_extremes(verified):
    tested, (rejected, accepted) = read_cases(verified)
    margins = {True: {}, False: {}}  # of every signature the largest error, naively
    for _, rows in tested.groupby(["split", "writer"]):
        scores = {forged: rows["score"][rows["forgery"] == forged] for forged in (False, True)}
        threshold = equal_error_threshold(scores[False].to_numpy(), scores[True].to_numpy())
        for row in rows.itertuples():
            margin = row.score - threshold
            error = margin if row.forgery else -margin
            known = margins[row.forgery]
            known[row.row] = max(error, known.get(row.row, error))
    for found, forged, sign in ((rejected, False, -1), (accepted, True, 1)):
        worst = sorted(margins[forged].items(), key=lambda item: -item[1])[:4]
        assert [case.row for case in found] == [row for row, _ in worst]
        np.testing.assert_allclose([sign * case.margin for case in found], [m for _, m in worst])
        assert len({case.row for case in found}) == 4
    writer = shards.read(verified["signatures"], names=["writer"])["writer"]
    for case in rejected + accepted:
        assert writer[case.row] == case.writer


def test_references_are_those_that_the_model_was_trained_with(verified):
    tested, (rejected, accepted) = read_cases(verified)
    features = shards.read(verified["features"])
    number = {f"name{n}": n - 1 for n in range(1, 13)}
    y = np.array([number[name] for name in features["writer"]])
    drawn = splits_of(y, features["forgery"], Protocol(3, 3, 4, splits=4))
    trained = [split.train for split in drawn]
    for case in rejected + accepted:
        assert case.references == tuple(trained[case.split][number[case.writer]])
        assert case.row not in case.references
        assert {y[row] for row in case.references} == {number[case.writer]}
        # A model of these references, against those of all other writers, gives this score.
        others = np.delete(
            shards.read(verified["scores"])["references"][case.split], y[case.row], 0
        )
        rows = np.append(case.references, others)
        weight = len(others.ravel()) / len(case.references)
        machine = SVC(C=1.0, gamma=0.1, class_weight={1: weight}, tol=1e-6)
        model = make_pipeline(StandardScaler(with_mean=False), machine)
        model.fit(features["feature"][rows], np.where(y[rows] == y[case.row], 1, -1))
        said = tested[(tested["split"] == case.split) & (tested["row"] == case.row)]["score"]
        again = model.decision_function(features["feature"][[case.row]])
        np.testing.assert_allclose(again, said, atol=2e-3)


def test_a_model_without_errors_has_no_hard_cases(verified, tmp_path):
    shard = shards.read(verified["scores"])
    tested = pd.DataFrame({k: shard[k] for k in ("split", "row", "writer", "forgery")})
    tested["score"] = np.where(tested["forgery"], -1.0, 1.0)
    writers = shard.attributes["writers"]
    assert hardest(tested, writers, shard["references"], 4) == ([], [])
    perfect = tmp_path / "perfect.h5"
    shards.write(perfect, "scores", dict(shard.arrays, score=tested["score"]), shard.attributes)
    to = {"svg": tmp_path / "f.svg", "png": tmp_path / "f.png"}
    figure_hardest(signatures=verified["signatures"], scores=perfect, **to)
    assert to["png"].stat().st_size > 0


def test_hardest_cases_name_their_writers(verified, tmp_path, drawn):
    to = {key: verified[key] for key in ("signatures", "scores")}
    twice(lambda **paths: figure_hardest(**to, cases=2, references=2, **paths), tmp_path)
    _, (rejected, accepted) = read_cases(verified, 2)
    left, right = drawn[0].subfigs
    for part, found in ((left, rejected), (right, accepted)):
        grid = np.array(part.axes).reshape(2, 3)
        for axes, case in zip(grid, found, strict=True):
            said = axes[0].get_title(loc="left")
            assert re.fullmatch(r"writer name\d+, split \d: [−+]\d+\.\d\d", said)
            assert said.startswith(f"writer {case.writer}, split {case.split}:")
            # The gray of each picture says its row: the darkest of the case is black.
            rows = np.array([case.row, *case.references[:2]])
            inks = [1 - np.asarray(axis.images[0].get_array()).min() for axis in axes]
            np.testing.assert_allclose(inks, (1 + rows) / (1 + rows).max())


def test_scores_of_other_signatures_are_refused(verified, tmp_path):
    signatures = shards.read(verified["signatures"])
    arrays = dict(signatures.arrays, writer=signatures["writer"][::-1].copy())
    arrays["writer"][:10] = [f"name{n}" for n in (1, 1, 1, 1, 1, 1, 2, 2, 2, 2)]
    arrays["writer"][10:20] = [f"name{n}" for n in (2, 2, 2, 2, 2, 2, 1, 1, 1, 1)]
    other = tmp_path / "other.h5"
    shards.write(other, "signatures", arrays, {"set": "mine"})
    to = {"svg": tmp_path / "f.svg", "png": tmp_path / "f.png"}
    with pytest.raises(FkdError, match="not of these signatures"):
        figure_hardest(signatures=other, scores=verified["scores"], **to)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a-b", "a-b"),
        ("Ünal Жук سعيد", "Ünal Жук سعيد"),
        ("署名 x", "U+7F72U+540D x"),
        ("\u231a x", "\u231a x"),  # from another of the fonts that matplotlib brings along
        ("$x^2$ _y_ \\alpha", "$x^2$ _y_ \\alpha"),
        ("\x1b[31m\n\u202ex", r"\x1b[31m\n\u202ex"),
        ("n" * 60, "n" * 23 + "…"),
    ],
)
def test_names_of_writers_are_legible_in_any_script(verified, tmp_path, drawn, name, said):
    """No character becomes a box, whatever fonts are installed; nothing in a name is markup."""
    paths = {}
    for kind in ("signatures", "scores"):
        shard = shards.read(verified[kind])
        writer = np.array([w.replace("name", name) for w in shard["writer"]], object)
        attributes = dict(shard.attributes)
        if kind == "scores":
            attributes["writers"] = [w.replace("name", name) for w in attributes["writers"]]
        paths[kind] = tmp_path / f"{kind}.h5"
        shards.write(paths[kind], kind, dict(shard.arrays, writer=writer), attributes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns where a glyph is missing
        twice(lambda **to: figure_hardest(**paths, cases=1, references=1, **to), tmp_path)
    titles = [part.axes[0].get_title(loc="left") for part in drawn[0].subfigs]
    for title in titles:
        # A letter that an installed font has is not spelled out.
        expected = [said, name] if "U+" in said else [said]
        assert any(title.startswith(f"writer {text}") for text in expected), title


# All models of the paper


def test_eighteen_models_and_more_are_told_apart():
    models = ["teacher", *PAPER, "theirs"]
    found = looks(models, PAPER)
    assert len({tuple(sorted(look.items())) for look in found.values()}) == len(models)
    for first, second in pairwise(models):
        assert found[first] != found[second]
    assert Student("signet") == PAPER["signet_random"]


def lines_alone(found):
    """What tells lines apart where they have no markers, as in curves and losses."""
    return [(to_hex(look["color"]), str(look["linestyle"])) for look in found.values()]


def test_no_two_models_have_the_same_line():
    """Not those of the paper, nor any number of students with the same terms, nor others."""
    weights = (0.5, 2.0, 3.0, 4.0, 5.0)
    alike = {f"mine_{w}": replace(PAPER["resnet18_cl"], classification=w) for w in weights}
    alike |= {f"other_{w}": replace(PAPER["signet_cl_geom"], classification=w) for w in weights}
    students = PAPER | alike
    models = ["teacher", *students, *(f"theirs{n}" for n in range(9))]
    found = lines_alone(looks(models, students))
    assert len(set(found)) == len(models)


def test_a_model_looks_the_same_whichever_models_a_figure_shows():
    students = {"mine": replace(PAPER["resnet18_cl"], classification=2.0)} | STUDENTS
    students |= {"a": students["mine"]}
    whole = looks(["teacher", *students, "theirs"], students)
    for shown in (["mine"], ["a", "teacher"], list(STUDENTS)):
        assert looks(shown, students) == {name: whole[name] for name in shown}


def test_constant_elements_are_gray_and_in_no_histogram(tmp_path, drawn):
    rng = np.random.default_rng(0)
    forgery = np.arange(40) >= 30
    teacher = rng.normal(size=(40, 6)).astype(np.float32)
    student = -1e-3 * teacher + rng.normal(size=(40, 6)).astype(np.float32)
    student[:30, [1, 4]], teacher[:30, 2] = 0.5, 0.0  # the forgeries do not count
    paths = {
        model: features_file(tmp_path / f"{model}.h5", model, feature, forgery)
        for model, feature in (("teacher", teacher), ("resnet18_cl", student))
    }
    to = {"svg": tmp_path / "f.svg", "png": tmp_path / "f.png"}
    figure_correlations(
        teacher=paths["teacher"], features=[paths["resnet18_cl"]], students=STUDENTS, **to
    )
    by_number, by_colleague, histogram = drawn[0].axes[:3]
    assert by_number.get_title().endswith("\nconstant: 2, the teacher's 1")
    image = by_number.images[0]
    dead = np.ma.getmaskarray(image.get_array())
    assert dead[[1, 4]].all() and dead[:, 2].all() and dead.sum() == 6 * 2 + 4
    assert to_hex(image.get_cmap().get_bad()) != to_hex(image.get_cmap()(0.5))
    assert np.ma.getmaskarray(by_colleague.images[0].get_array())[[1, 4]].all()
    heights = {patch.get_label().split()[0]: patch.get_xy() for patch in histogram.patches}
    shares = {
        name: 100 * len(values) / 6
        for name, values in (("twins", [0, 3, 5]), ("colleagues", [0, 2, 3, 5]))
    }
    for name, outline in heights.items():
        steps = np.unique(outline[:, 0])
        assert len(steps) == 41
        tops = [outline[np.isclose(outline[:, 0], x), 1].max() for x in steps]
        assert max(tops) <= shares[name] + 1e-9


def test_the_legend_of_correlations_hides_no_bar(tmp_path, drawn):
    rng = np.random.default_rng(0)
    forgery = np.zeros(30, bool)
    teacher = rng.normal(size=(30, 60)).astype(np.float32)
    # The twins' correlations are all near -1, below the place where the legend once was.
    paths = {
        model: features_file(tmp_path / f"{model}.h5", model, feature, forgery)
        for model, feature in (("teacher", teacher), ("resnet18_cl", -teacher))
    }
    to = {"svg": tmp_path / "f.svg", "png": tmp_path / "f.png"}
    figure_correlations(
        teacher=paths["teacher"], features=[paths["resnet18_cl"]], students=STUDENTS, **to
    )
    histogram = drawn[0].axes[2]
    drawn[0].draw_without_rendering()
    legend, panel = histogram.get_legend().get_window_extent(), histogram.get_window_extent()
    assert legend.y0 >= panel.y1 - 1
    for patch in histogram.patches:
        assert not legend.overlaps(patch.get_window_extent())


def test_a_mean_of_almost_nothing_has_no_sign():
    axis = matplotlib.figure.Figure().subplots()
    _draw_histogram(axis, "twins", np.array([-0.004, 0.001]), 2, "k")
    assert axis.patches[0].get_label() == "twins 0.00"
