"""The table of Siamese networks on pairs, beside what their write-ups report, and the audit."""

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

import pandas as pd

from fkd.pairs.audit import COLUMNS as AUDIT
from fkd.report.wording import start_in_words
from fkd.storage.atomic import writing
from fkd.study.markup import escape_markdown
from fkd.study.models import network_label
from fkd.study.siamese import PAIR_LOSSES, Siamese

PUBLISHED = Path(__file__).with_name("published_pairs.csv")
"""The rates, in percent, that the write-ups of Siamese networks report."""

NAMES = ("model", "pairs", "split", "measure")
"""The columns of rates that hold names."""

SHOWN = ("accuracy", "F1", "EER")
"""The rates in the table for readers."""

LESSON = (
    "The difference between a list whose test images were seen in training and one without common "
    "writers is memory, not verification: only the latter says what a network is worth on new "
    "writers."
)


def write_pairs(
    *,
    rates: list[Path],
    audits: list[Path],
    siamese: dict[str, Siamese],
    csv: Path,
    markdown: Path,
    audit_csv: Path,
    audit_markdown: Path,
    title: str,
) -> None:
    """Write the tables of Siamese networks on pairs.

    Parameters
    ----------
    rates : list of Path
        CSV files of :func:`fkd.pairs.evaluation.evaluate_pairs`.
    audits : list of Path
        CSV files of :func:`fkd.pairs.listing.list_pairs`.
    siamese : dict of str to Siamese
        The Siamese networks of the study.
    csv : Path
        All measures: the rows of `rates` with ``architecture``, ``loss`` and ``start``.
    markdown : Path
        The table for readers: networks by splits of pairs, with what is published beside, and the
        audit below.
    audit_csv : Path
        What the parts of each list have in common, the rows of `audits`.
    audit_markdown : Path
        The same for readers.
    title : str
        The heading above the tables.
    """
    measures = pd.concat([_read(path, NAMES) for path in rates], ignore_index=True)
    audit = pd.concat([_read(path, AUDIT[:4]) for path in audits], ignore_index=True)
    specs = {name: siamese[name] for name in measures["model"].unique()}
    for column, of in (
        ("architecture", lambda spec: spec.architecture),
        ("loss", lambda spec: spec.loss),
        ("start", start_in_words),
    ):
        measures[column] = measures["model"].map({name: of(spec) for name, spec in specs.items()})
    with writing(csv) as part:
        measures.to_csv(part, index=False)
    with writing(audit_csv) as part:
        audit.to_csv(part, index=False)
    told = [*_audited(audit), ""]
    wide = networks_by_splits(measures, specs)
    shown = [
        f"# {escape_markdown(title)}",
        "",
        "## Siamese networks on pairs (%)",
        "",
        wide.to_markdown(index=False, disable_numparse=True),
        "",
        "Columns are named by the split of the pairs, and the last one has what the networks' authors "
        "report. The threshold of accuracy and F1 was set on the validation pairs; EER has one of its own, "
        "a posteriori. F1 is that of the pairs with a forgery. In brackets: 95 % intervals over "
        "writers.",
        "",
        *([LESSON, ""] if measures["split"].nunique() > 1 else []),
        "## What training and test have in common",
        "",
        *told,
    ]
    with writing(markdown) as part:
        part.write_text("\n".join(shown), encoding="utf-8")
    table = audit.map(lambda value: escape_markdown(str(value)))
    table.columns = [name.replace("_", " ") for name in AUDIT]
    with writing(audit_markdown) as part:
        lines = ["# What the parts of lists of pairs have in common", ""]
        lines += [table.to_markdown(index=False, disable_numparse=True), "", *told]
        part.write_text("\n".join(lines), encoding="utf-8")


def networks_by_splits(measures: pd.DataFrame, siamese: Mapping[str, Siamese]) -> pd.DataFrame:
    """Arrange the rates of networks by the splits of the pairs on which they were trained.

    Parameters
    ----------
    measures : DataFrame
        ``model``, ``pairs``, ``split``, ``measure``, ``value``, ``low`` and ``high``.
    siamese : mapping of str to Siamese
        The networks by name. Those that differ in nothing but the split of their pairs share a row.

    Returns
    -------
    DataFrame
        One row for each network and loss, with a column for each split and rate.
    """
    published = pd.read_csv(PUBLISHED, index_col=["architecture", "loss"])
    rows: dict[tuple, dict[str, str]] = {}
    for name, spec in siamese.items():
        own = measures[measures["model"] == name].set_index("measure")
        split = escape_markdown(own["split"].iloc[0])
        alike = (
            spec.architecture,
            spec.loss,
            str(sorted(spec.parameters.items())),
            start_in_words(spec),
        )
        # Of two lists with the same split, such as raw and prepared images, each has its row.
        at = next(n for n in count() if f"{split}: {SHOWN[0]}" not in rows.get((*alike, n), {}))
        reported = "–"
        if (spec.architecture, spec.loss) in published.index and not spec.initialize:
            found = published.loc[(spec.architecture, spec.loss)]
            rates = (f"{rate} {found[rate]:g}" for rate in found.index[1:] if found[rate] > 0)
            reported = f"{', '.join(rates)} ({found['source']})"
        row = rows.setdefault(
            (*alike, at),
            {
                "network": escape_markdown(network_label(spec.architecture)),
                "loss": PAIR_LOSSES[spec.loss].label,
                "starts from": escape_markdown(start_in_words(spec)),
                "pairs": "",
                "published": reported,
            },
        )
        row["pairs"] += f"{', ' * bool(row['pairs'])}{escape_markdown(spec.pairs)}"
        for rate in SHOWN:
            value, low, high = 100 * own.loc[rate, ["value", "low", "high"]].astype(float)
            row[f"{split}: {rate}"] = f"{value:.2f} [{low:.2f}, {high:.2f}]"
    table = pd.DataFrame(rows.values()).fillna("–")
    return table[[*(column for column in table if column != "published"), "published"]]


def _read(path: Path, names: Sequence[str]) -> pd.DataFrame:
    """Read a table, of which some columns hold names, which may look like numbers."""
    missing = {"low": "", "high": ""}
    return pd.read_csv(
        path, dtype=dict.fromkeys(names, str), keep_default_na=False, na_values=missing
    )


def _audited(audit: pd.DataFrame) -> list[str]:
    """Say of each list what its test has in common with what networks learned from."""
    rows = audit[(audit["part"] == "test") & audit["against"].str.contains(" and ")]
    rows = rows[rows["pairs"].astype(int) > 0]  # pairs for fine-tuning have no test of their own
    return [
        f"- {escape_markdown(row['pairs_list'])}, split {row['split']}: of the test, "
        f"{row['common_pairs']:,} of {row['pairs']:,} pairs, {row['common_images']:,} of "
        f"{row['images']:,} images and {row['common_writers']:,} of {row['writers']:,} writers are "
        "also in training or validation."
        for _, row in rows.iterrows()
    ]
