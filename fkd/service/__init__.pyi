from .command import verify_signature
from .explanation import Explanation, explain
from .quality import Finding, examine
from .scans import Preprocessing, Scan, read_scan
from .verifier import Comparison, Verifier
