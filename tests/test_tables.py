"""Tables: numbers, order, marks, and the word that data is synthetic."""

import re
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from fkd.errors import FkdError
from fkd.report.differences import COLUMNS
from fkd.report.tables import write_tables
from fkd.signatures.check import Leak
from fkd.study.models import in_order
from fkd.study.students import PAPER
from fkd.study.summary import baselines, caveat, read_splits
from fkd.verification.significance import (
    average_ranks,
    critical_difference,
    friedman,
    nemenyi,
    wilcoxon,
)

STUDENTS = {
    name: PAPER[name] for name in ("resnet18_cl_geom", "resnet18_cl", "signet_random", "signet_cl")
}
STUDENTS["mine"] = replace(STUDENTS["resnet18_cl"], classification=2.0)
BASE = {"teacher": 0.05, "resnet18_cl": 0.06, "resnet18_cl_geom": 0.03, "signet_random": 0.12}
BASE |= {"signet_cl": 0.07, "mine": 0.06}


def write_differences(folder, metrics):
    """Files of intervals around the means of metrics: 1 % to each side, p = 0.03."""
    splits = read_splits(metrics)
    files = []
    for (name, references), group in splits.groupby(["set", "references"]):
        means = group.groupby("model")[["EER_userthresholds", "EER"]].mean()
        rows = []
        for model, rate in product(means.index, means.columns):
            others = dict.fromkeys(filter(None, baselines(model, means.index, STUDENTS).values()))
            for other in ("", *others):
                value = means.loc[model, rate] - (means.loc[other, rate] if other else 0)
                p = 0.03 if other else np.nan
                rows.append((name, references, model, 1, rate, other))
                rows[-1] += (value, value - 0.01, value + 0.01, p)
        files.append(folder / f"differences-{name}-{references}.csv")
        pd.DataFrame(rows, columns=COLUMNS).to_csv(files[-1], index=False)
    return files


@pytest.fixture
def made(tmp_path):
    """Tables of six models on two sets, ten splits."""
    rng = np.random.default_rng(0)
    metrics = []
    for name in ("cedar", "mcyt75"):
        for model, base in BASE.items():
            # `mine` equals resnet18_cl in every split.
            noise = np.linspace(-0.01, 0.01, 10) if base == 0.06 else rng.normal(0, 0.003, 10)
            rates = {"EER_userthresholds": base + noise, "EER": 2 * base + noise}
            rates |= {key: base for key in ("FRR", "FAR_skilled", "FAR_random", "mean_AUC")}
            where = {"model": model, "set": name, "references": 12, "split": range(10)}
            metrics.append(tmp_path / f"{name}-{model}.csv")
            pd.DataFrame(where | rates).to_csv(metrics[-1], index=False)
    paths = {"csv": tmp_path / "eer.csv", "markdown": tmp_path / "eer.md"}

    def make(synthetic=(), title="A study"):
        differences = write_differences(tmp_path, metrics)
        given = dict(metrics=metrics, differences=differences, students=STUDENTS)
        write_tables(title=title, synthetic=synthetic, **given, **paths)
        return pd.read_csv(paths["csv"]), paths["markdown"].read_text(), metrics

    return make


@pytest.mark.fidelity("mean and deviation")
def test_numbers_are_means_and_population_deviations_in_percent(made):
    table, text, metrics = made()
    splits = pd.concat(map(pd.read_csv, metrics)).groupby(["set", "model"])
    for rate in ("EER", "EER_userthresholds"):
        of_splits = splits[rate].agg(mean="mean", sd=lambda shares: shares.std(ddof=0))
        for what, expected in (100 * of_splits).items():
            column = table.set_index(["set", "model"])[f"{rate}_{what}"]
            np.testing.assert_allclose(column.sort_index(), expected)
    row = table.set_index(["set", "model"]).loc["cedar", "resnet18_cl"]
    noise = np.linspace(-0.01, 0.01, 10)
    assert row["EER_userthresholds_mean"] == pytest.approx(6)
    assert row["EER_userthresholds_sd"] == pytest.approx(100 * noise.std())
    assert f"6.00 ± {100 * noise.std():.2f}" in text
    assert f"12.00 ± {100 * noise.std():.2f}" in text


