from .command import verify_signature
from .quality import Finding, examine
from .scans import Preprocessing, Scan, read_scan
from .verifier import Comparison, Verifier
