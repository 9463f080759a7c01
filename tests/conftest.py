"""What all tests share."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with research data and reference results beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there: research data and reference results are needed")
    return SHARED