def test_rows_stand_in_the_order_of_the_paper(made):
    _, text, _ = made()
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert [line.split("|")[1].strip() for line in lines[:7]] == [
        "model",
        "Teacher",
        "SigNet random weights",
        "SigNet CL",
        "ResNet-18 CL",
        "ResNet-18 CL+GEOM",
        "mine",
    ]
    assert [cell.strip() for cell in lines[0].split("|")[2:4]] == [
        "cedar, NREF 12",
        "mcyt75, NREF 12",
    ]


def test_markup_in_title_and_names_is_text(made, tmp_path):
    _, text, _ = made(title="A *study* <b>\nof")
    assert text.startswith("# A \\*study\\* \\<b> of\n")
    rates = np.linspace(0.1, 0.2, 10)
    _, text = tables_of(tmp_path, {"teacher": rates, "a|b_": rates, "*c": rates[::-1]})
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {line.split(" | ")[0].strip("| ") for line in rows} >= {r"a\|b\_", r"\*c"}


def test_models_come_in_the_order_of_the_paper():
    models = ["zeta", "resnet18_cl", "alpha", "signet_cl_geom_bc", "teacher", "signet_random"]
    expected = ["teacher", "signet_random", "signet_cl_geom_bc", "resnet18_cl", "alpha", "zeta"]
    assert in_order(iter(models)) == expected


@pytest.mark.fidelity("significance")
def test_differences_are_tested_over_the_splits(made):
    table, text, metrics = made()
    splits = pd.concat(map(pd.read_csv, metrics)).set_index(["set", "model"])
    rows = table.set_index(["set", "model"])
    rates = {m: splits.loc[("cedar", m), "EER_userthresholds"].to_numpy() for m in BASE}
    geom = rows.loc["cedar", "resnet18_cl_geom"]
    assert geom["p_teacher"] == wilcoxon(rates["resnet18_cl_geom"], rates["teacher"])
    assert geom["p_cl"] == wilcoxon(rates["resnet18_cl_geom"], rates["resnet18_cl"])
    assert geom["p_cl"] < 0.05
    assert rows.loc["cedar", "mine"]["p_cl"] == 1.0
    assert rows.loc["cedar", "signet_random"]["p_cl"] < 0.05
    assert np.isnan(rows.loc["cedar", "teacher"]["p_teacher"])
    assert np.isnan(rows.loc["cedar", "resnet18_cl"]["p_cl"])
    marked = next(line for line in text.splitlines() if "CL+GEOM" in line)
    assert "\\*†" in marked


def row_of(text, first, section):
    """Cells of the row that starts so, in the section of that title."""
    lines = text.split(f"## {section}")[1].split("\n## ")[0].splitlines()
    return [
        cell.strip()
        for cell in next(x for x in lines if x.startswith(f"| {first} ")).split("|")[2:-1]
    ]


