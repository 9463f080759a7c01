from .metrics import error_rates
from .protocol import Protocol
from .scoring import SplitScores, evaluate, scores_of_splits
from .significance import average_ranks, critical_difference, friedman, nemenyi, wilcoxon
from .stage import evaluate_wd
