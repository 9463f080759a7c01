"""What decisions on pairs are worth: counts of right and wrong ones, and the rates made of them.

A pair is accepted as genuine if its score is at or above the threshold. As in the write-ups, the
class of interest is the forgery: precision is the share of forged pairs among those that are
refused, and recall the share of forged pairs that are refused.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Decisions:
    """The confusion matrix of decisions on pairs.

    Attributes
    ----------
    genuine_accepted, genuine_refused : int
        Of the genuine pairs.
    forged_accepted, forged_refused : int
        Of the pairs with a forgery.
    """

    genuine_accepted: int
    genuine_refused: int
    forged_accepted: int
    forged_refused: int

    @classmethod
    def at(cls, threshold: float, genuine: np.ndarray, forged: np.ndarray) -> "Decisions":
        """Decide by a threshold.

        Parameters
        ----------
        threshold : float
            The lowest score of a pair that is accepted.
        genuine, forged : ndarray of float, (n,) and (m,)
            Scores, higher for genuine.

        Examples
        --------
        >>> import numpy as np
        >>> from fkd.pairs.rates import Decisions
        >>> found = Decisions.at(0.0, np.array([2.0, 1.0, -1.0]), np.array([-2.0]))
        >>> found.accuracy, found.precision, found.recall, round(found.f1, 3)
        (0.75, 0.5, 1.0, 0.667)
        """
        accepted, wrong = int(np.sum(genuine >= threshold)), int(np.sum(forged >= threshold))
        return cls(accepted, len(genuine) - accepted, wrong, len(forged) - wrong)

    @property
    def accuracy(self) -> float:
        """The share of right decisions."""
        right = self.genuine_accepted + self.forged_refused
        return _share(right, right + self.genuine_refused + self.forged_accepted)

    @property
    def precision(self) -> float:
        """The share of forged pairs among those that are refused; 0 if none is."""
        return _share(self.forged_refused, self.forged_refused + self.genuine_refused)

    @property
    def recall(self) -> float:
        """The share of forged pairs that are refused."""
        return _share(self.forged_refused, self.forged_refused + self.forged_accepted)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        found, missed = self.forged_refused, self.genuine_refused + self.forged_accepted
        return _share(2 * found, 2 * found + missed)

    @property
    def other_class(self) -> "Decisions":
        """The same with the genuine pair as the class of interest."""
        return Decisions(
            self.forged_refused, self.forged_accepted, self.genuine_refused, self.genuine_accepted
        )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
