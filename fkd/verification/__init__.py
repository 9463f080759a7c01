"""Writer-dependent verification: how well features tell a writer's signatures from forgeries."""

from fkd.verification.metrics import error_rates
from fkd.verification.protocol import SplitScores, evaluate, evaluate_wd, scores_of_splits
from fkd.verification.significance import friedman, wilcoxon

__all__ = [
    "SplitScores",
    "error_rates",
    "evaluate",
    "evaluate_wd",
    "friedman",
    "scores_of_splits",
    "wilcoxon",
]
