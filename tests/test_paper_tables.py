"""The paper's tables: values as published, ours beside them, reasons, marks and typesetting."""

import re
import shutil
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from scipy import stats

import fkd.report
from fkd.errors import FkdError
from fkd.report.paper_tables import write_paper_table
from fkd.report.published import (
    Judged,
    difference,
    difference_of_tests,
    read_published,
    welch,
)
from fkd.storage import shards
from fkd.study.students import PAPER
from fkd.verification import Protocol
from fkd.verification.significance import wilcoxon

ROOT = Path(__file__).resolve().parents[1]
RATES = ("FRR", "FAR_skilled", "EER", "EER_userthresholds", "mean_AUC")
SPLITS = 10

# ---------------------------------------------------------------------- published values


@pytest.fixture(scope="module")
def published():
    """Mean and deviation by table, set, model, NREF and rate."""
    table = read_published()
    where = ["table", "set", "model", "references", "rate"]
    assert not table.duplicated(where).any()
    return table.set_index(where)[["mean", "sd"]]


NAMES = {"teacher SigNet": "teacher"}
NAMES |= {
    f"{network} {text}": f"{key}_{setting}"
    for network, key in (("SigNet", "signet"), ("SigNet,", "signet"), ("ResNet-18", "resnet18"))
    for text, setting in (
        ("random weights", "random"),
        *((s.replace("_", "+").upper().replace("TCE", "T-CE"), s) for s in ("cl", "cl_geom")),
        *((f"CL+{n}", f"cl_{k}") for n, k in (("T-CE", "tce"), ("BT", "bt"), ("BC", "bc"))),
        *(
            (f"CL+GEOM+{n}", f"cl_geom_{k}")
            for n, k in (("T-CE", "tce"), ("BT", "bt"), ("BC", "bc"))
        ),
    )
}
NAMES["ResNet-18, random weights"] = "resnet18_random"


@pytest.mark.fidelity("published tables")
def test_the_published_values_are_those_of_the_facts(shared, published):
    text = (shared / "method.md").read_text().split("## 8. ")[1]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if "+-" in line]
    assert len(rows) == 13
    for name, *cells in rows:
        model = NAMES[name]
        tables = [4, 5] if model == "teacher" else [4 if model.startswith("signet") else 5]
        for (of_set, references), cell in zip(SETS.items(), cells, strict=True):
            expected = [float(number) for number in cell.split(" +- ")]
            for table in tables:
                place = table, of_set, model, references, "EER_userthresholds"
                assert published.loc[place].tolist() == expected, place


SETS = {"gpds300": 12, "mcyt75": 10, "cedar": 12}


@pytest.mark.fidelity("published tables")
@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ((4, "mcyt75", "signet_cl_bt", 10, "EER_userthresholds"), (4.76, 0.97)),
        ((4, "cedar", "signet_cl_geom_tce", 12, "EER_userthresholds"), (3.02, 0.34)),
        ((4, "gpds300", "signet_cl_geom_bt", 12, "EER_userthresholds"), (3.40, 0.27)),
        ((7, "gpds300", "signet_f", 3, "FRR"), (6.26, 0.26)),
        ((7, "gpds300", "signet_f", 12, "EER_userthresholds"), (1.53, 0.15)),
        ((7, "mcyt75", "signet_f", 12, "FAR_skilled"), (5.48, 0.69)),
        ((7, "mcyt75", "teacher", 5, "EER"), (7.10, 0.76)),
        ((7, "mcyt75", "resnet18_cl_geom_bc", 10, "FAR_skilled"), (6.03, 0.34)),
        ((7, "mcyt75", "resnet18_cl_geom_bc", 3, "mean_AUC"), (94.70, 1.18)),
        ((7, "cedar", "signet_f", 5, "EER_userthresholds"), (8.78, 1.05)),
        ((7, "cedar", "teacher", 3, "FRR"), (13.51, 0.71)),
        ((7, "cedar", "resnet18_cl_geom_bc", 12, "mean_AUC"), (99.10, 0.19)),
    ],
)
def test_published_values_picked_by_hand(published, place, expected):
    assert tuple(published.loc[place]) == expected


