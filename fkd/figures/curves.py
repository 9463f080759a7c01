"""Detection error trade-off and receiver operating characteristic, with points of equal errors."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from scipy.special import ndtr, ndtri

from fkd.errors import FkdError
from fkd.storage import shards
from fkd.study.models import in_order, label
from fkd.study.students import Student
from fkd.study.style import (
    GRAY,
    by_network,
    figure,
    legend,
    legend_height,
    looks,
    save,
    set_label,
    styled,
)
from fkd.verification.metrics import equal_error_threshold, roc

TICKS = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 40, 60, 80]) / 100
"""Shares at which an axis of normal deviates may have ticks, or may end."""

_EPSILON = 1e-6
"""The share that is drawn for 0, and 1 less it for 1, because their normal deviates are infinite."""


@dataclass(frozen=True)
class Curve:
    """The errors of a model at every threshold, and at the threshold of equal errors.

    Attributes
    ----------
    far, frr : ndarray of float64, (thresholds,)
        Shares of skilled forgeries accepted and of genuine signatures rejected.
    eer_far, eer_frr : float
        The same shares at the threshold of equal errors. Their mean is the EER.
    """

    far: np.ndarray
    frr: np.ndarray
    eer_far: float
    eer_frr: float


def figure_curves(
    *,
    scores: list[Path],
    students: dict[str, Student],
    svg: Path,
    png: Path,
    drawn: Collection[str] = (),
) -> None:
    """Draw the curves of all models for one set and one number of references.

    Parameters
    ----------
    scores : list of Path
        Shards of kind "scores", one for each model, of one set at one NREF.
    students : dict of str to Student
        The students of the study.
    svg : Path
        The figure: the detection error trade-off above, the receiver operating
        characteristic below, with a column for each network, and one for models of others.
    png : Path
        The same figure.
    drawn : collection of str, optional
        The sets that a program drew, which the figure then says.

    Raises
    ------
    FkdError
        Where the shards belong to more than one set or protocol.
    """
    loaded = [shards.read(path, "scores", ["score", "forgery"]) for path in scores]
    protocols = [[shard.attributes[key] for key in ("set", "protocol")] for shard in loaded]
    for path, protocol in zip(scores, protocols, strict=True):
        if protocol != protocols[0]:
            raise FkdError(
                f"{path}: scores of {protocol} cannot share a figure with {protocols[0]} of "
                f"{scores[0]}. Give scores of one set at one number of references."
            )
    curves = {s.attributes["model"]: curve_of(s["score"], s["forgery"]) for s in loaded}
    models = in_order(curves)
    columns = by_network(models, students)
    look = looks(models, students)
    with styled():
        side = 6.4 / max(2, len(columns))  # inches of a square panel
        drawing = figure(
            height=2 * side + 0.8 + legend_height(len(models)), width=side * len(columns) + 0.6
        )
        grid = drawing.subplots(2, len(columns), sharex="row", sharey="row", squeeze=False)
        # All panels of a row share the axes of the first one.
        _deviate_axes(grid[0, 0], list(curves.values()))
        _rate_axes(grid[1, 0], list(curves.values()))
        for column, (network, members) in enumerate(columns.items()):
            trade_off, characteristic = grid[:, column]
            trade_off.set_title(network)
            for model in members:
                curve = curves[model]
                line = look[model] | {"marker": None, "linewidth": 1.1}
                point = look[model] | {"linestyle": "none", "zorder": 3}
                far, frr = (np.clip(r, _EPSILON, 1 - _EPSILON) for r in (curve.far, curve.frr))
                trade_off.plot(far, frr, **line)
                trade_off.plot(curve.eer_far, curve.eer_frr, **point)
                characteristic.plot(100 * curve.far, 100 * (1 - curve.frr), **line)
                eer = 100 * curve.eer_far, 100 * (1 - curve.eer_frr)
                characteristic.plot(*eer, **point)
            low, high = trade_off.get_xlim()
            trade_off.plot([low, high], [low, high], color=GRAY, linewidth=0.8, zorder=1)
            characteristic.plot([0, 100], [100, 0], color=GRAY, linewidth=0.8, zorder=1)
            for axis in grid[:, column]:
                axis.set_xlabel("FAR of skilled forgeries (%)")
        grid[0, 0].set_ylabel("FRR (%)")
        grid[1, 0].set_ylabel("genuine signatures accepted (%)")
        name, protocol = protocols[0]
        title = f"{set_label(name, drawn)}, NREF {protocol['references']}"
        drawing.suptitle(title, fontsize=8)
        legend(drawing, {label(model, students): look[model] for model in models})
        save(drawing, svg, png)


def curve_of(score: np.ndarray, forgery: np.ndarray) -> Curve:
    """Compute the curve of the scores of all splits together, under one global threshold.

    Parameters
    ----------
    score : ndarray of float, (n,)
        The scores, higher for signatures that look genuine.
    forgery : ndarray of bool, (n,)
        True for skilled forgeries.

    Returns
    -------
    Curve
        The curve. Its EER differs a little from the mean of the splits' EERs, because each
        split has its own threshold.
    """
    forgery = forgery.astype(bool)
    genuine, skilled = score[~forgery], score[forgery]
    far, tpr, _ = roc(genuine, skilled)
    threshold = equal_error_threshold(genuine, skilled)
    return Curve(
        far, 1 - tpr, float(np.mean(skilled >= threshold)), float(np.mean(genuine < threshold))
    )


def _deviate_axes(axis: Axes, curves: Sequence[Curve]) -> None:
    """Scale both axes by normal deviates, as is usual for the detection error trade-off.

    The axes are cut to shares from a tenth of the lowest EER to 2.5 times the highest, which
    keeps all points of equal errors in view. Both ends are widened to the next tick.
    """
    rates = [(curve.eer_far + curve.eer_frr) / 2 for curve in curves]
    low = TICKS[max(0, np.searchsorted(TICKS, min(rates) / 10) - 1)]
    high = TICKS[min(len(TICKS) - 1, np.searchsorted(TICKS, 2.5 * max(rates)))]
    ticks = TICKS[(low <= TICKS) & (high >= TICKS)]
    for set_scale, set_limit, ruler in (
        (axis.set_xscale, axis.set_xlim, axis.xaxis),
        (axis.set_yscale, axis.set_ylim, axis.yaxis),
    ):
        set_scale("function", functions=(_deviate, ndtr))
        set_limit(low, high)
        ruler.set_ticks(ticks, [f"{100 * tick:g}" for tick in ticks])
        ruler.set_ticks([], minor=True)


def _deviate(share: np.ndarray) -> np.ndarray:
    """Give the normal deviate of a share, that is, the quantile of the normal distribution."""
    return ndtri(np.clip(share, _EPSILON, 1 - _EPSILON))


def _rate_axes(axis: Axes, curves: Sequence[Curve]) -> None:
    """Cut the axes to the upper left corner of the characteristic, where the models differ.

    The corner reaches four times as far as the median of the EERs. The largest EER would not
    do, because random weights err so often that all other curves would be squeezed together.
    """
    middle = float(np.median([(curve.eer_far + curve.eer_frr) / 2 for curve in curves]))
    most = min(100, 10 * max(1, np.ceil(40 * middle)))  # percent, in steps of 10
    axis.set_xlim(0, most)
    axis.set_ylim(100 - most, 100)
