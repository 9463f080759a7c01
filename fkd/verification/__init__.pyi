from .independent import evaluate_independent, scores_of_pair_splits
from .metrics import error_rates
from .pairs import Development
from .protocol import PairProtocol, Protocol
from .scoring import SplitScores, evaluate, scores_of_splits
from .significance import average_ranks, critical_difference, friedman, nemenyi, wilcoxon
from .stage import evaluate_wd
