"""How PyTorch is set up: what becomes of memory that is freed."""

import platform
import resource
import subprocess
import sys

import pytest

from fkd.device import memory_kept

BLOCK = 64 * 2**20


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library than GNU's")
def test_memory_is_kept_for_the_next_step_and_given_back_at_the_end():
    """In a process of its own, whose heap nobody else has filled."""
    lines = subprocess.run(
        [sys.executable, __file__], check=True, capture_output=True, text=True
    ).stdout.split()
    outside, kept, after = map(int, lines)
    assert kept < 100 < outside / 10
    assert after > outside / 2


def pages() -> int:
    """New pages that a block of memory takes, after one of the same size was freed."""
    bytearray(BLOCK)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(BLOCK)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


if __name__ == "__main__":
    print(pages())
    with memory_kept():
        print(pages())
    print(pages())