@pytest.mark.fidelity("published tables")
def test_the_published_tables_are_whole_and_agree(published):
    by_table = published.groupby(level=["table", "set"]).size()
    assert by_table.to_dict() == {(t, s): 60 if t == 7 else 10 for t in (4, 5, 7) for s in SETS}
    for (table, *place), row in published.iterrows():
        if table != 7 and (7, *place) in published.index:
            assert published.loc[(7, *place)].tolist() == row.tolist()


def test_the_published_values_are_installed():
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = found["tool"]["setuptools"]["package-data"]["fkd.report"]
    folder = Path(fkd.report.__file__).parent
    assert folder / "published.csv" in [path for p in patterns for path in folder.glob(p)]


# ------------------------------------------------------------------------------- a study

STUDENTS = {
    name: PAPER[name]
    for name in ("resnet18_cl", "resnet18_cl_geom", "resnet18_cl_geom_bc", "resnet18_cl_bt")
}
STUDENTS["resnet18_cl_bt"] = replace(STUDENTS["resnet18_cl_bt"], classification=2.0)
BASE = {"teacher": 0.05, "resnet18_cl": 0.06, "resnet18_cl_geom": 0.0224}
BASE |= {"resnet18_cl_geom_bc": 0.03, "resnet18_cl_bt": 0.055}
ASKED = {"cedar": (3, 5, 12), "mcyt75": (3, 12), "of_mine": (3, 5)}


@pytest.fixture(scope="module")
def metrics(tmp_path_factory):
    """Rates of a study on CEDAR, on MCYT75 without its NREF 10, and on a set of its own."""
    rng, folder, paths = np.random.default_rng(0), tmp_path_factory.mktemp("metrics"), []
    for name, numbers in ASKED.items():
        for references in numbers:
            for model, base in BASE.items():
                noise = rng.normal(0, 0.001, SPLITS) + (0.0 if references > 3 else 0.02)
                rates = {"EER_userthresholds": base + noise, "EER": 2 * base + noise}
                rates |= {"FRR": 2 * base - noise, "FAR_skilled": 2 * base, "FAR_random": base}
                rates["mean_AUC"] = 1 - base / 2 + noise
                where = {"model": model, "set": name, "references": references}
                paths.append(folder / f"{name}-{model}-{references}.csv")
                pd.DataFrame(where | {"split": range(SPLITS)} | rates).to_csv(
                    paths[-1], index=False
                )
    return paths


@pytest.fixture(scope="module")
def made(metrics, tmp_path_factory):
    """Each table as a data frame, as Markdown and as LaTeX."""
    folder, found = tmp_path_factory.mktemp("tables"), {}
    for table in (4, 5, 7):
        paths = [folder / f"table{table}.{ending}" for ending in ("csv", "md", "tex")]
        make(table, metrics, paths)
        found[table] = (pd.read_csv(paths[0]), paths[1].read_text(), paths[2].read_text())
    return found


OF_EACH = {"cedar": (55, 24, 24), "mcyt75": (75, 15, 15), "of_mine": (4, 5, 6)}
"""Writers, and genuine signatures and skilled forgeries of each, of the study's sets."""

PROTOCOLS = {
    "cedar": [Protocol(n, 10, 10) for n in (3, 5, 12)],
    "mcyt75": [Protocol(3, 5, 15), Protocol(12, 3, 15)],
    "of_mine": [Protocol(3, 1, 1), Protocol(5, 1, 1)],
}


def signatures_of(folder, of_each):
    """Prepared sets with these numbers of writers and of signatures of each, without images."""
    paths = []
    for name, (writers, genuine, skilled) in of_each.items():
        forgery = np.tile(np.arange(genuine + skilled) >= genuine, writers)
        writer = np.repeat(np.arange(writers).astype(str).astype(object), genuine + skilled)
        paths.append(folder / f"{name}.h5")
        shards.write(paths[-1], "signatures", {"writer": writer, "forgery": forgery}, {"set": name})
    return paths


