"""Writer-dependent verification: how well features tell a writer's signatures from forgeries."""

from fkd.verification.metrics import error_rates
from fkd.verification.protocol import SplitScores, evaluate, scores_of_splits
from fkd.verification.significance import (
    average_ranks,
    critical_difference,
    friedman,
    nemenyi,
    wilcoxon,
)
from fkd.verification.stage import evaluate_wd

__all__ = [
    "SplitScores",
    "average_ranks",
    "critical_difference",
    "error_rates",
    "evaluate",
    "evaluate_wd",
    "friedman",
    "nemenyi",
    "scores_of_splits",
    "wilcoxon",
]
