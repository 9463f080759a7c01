"""The table of fine-tuning: what pairs of few development writers add to a model, set by set."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from fkd.report.tables import TESTED, THRESHOLDS
from fkd.storage.atomic import writing
from fkd.study.markup import escape_markdown
from fkd.study.siamese import PAIR_LOSSES, Siamese
from fkd.study.summary import read_rates

COLUMNS = ("model", "start", "loss", "pairs", "writers", "set", "references", "rate")
COLUMNS += ("value", "low", "high", "before", "before_low", "before_high")
COLUMNS += ("gain", "gain_low", "gain_high", "p")


def write_fine_tuning(
    *,
    differences: list[Path],
    siamese: dict[str, Siamese],
    starts: dict[str, str],
    writers: dict[str, int | None],
    csv: Path,
    markdown: Path,
    title: str,
) -> None:
    """Write the table of Siamese networks that start from a model of the study.

    Parameters
    ----------
    differences : list of Path
        CSV files of :func:`fkd.report.differences.compare_models`, in which each network is
        compared with the model from which it starts.
    siamese : dict of str to Siamese
        The Siamese networks of the study.
    starts : dict of str to str
        Those that are shown, each with the model from which it starts.
    writers : dict of str to (int or None)
        The number of writers of each list of pairs; None for all of its set.
    csv : Path
        One row for each network, set, NREF and rate: ``start``, ``loss``, ``pairs`` and ``writers``;
        the network's rate ``value``, that of its start ``before``, and their difference ``gain``,
        each with the ends of its 95 % interval over writers (``_low`` and ``_high``), in percent;
        and ``p``, two-sided, of the difference.
    markdown : Path
        The table for readers.
    title : str
        The study's title.
    """
    rows = pd.concat([read_rates(path) for path in differences], ignore_index=True)
    table = _rows(rows, siamese, starts, writers)
    with writing(csv) as part:
        table.to_csv(part, index=False)
    shown = table[table["rate"] == TESTED]
    parts = [f"# {escape_markdown(title)}: fine-tuning", ""]
    for start, group in shown.groupby("start", sort=False):
        parts += [
            f"## From {escape_markdown(start)}: EER (%) with {THRESHOLDS[TESTED]}",
            "",
            _wide(group).to_markdown(index=False, disable_numparse=True),
            "",
        ]
    parts += [
        "Each network started from this model, and learned from pairs of signatures of so many "
        "development writers. Beside its rate stands the difference to the model as it was, below 0 "
        "where fine-tuning helps. In brackets: 95 % intervals over the writers of the judged set. "
        "Thresholds are a posteriori.",
        "",
    ]
    with writing(markdown) as part:
        part.write_text("\n".join(parts), encoding="utf-8")


def _rows(
    rows: pd.DataFrame,
    siamese: Mapping[str, Siamese],
    starts: Mapping[str, str],
    writers: Mapping[str, int | None],
) -> pd.DataFrame:
    """Bring rates and differences together, from few writers to all."""
    ends = ["value", "low", "high"]
    rows = rows.assign(**100 * rows[ends])
    places = ["set", "references", "rate"]
    found = rows.set_index(["model", "versus", *places])[[*ends, "p"]].sort_index()
    many = float("inf")
    order = sorted(starts, key=lambda name: writers[siamese[name].pairs] or many)
    parts = []
    for name in order:
        spec, start = siamese[name], starts[name]
        before, gain = found.loc[(start, "")], found.loc[(name, start)]
        part = found.loc[(name, "")][ends]
        part = part.join(before[ends].rename(columns=_named("before")))
        part = part.join(gain.rename(columns=_named("gain")))
        about = {"model": name, "start": start, "loss": spec.loss, "pairs": spec.pairs}
        about["writers"] = writers[spec.pairs] or "all"
        parts.append(part.reset_index().assign(**about))
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


def _named(what: str) -> dict[str, str]:
    """Name the columns of another number than the rate."""
    return {"value": what, "low": f"{what}_low", "high": f"{what}_high"}


def _wide(group: pd.DataFrame) -> pd.DataFrame:
    """Arrange the rates of one start: writers by sets and NREF."""
    lines: dict[str, dict[str, str]] = {}
    untouched = lines.setdefault("", {"writers": "none, as it was", "loss": "–"})
    for row in group.itertuples():
        column = f"{escape_markdown(row.set)}, NREF {row.references}"
        untouched[column] = f"{row.before:.2f} ({row.before_low:.2f} to {row.before_high:.2f})"
        loss = PAIR_LOSSES[row.loss].label
        line = lines.setdefault(row.model, {"writers": str(row.writers), "loss": loss})
        gain = f"{row.gain:+.2f} ({row.gain_low:+.2f} to {row.gain_high:+.2f})"
        line[column] = f"{row.value:.2f}; {gain}"
    return pd.DataFrame(lines.values())