def make(table, metrics, paths, synthetic=(), title="A study", of_each=(), layouts=(), tests=()):
    of_each = OF_EACH | dict(of_each)
    layouts = {"cedar": "cedar", "mcyt75": "npz", "of_mine": "folder"} | dict(layouts)
    write_paper_table(
        table=table,
        metrics=metrics,
        signatures=signatures_of(Path(paths[0]).parent, of_each),
        layouts=layouts,
        protocols=PROTOCOLS | dict(tests),
        **dict(zip(("csv", "markdown", "latex"), paths, strict=True)),
        title=title,
        students=STUDENTS,
        synthetic=list(synthetic),
    )


def grid(text, heading=None):
    """Rows of cells, by a Markdown parser, of the table below a heading."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    rows, inside = [], heading is None
    for number, token in enumerate(tokens):
        if token.type == "heading_open" and heading:
            inside = tokens[number + 1].content == heading
        if inside and token.type == "tr_open":
            rows.append([])
        if inside and token.type in ("td_open", "th_open"):
            rows[-1].append("".join(t.content for t in tokens[number + 1].children))
    return pd.DataFrame(rows[1:], columns=rows[0])


def number_of(cell):
    """Mean and deviation of a cell without its marks; the text of one without."""
    found = re.fullmatch(r"(\d+\.\d\d) ± (\d+\.\d\d)(?: [*†‡]+)?", cell)
    return tuple(map(float, found.groups())) if found else cell


def splits_of(metrics, name, references, rate):
    rows = pd.concat(map(pd.read_csv, metrics))
    rows = rows[(rows["set"] == name) & (rows["references"] == references)]
    return 100 * rows.pivot(index="split", columns="model", values=rate)


def row_of(table, **place):
    found = table[np.logical_and.reduce([table[key] == value for key, value in place.items()])]
    assert len(found) == 1
    return found.iloc[0]


def test_ours_is_mean_and_population_deviation_in_percent(made, metrics):
    table, _, _ = made[5]
    row = row_of(table, set="cedar", model="resnet18_cl_geom_bc")
    expected = splits_of(metrics, "cedar", 12, "EER_userthresholds")["resnet18_cl_geom_bc"]
    assert row["mean"] == pytest.approx(expected.mean(), abs=1e-12)
    assert row["sd"] == pytest.approx(expected.std(ddof=0), abs=1e-12)
    assert row["splits"] == SPLITS
    assert (row["published_mean"], row["published_sd"]) == (2.25, 0.24)


@pytest.mark.fidelity("significance")
@pytest.mark.parametrize("rate", RATES)
def test_each_rate_of_table_7_is_tested(made, metrics, rate):
    row = row_of(made[7][0], set="cedar", model="resnet18_cl_geom_bc", references=5, rate=rate)
    rates = splits_of(metrics, "cedar", 5, rate)
    ours = rates["resnet18_cl_geom_bc"]
    assert row["p_teacher"] == wilcoxon(ours, rates["teacher"]) < 0.05
    assert row["p_cl"] == wilcoxon(ours, rates["resnet18_cl"]) < 0.05


def test_the_distance_to_the_published_value_is_welchs(made):
    rng = np.random.default_rng(1)
    ours, theirs = rng.normal(3, 0.5, 7), rng.normal(3.4, 0.2, 10)
    row = {"mean": ours.mean(), "sd": ours.std(), "splits": 7}
    row |= {"published_mean": theirs.mean(), "published_sd": theirs.std()}
    expected = stats.ttest_ind(ours, theirs, equal_var=False).pvalue
    assert welch(row) == pytest.approx(expected, rel=1e-9)
    still = {"sd": 0.0, "splits": 7, "published_sd": 0.0, "published_mean": 3.0}
    assert (welch(still | {"mean": 3.0}), welch(still | {"mean": 3.1})) == (1.0, 0.0)
    table = made[5][0].set_index(["set", "model"])
    assert table.loc[("cedar", "resnet18_cl_geom"), "p_published"] > 0.05  # 2.24, as published
    assert table.loc[("cedar", "teacher"), "p_published"] < 0.05


def test_marks_stand_where_the_tests_say(made):
    rows = grid(made[5][1]).set_index("model")
    cells = rows["CEDAR, NREF 12: ours"]
    assert cells["Teacher"].endswith(" ‡")
    assert cells["CL"].endswith(" *‡")
    assert cells["CL+GEOM"].endswith(" *†")
    assert cells["CL+GEOM+BC"].endswith(" *†‡")
    assert r"^{*\dagger\ddagger}$" in made[5][2]
    for column in rows.filter(like="published"):
        assert not rows[column].str.contains("[*†‡]").any()


CEDAR = Judged("cedar", 55, 55 * 24, 55 * 24, tuple(PROTOCOLS["cedar"]))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({}, ""),
        ({"layout": "npz"}, ""),
        ({"layout": "folder"}, ""),
        ({"layout": "synthetic", "writers": 5}, "drawn, 5 writers"),
        ({"layout": "synthetic"}, "drawn, 55 writers"),
        ({"layout": "mcyt75", "writers": 75}, "layout mcyt75, 75 writers"),
        ({"writers": 6, "genuine": 144}, "6 of 55 writers"),
        ({"writers": 56}, "56 writers instead of 55"),
        ({"genuine": 1319}, "1,319 of 1,320 genuine signatures"),
        ({"skilled": 1300, "layout": "npz"}, "1,300 of 1,320 skilled forgeries"),
    ],
)
def test_a_set_that_is_not_the_papers_is_told_apart(changes, what):
    assert difference("cedar", replace(CEDAR, **changes)) == what


@pytest.mark.parametrize(
    ("protocol", "what"),
    [
        (Protocol(3, 10, 10, splits=5), ""),
        (Protocol(3, 9, 4), "9 genuine and 4 skilled tested"),
        (Protocol(3, 10, 10, negatives=2), "2 of each other writer refused"),
        (Protocol(4, 9, 4), ""),  # no NREF of the paper's, and so nothing to compare
    ],
)
def test_other_tests_than_the_papers_are_told_apart(protocol, what):
    judged = replace(CEDAR, protocols=(protocol,))
    assert difference_of_tests("cedar", judged, protocol.references) == what


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        (
            {"of_each": {"cedar": (5, 24, 24)}, "layouts": {"cedar": "synthetic"}},
            "drawn, 5 writers",
        ),
        (
            {
                "of_each": {"cedar": (6, 24, 24)},
                "tests": {"cedar": [Protocol(n, 9, 4) for n in (3, 5, 12)]},
            },
            "6 of 55 writers; 9 genuine and 4 skilled tested",
        ),
    ],
)
def test_a_set_that_is_not_the_papers_says_what_it_is(metrics, tmp_path, changes, what):
    """Its name alone does not make its rates comparable with the published ones."""
    paths = [tmp_path / f"t.{ending}" for ending in ("csv", "md", "tex")]
    make(5, metrics, paths, **changes)
    table, text = pd.read_csv(paths[0]), paths[1].read_text()
    cedar = table[table["set"] == "cedar"]
    assert set(cedar["differs"]) == {what} and cedar["p_published"].isna().all()
    assert cedar["p_teacher"].notna().any()
    assert table[table["set"] != "cedar"]["differs"].isna().all()
    columns = [column for column in grid(text) if column.startswith("CEDAR")]
    assert columns == ["CEDAR, NREF 12: published", f"CEDAR, NREF 12: {what}"]
    assert "‡" not in "".join(grid(text)[columns[1]])
    assert f"under the name of its set: cedar ({what})" in text
    make(7, metrics, paths, **changes)
    values = grid(paths[1].read_text(), "CEDAR")
    of_teacher = values[(values["model"] == "Teacher") & (values["NREF"] != "10")]
    assert set(of_teacher["values"]) == {"published", what}
    assert what in paths[2].read_text()


def test_the_papers_sets_may_come_in_any_layout(made, metrics, tmp_path):
    table = made[5][0]
    assert table["differs"].isna().all()
    assert table.set_index(["set", "model"]).loc[("cedar", "teacher"), "p_published"] < 0.05
    paths = [tmp_path / f"t.{ending}" for ending in ("csv", "md", "tex")]
    make(5, metrics, paths, layouts={"cedar": "folder"})
    assert pd.read_csv(paths[0])["differs"].isna().all()


def test_a_missing_cell_says_why(made):
    rows = grid(made[5][1]).set_index("model")
    assert rows.loc["CL+BC", "CEDAR, NREF 12: ours"] == "not trained"
    assert rows.loc["CL+BT", "CEDAR, NREF 12: ours"] == "other settings"
    assert rows.loc["CL", "MCYT75, NREF 10: ours"] == "NREF 10 not asked for"
    assert rows.loc["CL+BC", "MCYT75, NREF 10: ours"] == "not trained"
    assert "GPDS300GRAY, NREF 12: ours" not in rows
    assert "GPDS300GRAY: the published values alone" in made[5][1]
    assert "GPDS300GRAY: the published values alone" in made[5][2]
    assert "CEDAR: the published values alone" not in made[5][1]
    assert "Not trained:" in made[5][1] and "Other settings:" in made[5][1]
    for table, text, _ in made.values():
        assert (
            table["missing"].isna() == (table["mean"].notna() & (table["set"] != "of_mine"))
        ).all()
        for heading in [None] if "l₁" in text else ["CEDAR", "MCYT75", "GPDS300GRAY", "of_mine"]:
            assert not grid(text, heading).isin(["", "nan", "NaN"]).any(axis=None)
    table = made[7][0]
    assert set(table[table["set"] == "gpds300"]["missing"]) == {"ours: no data"}
    assert set(table[table["model"] == "signet_f"]["missing"].str.rpartition("ours: ")[2]) == {
        "no data",
        "not trained",
    }


def test_models_of_which_no_metrics_were_given_are_named(metrics, tmp_path):
    paths = [tmp_path / f"t.{ending}" for ending in ("csv", "md", "tex")]
    make(5, [path for path in metrics if "resnet18_cl_geom_bc" not in path.name], paths)
    row = row_of(pd.read_csv(paths[0]), set="cedar", model="resnet18_cl_geom_bc")
    assert row["missing"] == "ours: not evaluated"


def test_sets_of_a_studys_own_stand_at_their_largest_nref(made):
    rows = grid(made[4][1]).set_index("model")
    assert [c for c in rows if c.startswith("of_mine")] == ["of_mine, NREF 5: ours"]
    assert number_of(rows.loc["Teacher", "of_mine, NREF 5: ours"])[0] == pytest.approx(5, abs=0.1)
    own = grid(made[7][1], "of_mine")
    assert set(own["values"]) == {"ours"}
    assert list(own["NREF"]) == ["3, 5", "3", "5", "3", "5"]  # SigNet-F is missing in one row


def test_rows_are_the_papers_with_their_weights(made):
    for table, network in ((4, "signet"), (5, "resnet18")):
        rows = grid(made[table][1])
        assert list(rows["model"]) == [
            *("Teacher", "random weights", "CL", "CL+GEOM", "CL+T-CE", "CL+BT", "CL+BC"),
            *("CL+GEOM+T-CE", "CL+GEOM+BT", "CL+GEOM+BC"),
        ]
        weights = rows.set_index("model")[["l₁", "l₂", "g", "c"]]
        assert list(weights.loc["CL+GEOM+T-CE"]) == ["10", "100", "0.001", "1"]
        assert list(weights.loc["CL+BC"]) == ["0", "0", "0.0001", "1"]
        assert list(weights.loc["random weights"]) == ["–"] * 4
        assert set(made[table][0]["model"].iloc[3:]) > {f"{network}_cl"}


@pytest.mark.parametrize("table", [4, 5])
def test_markdown_and_latex_hold_the_numbers_of_the_csv(made, table):
    values, text, latex = made[table]
    rows = grid(text)
    shown = {"cedar": "CEDAR", "mcyt75": "MCYT75", "gpds300": "GPDS300GRAY"}
    checked = 0
    for (name, references), of_set in values.groupby(["set", "references"]):
        for what, prefix in (("published", "published_"), ("ours", "")):
            column = f"{shown.get(name, name)}, NREF {references}: {what}"
            if column not in rows:
                continue
            for cell, (_, row) in zip(rows[column], of_set.iterrows(), strict=True):
                mean, sd = row[f"{prefix}mean"], row[f"{prefix}sd"]
                if isinstance(number_of(cell), str):
                    assert np.isnan(mean)
                    assert row["missing"].endswith(cell)
                    continue
                assert number_of(cell) == (float(f"{mean:.2f}"), float(f"{sd:.2f}"))
                assert rf"{mean:.2f} \pm {sd:.2f}" in latex
                checked += 1
    assert checked >= 31


def test_table_7_holds_the_numbers_of_the_csv(made):
    values, text, latex = made[7]
    heads = ["FRR", "FAR skilled", "EER, global", "EER, user", "AUC"]
    for name, heading in (("cedar", "CEDAR"), ("gpds300", "GPDS300GRAY"), ("of_mine", "of_mine")):
        of_set = values[values["set"] == name].set_index(["label", "references", "rate"])
        for _, row in grid(text, heading).iterrows():
            for rate, head in zip(RATES, heads, strict=True):
                if isinstance(number_of(row[head]), str):
                    assert row[head] in ("not trained", "NREF 10 not asked for")
                    continue
                found = of_set.loc[(row["model"], int(row["NREF"]), rate)]
                prefix = "published_" if row["values"] == "published" else ""
                mean, sd = found[f"{prefix}mean"], found[f"{prefix}sd"]
                assert number_of(row[head]) == (float(f"{mean:.2f}"), float(f"{sd:.2f}"))
                assert rf"{mean:.2f} \pm {sd:.2f}" in latex


def test_the_best_is_bold(made):
    _, text, latex = made[5]
    lines = [line for line in text.splitlines() if line.startswith("| CL+GEOM ")]
    assert lines[0].split("|")[-3].strip().startswith("**2.2")  # CEDAR, ours
    published = next(line for line in text.splitlines() if line.startswith("| CL+GEOM+BC "))
    assert "**2.74 ± 0.28**" in published and "**2.25" not in published
    assert r"\mathbf{2.74 \pm 0.28}" in latex
    auc = [x for x in made[7][1].splitlines() if x.startswith("| SigNet-F") and "99.10" in x]
    assert "**99.10 ± 0.12**" in auc[0]


def test_thresholds_and_synthetic_data_are_named(made, metrics, tmp_path):
    for _, text, latex in made.values():
        for typeset in (text, latex):
            assert "All thresholds are a posteriori" in typeset
            assert "ynthetic" not in typeset
    paths = [tmp_path / f"t.{ending}" for ending in ("csv", "md", "tex")]
    make(7, metrics, paths, ["text", "signatures"])
    assert "**Synthetic data: text and signatures were drawn by a program" in paths[1].read_text()
    latex = paths[2].read_text()
    assert latex.count("Synthetic data: text and signatures") == latex.count(r"\begin{table}") == 4


def test_markup_in_the_title_is_text(metrics, tmp_path):
    paths = [tmp_path / f"t.{ending}" for ending in ("csv", "md", "tex")]
    make(5, metrics, paths, title="A *study* <b>\nof")
    assert "\n\nOurs: A \\*study\\* \\<b> of.\n\n" in paths[1].read_text()


def test_other_tables_are_refused(metrics, tmp_path):
    with pytest.raises(FkdError, match="6 is none of 4, 5, 7"):
        make(6, metrics, [tmp_path / "x"] * 3)


def test_a_set_without_its_layout_or_protocols_is_refused(metrics, tmp_path):
    paths = [tmp_path / f"t.{ending}" for ending in ("csv", "md", "tex")]
    with pytest.raises(FkdError, match=r"other\.h5: give the layout and the protocols"):
        make(5, metrics, paths, of_each={"other": (2, 3, 4)})


def test_latex_compiles(made, tmp_path):
    if not shutil.which("pdflatex"):
        pytest.skip("pdflatex is not installed")
    body = "\\clearpage\n".join(rf"\input{{table{table}}}" for table in made)
    for table, (_, _, latex) in made.items():
        (tmp_path / f"table{table}.tex").write_text(latex)
    (tmp_path / "all.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}"
        + body
        + r"\end{document}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Output written on all.pdf" in done.stdout
    assert re.findall(r"(?:Overfull|Missing character|LaTeX Error).*", done.stdout) == []


def test_names_and_signs_are_escaped_for_latex(made):
    _, text, latex = made[5]
    assert r"of\_mine, NREF 5" in latex
    assert r"EER (\%)" in latex
    assert "p $<$ 0.05" in latex
    assert "of_mine" not in latex.replace(r"of\_mine", "")
    assert "p < 0.05" in text
