"""The scores of one split, and the rows that they belong to."""

from dataclasses import dataclass

import numpy as np

from fkd.verification.metrics import error_rates
from fkd.verification.splits import ByWriter


@dataclass(frozen=True)
class SplitScores:
    """The scores of one split, by writer in ascending order.

    Scores and rows are matrices with one row per writer, or, where the protocol tests ``rest`` or
    ``all``, lists with one array per writer.

    Attributes
    ----------
    genuine, genuine_rows : ndarray, (writers, test_genuine), or list of ndarray
        The scores of the tested genuine signatures, and their rows in `x`.
    skilled, skilled_rows : ndarray, (writers, test_skilled), or list of ndarray
        The scores of the tested skilled forgeries, and their rows in `x`.
    random, random_rows : ndarray, (writers, (writers - 1) * test_genuine), or list of ndarray
        The scores of the random forgeries, and their rows in `x`. A writer's random forgeries are
        the tested genuine signatures of all other writers, scored by this writer's model.
    reference_rows : ndarray, (writers, references)
        The rows in `x` of each writer's references.
    fixed : float, optional
        The threshold at which FRR and FARs are counted; by default, the global equal error
        threshold.
    """

    genuine: ByWriter
    genuine_rows: ByWriter
    skilled: ByWriter
    skilled_rows: ByWriter
    random: ByWriter
    random_rows: ByWriter
    reference_rows: np.ndarray
    fixed: float | None = None

    def rates(self) -> dict[str, float]:
        """Compute the error rates, see :func:`fkd.verification.metrics.error_rates`."""
        return error_rates(self.genuine, self.skilled, self.random, self.fixed)
