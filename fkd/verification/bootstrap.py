"""Intervals over writers: how far a rate would move with other writers of the same kind.

Writers are the independent units; signatures of one writer, and splits of one set, are not. So
writers are drawn anew, with replacement and with all their scores in all splits (B. Efron and
R. Tibshirani, An Introduction to the Bootstrap, 1993). Two models that judge the same writers are
compared on the same draws. Where a model was trained under several seeds, these are drawn anew too.
Draws of N seeds show (N - 1) / N of the variance that training adds, so that intervals of few seeds
are somewhat narrow.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fkd.errors import FkdError
from fkd.verification.metrics import equal_error_threshold, plain_scores, roc
from fkd.verification.scores import SplitScores
from fkd.verification.significance import DECIMALS

RESAMPLES = 1000
"""Draws of writers."""

Statistic = Callable[..., Any]
"""Takes genuine and forged scores, and if something is set on development writers that too. Gives a
number or an array. :func:`fkd.verification.equal_error_rate` is one."""


class WriterScores:
    """The scores of one split, by writer.

    Parameters
    ----------
    genuine, forged : sequence of array_like of float, (writers,) of (n,)
        Each writer's scores, higher for genuine. Writers may have different numbers of them, and
        some may have none. Rows of a matrix will do.

    Raises
    ------
    FkdError
        If the two differ in the number of writers, there are no scores at all, or one is NaN or
        infinite.

    Notes
    -----
    Forgeries are skilled ones. Scores of random forgeries depend on two writers, and drawing one
    of them understates how uncertain their rates are.
    """

    def __init__(self, genuine: Sequence[np.ndarray], forged: Sequence[np.ndarray]) -> None:
        if len(genuine) != len(forged):
            raise FkdError(
                f"Scores are listed by writer, found {len(genuine)} writers with genuine "
                f"signatures and {len(forged)} with forgeries."
            )
        self.writers = len(genuine)
        scores = plain_scores(*(np.concatenate([*kind, []]) for kind in (genuine, forged)))
        self._kinds = []
        for kind, flat in zip((genuine, forged), scores, strict=True):
            writer = np.repeat(np.arange(self.writers), [len(own) for own in kind])
            order = np.argsort(-flat, kind="stable")  # sorted scores are ranked faster later
            self._kinds.append((flat[order], writer[order]))

    @classmethod
    def of(cls, splits: Iterable[SplitScores]) -> "WriterScores":
        """Take the scores of one split, or join each writer's scores of several.

        Parameters
        ----------
        splits : iterable of SplitScores
            The scores of the same writers.

        Returns
        -------
        WriterScores
            Their genuine signatures and skilled forgeries.
        """
        return cls(*joined(splits))

    @classmethod
    def of_rows(
        cls, score: np.ndarray, forgery: np.ndarray, writer: np.ndarray, writers: int
    ) -> "WriterScores":
        """Divide scores that stand in one array by writer.

        Parameters
        ----------
        score : ndarray of float, (n,)
            The scores of all writers, genuine and forged.
        forgery : ndarray of bool, (n,)
            Whether each is of a skilled forgery.
        writer : ndarray of int, (n,)
            The number of each score's writer, from 0.
        writers : int
            The number of writers.

        Returns
        -------
        WriterScores
            The same scores.
        """
        kinds = []
        for kind in (~forgery, forgery):
            order = np.argsort(writer[kind], kind="stable")
            ends = np.searchsorted(writer[kind][order], np.arange(1, writers))
            kinds.append(np.split(score[kind][order], ends))
        return cls(*kinds)

    def rows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what :meth:`of_rows` takes: all scores, which are forged, and their writers."""
        scores, writers = zip(*self._kinds, strict=True)
        forgery = np.repeat([False, True], [len(kind) for kind in scores])
        return np.concatenate(scores), forgery, np.concatenate(writers)

    @property
    def all(self) -> tuple[np.ndarray, np.ndarray]:
        """The scores of all writers, genuine and forged, (n,) and (m,) float64, descending."""
        return self.drawn(np.ones(self.writers, np.int64))

    def of_writer(self, writer: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the scores of one writer, genuine and forged, (n,) and (m,), descending."""
        genuine, forged = (scores[of == writer] for scores, of in self._kinds)
        return genuine, forged

    def above_own_thresholds(self) -> "WriterScores":
        """Take each writer's equal error threshold from the writer's scores.

        Returns
        -------
        WriterScores
            The scores that are left: those below 0 are rejected at a threshold for each writer, as
            for ``EER_userthresholds``. Writers without forgeries, or without genuine signatures,
            have no such threshold and no scores. A threshold above all scores, as of a network
            that tells nothing apart, leaves -1 of each.
        """
        genuine, forged = [], []
        for writer in range(self.writers):
            own, others = self.of_writer(writer)
            if len(own) and len(others):
                threshold = equal_error_threshold(own, others)
                own, others = (
                    scores - threshold if np.isfinite(threshold) else np.full(len(scores), -1.0)
                    for scores in (own, others)
                )
            else:
                own = others = np.zeros(0)
            genuine.append(own)
            forged.append(others)
        return WriterScores(genuine, forged)

    def drawn(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return all scores with each writer as often as it was drawn.

        Parameters
        ----------
        times : ndarray of int, (writers,)
            How often each writer was drawn.

        Returns
        -------
        genuine, forged : ndarray of float64, (n,) and (m,)
            The scores, descending.
        """
        genuine, forged = (np.repeat(scores, times[writer]) for scores, writer in self._kinds)
        return genuine, forged

    def suffices(self, times: np.ndarray) -> bool:
        """Tell whether a draw holds both genuine signatures and forgeries."""
        return all(times[writer].any() for _, writer in self._kinds)


def joined(splits: Iterable[SplitScores]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Join each writer's genuine and skilled scores of all splits, (writers,) of (n,) each."""
    kinds = zip(*((split.genuine, split.skilled) for split in splits), strict=True)
    genuine, skilled = (list(map(np.concatenate, zip(*kind, strict=True))) for kind in kinds)
    return genuine, skilled


@dataclass(frozen=True)
class Trial:
    """The scores of one model, trained under one seed.

    Attributes
    ----------
    splits : sequence of WriterScores
        The judged writers' scores in each split. A statistic is averaged over the splits.
    development : WriterScores, optional
        The scores of development writers, on which thresholds or a calibration are set.
    """

    splits: Sequence[WriterScores]
    development: WriterScores | None = None


@dataclass(frozen=True)
class Interval:
    """A value and its interval.

    Attributes
    ----------
    value : float or ndarray
        The statistic of the scores as they are.
    low, high : float or ndarray
        The ends of the percentile interval.
    p : float, optional
        The two-sided p-value of a difference of two models: twice the share of the draws that lie
        on the other side of 0.
    """

    value: Any
    low: Any
    high: Any
    p: float | None = None


class Draws:
    """Draws of the writers that all of several models judge, and of each model's training seeds.

    The statistic of a model in a draw is computed once, however many others it is compared with.

    Parameters
    ----------
    statistic, setting, resamples, seed
        As for :func:`interval`.
    models : sequence of sequence of Trial
        The scores of each, with the same writers in the same order. Each draw takes the same
        writers for all, and training seeds for each on its own.

    Raises
    ------
    FkdError
        As for :func:`interval`.
    """

    def __init__(
        self,
        statistic: Statistic,
        models: Sequence[Sequence[Trial]],
        *,
        setting: Callable[[np.ndarray, np.ndarray], Any] | None = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> None:
        if resamples < 1:
            raise FkdError(f"resamples count from 1, found {resamples}.")
        judged = _same_writers(
            [split for model in models for trial in model for split in trial.splits]
        )
        developed = None
        if setting is not None:
            given = [trial.development for model in models for trial in model]
            if None in given:
                raise FkdError(
                    "What is set on development writers needs their scores in each trial."
                )
            developed = _same_writers(given)

        def value(trial: Trial, times: np.ndarray, own: np.ndarray | None) -> np.ndarray:
            made = () if own is None else (setting(*trial.development.drawn(own)),)
            return np.mean(
                [statistic(*split.drawn(times), *made) for split in trial.splits], axis=0
            )

        stream = np.random.default_rng(seed)
        # The first draw is the scores as they are.
        draws: list[list[np.ndarray]] = [[] for _ in models]
        for number in range(1 + resamples):
            times = _draw(stream, judged, number)
            own = None if developed is None else _draw(stream, developed, number)
            for model, kept in zip(models, draws, strict=True):
                of = np.arange(len(model))
                if number:
                    of = stream.integers(len(model), size=len(model))
                values = {trial: value(model[trial], times, own) for trial in set(of.tolist())}
                kept.append(np.mean([values[trial] for trial in of], axis=0))
        found = np.array(draws)
        self._values, self._draws = found[:, 0], found[:, 1:]  # (models, ...), (models, draws, ...)

    def interval(self, model: int, level: float = 0.95) -> Interval:
        """Give the interval of a model, by its number, as :func:`interval` does."""
        return _percentiles(self._values[model], self._draws[model], level)

    def difference(self, model: int, other: int, level: float = 0.95) -> Interval:
        """Give the interval of the difference of two, by their numbers, as :func:`difference` does."""
        change = self._draws[model] - self._draws[other]
        found = _percentiles(self._values[model] - self._values[other], change, level)
        p = None
        if change.ndim == 1:
            change = change.round(DECIMALS)
            # The scores as they are count as one of the draws, so that p is never 0.
            one_side = (1 + min(np.sum(change <= 0), np.sum(change >= 0))) / (1 + len(change))
            p = float(min(1, 2 * one_side))
        return Interval(found.value, found.low, found.high, p)


def interval(
    statistic: Statistic,
    model: Sequence[Trial],
    *,
    setting: Callable[[np.ndarray, np.ndarray], Any] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Compute the interval of a statistic over writers, and over training seeds if several.

    Parameters
    ----------
    statistic : callable
        Takes ``(genuine, forged)``, or with `setting` ``(genuine, forged, set)``.
    model : sequence of Trial
        The scores under each training seed. With one, the interval does not hold the noise of
        training.
    setting : callable, optional
        Takes the development scores ``(genuine, forged)`` and gives what `statistic` needs, such
        as a threshold. Development writers are drawn anew too.
    resamples, seed : int
        The number of draws, and the seed of their random stream.
    level : float
        The share of the draws that the interval holds.

    Returns
    -------
    Interval
        The statistic and its interval.

    Raises
    ------
    FkdError
        If the trials differ in their writers, development scores are missing, or a setting is
        out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fkd.verification import Trial, WriterScores, equal_error_rate, interval
    >>> stream = np.random.default_rng(0)
    >>> genuine = stream.normal(2, 1, size=(55, 10)) + stream.normal(size=(55, 1))
    >>> split = WriterScores(genuine, stream.normal(size=(55, 10)))
    >>> found = interval(equal_error_rate, [Trial([split])])
    >>> f"{found.value:.3f}, from {found.low:.3f} to {found.high:.3f}"
    '0.205, from 0.161 to 0.242'
    """
    return Draws(statistic, [model], setting=setting, resamples=resamples, seed=seed).interval(
        0, level
    )


def difference(
    statistic: Statistic,
    model: Sequence[Trial],
    other: Sequence[Trial],
    *,
    setting: Callable[[np.ndarray, np.ndarray], Any] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Compute the interval of the difference of two models that judge the same writers.

    Parameters
    ----------
    statistic, setting, resamples, seed, level
        As for :func:`interval`.
    model, other : sequence of Trial
        The scores of both, with the same writers in the same order. Each draw takes the same
        writers for both, and training seeds for each on its own.

    Returns
    -------
    Interval
        The statistic of `model` minus that of `other`, with its interval and its p-value.

    Raises
    ------
    FkdError
        As for :func:`interval`.
    """
    draws = Draws(statistic, [model, other], setting=setting, resamples=resamples, seed=seed)
    return draws.difference(0, 1, level)


def det_band(
    model: Sequence[Trial],
    far: np.ndarray,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Compute a DET curve with the band of its FRR at each FAR.

    Parameters
    ----------
    model : sequence of Trial
        As for :func:`interval`. FRRs are averaged over splits at equal FAR.
    far : ndarray of float, (k,)
        The FARs, from 0 to 1, ascending.
    resamples, seed, level
        As for :func:`interval`.

    Returns
    -------
    Interval
        FRRs, arrays of shape (k,).

    Raises
    ------
    FkdError
        As for :func:`interval`.
    """
    far = np.asarray(far, np.float64)

    def missed(genuine: np.ndarray, forged: np.ndarray) -> np.ndarray:
        accepted, tpr, _ = roc(genuine, forged)
        # At a FAR that no threshold gives, that of the next stricter threshold counts.
        return 1 - tpr[np.searchsorted(accepted, far, side="right") - 1]

    return interval(missed, model, resamples=resamples, seed=seed, level=level)


def _percentiles(value: np.ndarray, draws: np.ndarray, level: float) -> Interval:
    """Make the interval of a value's draws, (resamples, ...)."""
    if not 0 < level < 1:
        raise FkdError(f"A level of confidence is between 0 and 1, found {level}.")
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    return Interval(
        *(end if end.ndim else float(end) for end in map(np.asarray, (value, low, high)))
    )


def _same_writers(scores: Sequence[WriterScores]) -> Sequence[WriterScores]:
    """Refuse scores that cannot be of the same writers."""
    counts = sorted({one.writers for one in scores})
    if len(counts) != 1:
        raise FkdError(
            "Splits, training seeds and models are compared on the same writers in the same order, "
            f"found {' and '.join(map(str, counts)) or 'no'} writers."
        )
    return scores


def _draw(stream: np.random.Generator, scores: Sequence[WriterScores], number: int) -> np.ndarray:
    """Draw as many writers as there are: how often each, (writers,). Number 0 is each once."""
    writers = scores[0].writers
    times = np.ones(writers, np.int64)
    while number:
        times = np.bincount(stream.integers(writers, size=writers), minlength=writers)
        if all(one.suffices(times) for one in scores):
            break  # few writers may have all the forgeries; a draw without any has no rates
    return times