@pytest.mark.fidelity("significance")
def test_all_models_are_compared_at_once(made):
    table, text, metrics = made()
    splits = pd.concat(map(pd.read_csv, metrics))
    for number, name in enumerate(("cedar", "mcyt75")):
        rows = table[table["set"] == name].set_index("model")
        wide = splits[splits["set"] == name].pivot(
            index="split", columns="model", values="EER_userthresholds"
        )
        rates, at = wide.to_numpy(), list(wide.columns)
        assert (rows["p_friedman"] == friedman(rates)).all()
        assert (rows["critical_difference"] == critical_difference(6, 10, 0.05)).all()
        np.testing.assert_array_equal(rows.loc[at, "rank"], average_ranks(rates))
        p = pd.DataFrame(nemenyi(rates), at, at)
        for model, cl in (
            ("resnet18_cl_geom", "resnet18_cl"),
            ("mine", "resnet18_cl"),
            ("signet_random", "signet_cl"),
        ):
            assert rows.loc[model, "nemenyi_teacher"] == p.loc[model, "teacher"]
            assert rows.loc[model, "nemenyi_cl"] == p.loc[model, cl]
        assert rows.loc["mine", "nemenyi_cl"] == 1
        assert np.isnan(rows.loc["teacher", "nemenyi_teacher"])
        assert np.isnan(rows.loc["resnet18_cl", "nemenyi_cl"])
        # geom is the best of all splits; a model marked in one table need not be in the other
        assert row_of(text, "ResNet-18 CL+GEOM", "Average ranks")[number] == "1.0 †"
        assert row_of(text, "ResNet-18 CL+GEOM", "EER")[number].endswith("\\*†")
        assert row_of(text, "critical difference", "Average ranks")[number] == "2.4"
        found = row_of(text, "Friedman's p", "Average ranks")[number]
        assert found == f"{friedman(rates):.1e}"


def tables_of(tmp_path, models, **given):
    """Tables of a few models, their rates given."""
    for model, rates in models.items():
        others = dict.fromkeys(("FRR", "FAR_skilled", "FAR_random", "mean_AUC"), 0.5)
        where = {"model": model, "set": "cedar", "references": 3, "split": range(len(rates))}
        rates = {"EER_userthresholds": rates, "EER": rates}
        pd.DataFrame(where | rates | others).to_csv(tmp_path / f"{model}.csv", index=False)
    metrics = [tmp_path / f"{model}.csv" for model in models]
    write_tables(
        metrics=metrics,
        differences=write_differences(tmp_path, metrics),
        csv=tmp_path / "eer.csv",
        markdown=tmp_path / "eer.md",
        title="A study",
        students=STUDENTS,
        synthetic=[],
        **given,
    )
    return pd.read_csv(tmp_path / "eer.csv"), (tmp_path / "eer.md").read_text()


@pytest.mark.fidelity("significance")
def test_no_pair_is_named_where_the_models_do_not_differ(tmp_path):
    rates = np.array([1, 2, 3, 4]) / 20
    table, text = tables_of(
        tmp_path, {"teacher": rates, "resnet18_cl": rates[::-1], "resnet18_cl_geom": rates}
    )
    assert (table["p_friedman"] > 0.05).all()
    empty = ["nemenyi_teacher", "nemenyi_cl", "critical_difference"]
    assert table[empty].isna().all(axis=None)
    assert row_of(text, "critical difference", "Average ranks") == ["–"]
    assert row_of(text, "ResNet-18 CL", "Average ranks") == ["2.0"]


def test_two_models_have_no_ranks(tmp_path):
    rates = np.linspace(0.1, 0.2, 10)
    table, text = tables_of(tmp_path, {"teacher": rates, "resnet18_cl": rates + 0.1})
    assert table[["rank", "p_friedman"]].isna().all(axis=None)
    assert table["p_teacher"].tolist()[1] < 0.05
    assert row_of(text, "Friedman's p", "Average ranks") == ["–"]


def test_unpaired_splits_are_refused(tmp_path):
    rates = np.linspace(0.1, 0.2, 10)
    models = {"teacher": rates, "resnet18_cl": rates, "resnet18_cl_geom": rates[:9]}
    with pytest.raises(FkdError, match="finite rates"):
        tables_of(tmp_path, models)


def test_the_caveat_stands_wherever_differences_are_marked(made):
    _, text, _ = made()
    sections = {part.split("\n")[0]: part for part in text.split("## ")[1:]}
    marked = [title for title, part in sections.items() if re.search(r"†|\bp of", part)]
    assert len(marked) == 3
    for title in marked:
        assert caveat(1) in sections[title]
    for reason in ("the splits overlap", "one seed"):
        assert reason in caveat(1)
    assert "3 training seeds" in caveat(3) and "one seed" not in caveat(3)


