from .bootstrap import Interval, Trial, WriterScores, det_band, difference, interval
from .calibration import Calibration, calibrate
from .evidence import Reliability, Tippett, cllr, cllr_min, reliability, tippett
from .independent import (
    PairMachine,
    evaluate_independent,
    scores_of_development,
    scores_of_pair_splits,
)
from .judging import judge_verifier
from .machine import read_machine, train_wi
from .metrics import error_rates
from .pairs import Development
from .protocol import PairProtocol, Protocol
from .scores import SplitScores
from .scoring import evaluate, scores_of_splits
from .significance import average_ranks, critical_difference, friedman, nemenyi, wilcoxon
from .stage import evaluate_wd, evaluate_wi
from .thresholds import Threshold, equal_error_rate, far_threshold, rates_at, set_thresholds
from .tradeoff import DetCurve, det_curve
from .verifier import Verifier, read_verifier, set_verifier
from .writers import judged_writers
