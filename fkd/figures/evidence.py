"""The evidence of a verifier: Tippett plot, reliability, and detection error trade-off with a band."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from fkd.ranges import Count, checked
from fkd.storage import shards
from fkd.study.models import label
from fkd.study.students import Student
from fkd.study.style import BLACK, FORGED, GENUINE, GRAY, figure, save, set_label, styled
from fkd.verification import Interval, Trial, det_band, reliability, tippett
from fkd.verification.judging import splits_by_writer
from fkd.verification.verifier import read_verifier_of

FARS = np.linspace(0, 1, 101)
"""The shares of accepted forgeries at which the trade-off has a band."""


@checked
def figure_evidence(
    *,
    scores: Path,
    verifier: Path,
    students: dict[str, Student],
    svg: Path,
    png: Path,
    drawn: Collection[str] = (),
    resamples: Count = 300,
) -> None:
    """Draw what the likelihood ratios of a verifier are worth on a judged set.

    Parameters
    ----------
    scores : Path
        The shard of kind "scores" of the judged set.
    verifier : Path
        The shard of kind "verifier" of the same model.
    students : dict of str to Student
        The students of the study.
    svg : Path
        The figure, of three panels: how often evidence of at least some strength is given (Tippett
        plot), whether stated probabilities are what is seen (reliability), and the detection error
        trade-off with its 95 % band over writers.
    png : Path
        The same figure.
    drawn : collection of str, optional
        The sets that a program drew, which the figure then says.
    resamples : int
        The number of draws of writers for the band.

    Raises
    ------
    FkdError
        If the scores are not those of the verifier.
    """
    shard = shards.read(scores, "scores", ["split", "writer", "forgery", "score"])
    about = shard.attributes
    found = read_verifier_of(verifier, about)
    forgery = shard["forgery"].astype(bool)
    ratios = found.calibration(shard["score"])
    genuine, forged = ratios[~forgery], ratios[forgery]
    band = det_band([Trial(splits_by_writer(shard))], FARS, resamples=resamples)
    with styled():
        drawing = figure(height=2.9)
        axes = drawing.subplots(1, 3)
        _draw_tippett(axes[0], genuine, forged)
        _draw_reliability(axes[1], genuine, forged)
        _draw_band(axes[2], band)
        name, references = about["set"], about["protocol"]["references"]
        drawing.suptitle(
            f"{label(about['model'], students)}, {about['verifier']}, {set_label(name, drawn)}, "
            f"NREF {references}",
            fontsize=8,
        )
        save(drawing, svg, png)


def _draw_tippett(axis: Axes, genuine: np.ndarray, forged: np.ndarray) -> None:
    plot = tippett(genuine, forged)
    axis.step(plot.log10_lr, 100 * plot.genuine, where="pre", color=GENUINE, label="genuine")
    axis.step(
        plot.log10_lr, 100 * plot.forged, where="pre", color=FORGED, label="skilled forgeries"
    )
    axis.axvline(0, color=GRAY, linewidth=0.8, zorder=1)
    axis.set_xlabel("log10 likelihood ratio")
    axis.set_ylabel("signatures with at least this ratio (%)")
    axis.legend(fontsize=6, handlelength=1)


def _draw_reliability(axis: Axes, genuine: np.ndarray, forged: np.ndarray) -> None:
    plot = reliability(genuine, forged)
    stated, seen = 100 * plot.stated, 100 * plot.seen
    lengths = np.abs(np.stack([plot.seen - plot.low, plot.high - plot.seen])) * 100
    axis.plot([0, 100], [0, 100], color=GRAY, linewidth=0.8, zorder=1)
    axis.errorbar(stated, seen, lengths, color=BLACK, marker="o", markersize=3, linewidth=0.8)
    axis.set_xlabel("stated probability of genuine (%)")
    axis.set_ylabel("share that is genuine (%)")


def _draw_band(axis: Axes, band: Interval) -> None:
    far = 100 * FARS
    axis.fill_between(far, 100 * band.low, 100 * band.high, color=GRAY, alpha=0.4, linewidth=0)
    axis.plot(far, 100 * band.value, color=BLACK, linewidth=1.1)
    axis.plot([0, 100], [0, 100], color=GRAY, linewidth=0.8, zorder=1)
    axis.set_xlabel("FAR of skilled forgeries (%)")
    axis.set_ylabel("FRR (%)")
