r"""Movements of the pen: the sigma-lognormal model of rapid human movements.

Stroke k carries the pen over a circular arc of length D from direction theta_s to theta_e.
Its speed is a lognormal in the time since its onset,

.. math:: |v_k(t)| = D_k \Lambda(t; t_{0k}, \mu_k, \sigma_k),

its direction turns in proportion to the share of the arc that is done, and the velocity of
the pen is the sum over all strokes, which overlap in time (R. Plamondon, A kinematic theory
of rapid human movements, Biological Cybernetics 72, 1995; with angles as in Plamondon and
Djioua, Human Movement Science 25, 2006). A run is what is written between two lifts of the
pen. A movement of several runs is one sequence of strokes, and runs do not overlap in time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from fkd.synthesis.compiled import move

STEP = 0.004  # seconds between samples of a path
_TAIL = 3.5  # a lognormal counts as over this many sigma beyond its median, in logarithms
_CUSP = 2.2  # radians: a sharper turn is a cusp, at which strokes do not bend
_ISOCHRONY = 0.4  # a stroke n times as long takes n to this power as much time
_TREMOR_BLUR = 0.011  # seconds: leaves noise of about 10 Hz, the band of physiological tremor


@dataclass(frozen=True)
class Strokes:
    """The parameters of n lognormal strokes.

    Attributes
    ----------
    t0, mu, sigma : (n,) float arrays
        The onset in seconds, and the location and shape of the lognormal.
    D : (n,) float array
        The length of the arc, pixels.
    start, end : (n,) float arrays
        The direction at the start and at the end, radians.
    run : (n,) int array
        The run to which a stroke belongs.
    origin : (runs, 2) float array
        The point at which each run starts, pixels.
    """

    t0: np.ndarray
    mu: np.ndarray
    sigma: np.ndarray
    D: np.ndarray
    start: np.ndarray
    end: np.ndarray
    run: np.ndarray
    origin: np.ndarray


@dataclass(frozen=True)
class Path:
    """A sampled path of the pen, one sample every :data:`STEP` seconds.

    Attributes
    ----------
    points : (m, 2) float array
        x and y, pixels.
    speed : (m,) float array
        The speed, pixels per second.
    run : (m,) int array
        The run to which a sample belongs.
    """

    points: np.ndarray
    speed: np.ndarray
    run: np.ndarray


def plan(
    runs: Sequence[np.ndarray],
    *,
    unit: float,
    bend: float,
    crispness: float,
    sigma: float,
    tempo: float,
    timing: float,
    rng: np.random.Generator,
) -> Strokes:
    """Plan one stroke from each target to the next.

    A stroke bends by as much as the path of targets turns at its ends, so targets on a circle
    give arcs of that circle. At a cusp a stroke does not bend.

    Parameters
    ----------
    runs : sequence of (n, 2) float arrays
        Targets between lifts of the pen, n >= 2, pixels.
    unit : float
        The x-height in pixels.
    bend, crispness, sigma, tempo : float
        As in :class:`fkd.synthesis.style.Hand`.
    timing : float
        The standard deviation of the logarithm of a stroke's duration.
    rng : numpy.random.Generator
        The generator of the durations.

    Returns
    -------
    Strokes
        The strokes of all runs, in the order of time.
    """
    lengths = np.array([len(run) - 1 for run in runs])
    run = np.repeat(np.arange(len(runs)), lengths)
    steps = np.concatenate([np.diff(targets, axis=0) for targets in runs])
    chord = np.maximum(np.hypot(*steps.T), 1e-3 * unit)  # keeps 0 out of the logarithm
    direction = np.arctan2(steps[:, 1], steps[:, 0])

    # By way of exp(), angles wrap to (-pi, pi]. There is no turn at cusps and between runs.
    turn = np.angle(np.exp(1j * np.diff(direction)))
    turn[(np.abs(turn) > _CUSP) | (np.diff(run) > 0)] = 0
    # The turns at both ends of a stroke. It bends by their mean, or by the one that it has.
    before, after = np.append(0, turn), np.append(turn, 0)
    ends = np.where(before == 0, after, np.where(after == 0, before, (before + after) / 2))
    # Between turns of opposite signs the path has an inflection, where it is nearly straight.
    arc = bend * np.where(before * after < 0, 0.3 * ends, ends)
    arc = np.where(np.abs(arc) < 1e-4, 1e-4, arc)  # a straight line would be 0 / 0
    D = chord * (arc / 2) / np.sin(arc / 2)  # the length of an arc over this chord

    share = rng.lognormal(0, timing, len(D))
    duration = tempo * share * (D / unit) ** _ISOCHRONY
    # A narrow lognormal spreads over about sigma exp(mu) seconds, with its median at
    # t0 + exp(mu). Here the spread is a share of the duration, and medians are a duration
    # apart, so that strokes overlap the more the less crisp the hand is.
    spread = duration / crispness
    mu = np.log(spread / sigma)
    rest = np.exp(mu + _TAIL * sigma)  # from a stroke's onset to its end
    peak = np.cumsum(duration)
    first = np.append(True, np.diff(run) > 0)
    t0 = peak - np.exp(mu)
    # A run begins when the one before it has ended.
    begin = np.minimum.reduceat(t0, np.flatnonzero(first))
    finish = np.maximum.reduceat(t0 + rest, np.flatnonzero(first))
    shift = np.append(0, np.cumsum((finish - begin)[:-1])) - begin
    return Strokes(
        t0=t0 + shift[run],
        mu=mu,
        sigma=np.full(len(D), sigma),
        D=D,
        start=direction - arc / 2,
        end=direction + arc / 2,
        run=run,
        origin=np.array([targets[0] for targets in runs]),
    )


def trace(strokes: Strokes, *, tremor: float = 0.0, rng: np.random.Generator | None = None) -> Path:
    """Compute the path of the pen: the integral of the summed velocities of all strokes.

    The integral of a lognormal arc is known in closed form, so every stroke covers its arc
    (except for a tail of 0.02 %) whatever the sampling.

    Parameters
    ----------
    strokes : Strokes
        The strokes.
    tremor : float
        The standard deviation of the tremor that is added to the path, pixels.
    rng : numpy.random.Generator, optional
        The generator of the tremor, needed where there is any.

    Returns
    -------
    Path
        The path in pixels.
    """
    s = strokes
    window = (np.exp(s.mu + _TAIL * s.sigma) / STEP).astype(int) + 2
    begin = np.maximum(np.floor(s.t0 / STEP), 0).astype(int)
    x, y = move(s.t0, s.mu, s.sigma, s.D, s.start, s.end, begin, window, STEP)
    move_at = x + 1j * y  # points are complex numbers x + i y
    samples = len(move_at)

    first = np.flatnonzero(np.append(True, np.diff(s.run) > 0))
    onset = np.minimum.reduceat(begin, first)
    run = np.zeros(samples, int)
    run[onset[1:]] = 1
    run = np.cumsum(run)
    # Between runs the pen is lifted, and starts again at the run's origin.
    travelled = np.cumsum(move_at)
    offset = s.origin[:, 0] + 1j * s.origin[:, 1] - (travelled[onset] - move_at[onset])
    position = travelled + offset[run]
    if tremor > 0:
        noise = rng.normal(size=(2, samples))
        noise = gaussian_filter1d(noise, _TREMOR_BLUR / STEP, axis=1)
        noise *= tremor / noise.std()
        position = position + noise[0] + 1j * noise[1]
    points = np.stack([position.real, position.imag], axis=1)
    return Path(points=points, speed=np.abs(move_at) / STEP, run=run)