def test_text_alone_that_is_drawn_does_not_unmake_the_figures(made):
    _, text, _ = made(["text"])
    assert "**Synthetic text: students learned from handwriting that a program drew." in text
    assert "nothing of real signatures" not in text
    _, text, _ = made(["text", "the signatures of my_set"])
    assert "**Synthetic data: text and the signatures of my_set were drawn by a program" in text
    assert "Figures on such signatures show that the study runs; they say nothing of real" in text


def test_synthetic_data_is_named_on_the_face(made):
    _, text, _ = made(["text", "signatures"])
    assert "**Synthetic data: text and signatures were drawn by a program" in text
    _, text, _ = made()
    assert "ynthetic" not in text
    assert "a posteriori" in text


def test_leaks_stand_under_the_table(tmp_path):
    leaks = tmp_path / "copies.csv"
    rows = [("teacher", "dev", "cedar", 3, 90), ("itself", "cedar", "cedar", 0, 90)]
    pd.DataFrame(rows, columns=Leak._fields).to_csv(leaks, index=False)
    rates = np.linspace(0.1, 0.2, 10)
    _, text = tables_of(tmp_path, {"teacher": rates, "resnet18_cl": rates}, leaks=leaks)
    assert "\n\n3 of 90 signatures of cedar are also in dev, from which the teacher" in text
    assert "Remove them from one set.\n\n## " in text
    assert "there more than once" not in text
    _, text = tables_of(tmp_path, {"teacher": rates, "resnet18_cl": rates})
    assert "also in dev" not in text


def test_intervals_and_what_they_hold(made):
    table, text, _ = made()
    assert "## 95 % intervals over writers, EER" in text
    assert "the noise of training is not in these intervals" in text
    row = table[(table["set"] == "cedar") & (table["model"] == "resnet18_cl_geom")].iloc[0]
    mean, gain = row["EER_userthresholds_mean"], row["gain_cl"]
    assert row["EER_userthresholds_high"] == pytest.approx(mean + 1)
    assert row["gain_cl_low"] == pytest.approx(gain - 1) and row["gain_cl_p"] == 0.03
    assert (
        row_of(text, "ResNet-18 CL+GEOM", "95 %")[0]
        == f"{mean:.2f} ({mean - 1:.2f} to {mean + 1:.2f})"
    )
    shown = row_of(text, "ResNet-18 CL+GEOM", "Differences")[0]
    assert shown.startswith("teacher -") and f"CL {gain:+.2f} ({gain - 1:+.2f} to" in shown
    assert row_of(text, "Teacher", "Differences")[0] == "–"


def test_replicates_are_one_row_with_the_spread_over_seeds(tmp_path):
    """Means over seeds and splits; sd over splits of the means; sample sd over seeds."""
    rates = np.linspace(0.1, 0.2, 10)
    seeds = {"resnet18_cl": rates, "resnet18_cl.2": rates + 0.02, "resnet18_cl.3": rates[::-1]}
    table, text = tables_of(tmp_path, {"teacher": rates, **seeds})
    assert table["model"].tolist() == ["teacher", "resnet18_cl"]
    found, teacher = table.iloc[1], table.iloc[0]
    every = np.array(list(seeds.values()))
    assert (found["seeds"], teacher["seeds"]) == (3, 1)
    assert found["EER_userthresholds_mean"] == pytest.approx(100 * every.mean())
    assert found["EER_userthresholds_sd"] == pytest.approx(100 * every.mean(axis=0).std())
    over_seeds = 100 * every.mean(axis=1).std(ddof=1)
    assert found["EER_userthresholds_seed_sd"] == pytest.approx(over_seeds)
    assert np.isnan(teacher["EER_userthresholds_seed_sd"])
    assert found["p_teacher"] == wilcoxon(every.mean(axis=0), rates)
    assert row_of(text, "ResNet-18 CL", "EER")[0].split(" \\")[0].endswith(f"± {over_seeds:.2f}")
    assert row_of(text, "Teacher", "EER")[0].count("±") == 1
    assert "then ± that over 3 training seeds" in text
    assert "intervals over writers and 3 training seeds" in text
