"""A corpus of bad data: how each input is made, who reads it, and what must come of it."""

from bad_data.case import EXECUTED, Case, Payload
from bad_data.features import CASES as FEATURES
from bad_data.images import CASES as IMAGES
from bad_data.images import SCANS, Scan
from bad_data.models import CASES as MODELS
from bad_data.models import SMALL
from bad_data.paths import CASES as PATHS
from bad_data.sets import CASES as SETS
from bad_data.stored import CASES as SHARDS

CORPUS: list[Case] = [*IMAGES, *PATHS, *SETS, *FEATURES, *MODELS, *SHARDS]

__all__ = ["CORPUS", "EXECUTED", "SCANS", "SMALL", "Case", "Payload", "Scan"]
