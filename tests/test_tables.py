"""Tables: numbers, order, marks, and the word that data is synthetic."""

import numpy as np
import pandas as pd
import pytest

from fkd.students import PAPER
from fkd.tables import make_tables
from fkd.verification.significance import friedman, wilcoxon

STUDENTS = {
    name: PAPER[name].to_dict()
    for name in ("resnet18_cl_geom", "resnet18_cl", "signet_random", "signet_cl")
}
STUDENTS["mine"] = STUDENTS["resnet18_cl"] | {"classification": 2.0}
BASE = {"teacher": 0.05, "resnet18_cl": 0.06, "resnet18_cl_geom": 0.03, "signet_random": 0.12}
BASE |= {"signet_cl": 0.07, "mine": 0.06}


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

    def make(synthetic=()):
        make_tables(
            metrics=metrics, title="A study", students=STUDENTS, synthetic=synthetic, **paths
        )
        return pd.read_csv(paths["csv"]), paths["markdown"].read_text(), metrics

    return make


@pytest.mark.fidelity("mean and deviation")
def test_numbers_are_means_and_population_deviations_in_percent(made):
    table, text, _ = made()
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
        "SigNet (teacher)",
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


@pytest.mark.fidelity("significance")
def test_friedman_over_all_models(made):
    _, text, metrics = made()
    splits = pd.concat(map(pd.read_csv, metrics)).query("set == 'mcyt75'")
    wide = splits.pivot(index="split", columns="model", values="EER_userthresholds")
    assert f"mcyt75, NREF 12: p = {friedman(wide.to_numpy()):.1e}." in text


def test_synthetic_data_is_named_on_the_face(made):
    _, text, _ = made(["text", "signatures"])
    assert "**Synthetic data: text and signatures were drawn by a program" in text
    _, text, _ = made()
    assert "ynthetic" not in text
    assert "a posteriori" in text
