"""A trial of a model of others, in a process of its own whose time and memory are limited.

A graph from elsewhere may take any amount of time and memory, already when it is opened. It may also
say different things of the same image, because dropout was left on, or because it uses statistics of
the whole batch. The trial finds out on a few drawn images, before any signature is described.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path
from time import process_time

import numpy as np

from fkd.errors import FkdError
from fkd.models.extractor import Extractor
from fkd.models.onnx_file import read_onnx
from fkd.preprocess import INPUT
from fkd.seeding import generator
from fkd.storage.files import check_file, printable

SECONDS = 120
"""The CPU time of a trial, besides a second for each image of a fixed batch."""

PATIENCE = 900
"""Seconds after which a trial is ended even if it takes no CPU time."""

MEMORY = 3 << 30
"""Bytes that a trial may take, besides the model and :data:`IMAGE_BYTES` for each image."""

COPIES = 4
"""How many times the model's own bytes are in memory while it is opened."""

IMAGE_BYTES = 1 << 25
"""Bytes that the maps of one image may take."""

TOLERANCE = 1e-3
"""The largest difference between two features of one image, as a share of the largest element.

Rounding differs by about 1e-6 in single precision and by 5e-4 in half precision.
"""

FIRST = (0, 1, 2)
"""The images that are described first."""

COMPANIES = ((2, 0), (1,), (3, 4, 1, 4, 3, 2, 0))
"""The images of further batches: in another order, alone, and among others."""

REFUSED, OUT_OF_MEMORY = 3, 4
"""The exit statuses of a trial: the model is refused, for the reason on its output; too large."""


def try_out(path: Path | str, seconds: int = SECONDS, memory: int = MEMORY) -> None:
    """Try a model of others before it is used.

    Parameters
    ----------
    path : Path or str
        The ONNX file.
    seconds, memory : int
        The CPU time and the bytes of memory that the trial may take, see :data:`SECONDS` and
        :data:`MEMORY`.

    Raises
    ------
    FkdError
        If the model cannot be used as an :class:`~fkd.models.extractor.Extractor`, takes too much
        time or memory, or says different things of the same image.
    """
    check_file(path)
    # The trial must find this package wherever the caller has it from.
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(place for place in sys.path if place),
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
    }
    limits = [str(seconds), str(memory)]
    command = [sys.executable, "-m", "fkd.models.trial", str(path), *limits]
    too_much = (
        f"{printable(path)}: opening it and describing a few images takes more than {seconds} s or "
        f"{memory / (1 << 30):.1f} GB besides the model, or fails badly. Export a smaller network."
    )
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise FkdError(too_much) from None
    if done.returncode == REFUSED:
        raise FkdError(done.stdout.decode("utf-8", "replace").strip())
    if done.returncode == OUT_OF_MEMORY or done.returncode < 0:  # ended by a signal
        raise FkdError(too_much)
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise FkdError(f"{printable(path)}: cannot be tried ({last[:200]}).")


def refuse_fickle(path: Path | str, describe: Extractor) -> None:
    """Refuse a model whose features are no function of one image.

    Parameters
    ----------
    path : Path or str
        The file, for the message.
    describe : Extractor
        The model.

    Raises
    ------
    FkdError
        If it says different things of an image when it is asked again, or when the image is in
        another batch.
    """
    images = _draw_images()
    first = describe(images[list(FIRST)])  # (3, F)
    room = TOLERANCE * max(float(np.abs(first).max()), np.finfo(np.float32).tiny)
    again = np.abs(describe(images[list(FIRST)]) - first).max()
    if again > room:
        raise FkdError(
            f"{printable(path)}: says different things of the same images when it is asked again "
            f"(features differ by {again:.1e}). Dropout or another draw is left on; export it in "
            "evaluation mode, in PyTorch after model.eval()."
        )
    for company in COMPANIES:
        features = describe(images[list(company)])
        pairs = [(row, at) for row, at in enumerate(company) if at in FIRST]
        apart = max(np.abs(features[row] - first[at]).max() for row, at in pairs)
        if apart > room:
            raise FkdError(
                f"{printable(path)}: says different things of an image in another batch (features "
                f"differ by {apart:.1e}), so they depend on the other images. Batch norm takes the "
                "batch's statistics; export it in evaluation mode, in PyTorch after model.eval()."
            )


def _draw_images() -> np.ndarray:
    """Draw three images of bright strokes, and two that are much brighter, (5, 150, 220) uint8."""
    draw = generator(0, "trial")
    images = np.zeros((5, *INPUT), np.uint8)
    for image, brightest in zip(images, (120, 90, 60, 255, 255), strict=True):
        for top, left in draw.integers((INPUT[0] - 9, INPUT[1] - 40), size=(25, 2)):
            image[top : top + 3, left : left + 40] = draw.integers(brightest // 2, brightest)
    images[4] = np.maximum(images[4], draw.integers(256, size=INPUT, dtype=np.uint8))
    return images


def main(path: str, seconds: str, memory: str) -> None:
    """Try a model in this process, within the limits.

    Parameters
    ----------
    path : str
        The ONNX file.
    seconds, memory : str
        The limits, as numbers; see :func:`try_out`.
    """
    try:
        size = read_onnx(path).ByteSize()
        _limit(size, int(seconds), int(memory), 0)
        extractor = Extractor(path, threads=1)
        _limit(size, int(seconds), int(memory), extractor.fixed_batch or 0)
        refuse_fickle(path, extractor)
    except FkdError as error:
        sys.stdout.buffer.write(str(error).encode("utf-8", "backslashreplace"))
        sys.exit(REFUSED)
    except MemoryError:
        sys.exit(OUT_OF_MEMORY)


def _limit(size: int, seconds: int, memory: int, batch: int) -> None:
    """Limit time and memory of this process, for a model of `size` bytes and a fixed batch."""
    limits = {resource.RLIMIT_CPU: int(process_time()) + seconds + batch, resource.RLIMIT_CORE: 0}
    if (pages := Path("/proc/self/statm")).exists():
        # What the libraries take is left out.
        held = int(pages.read_text(encoding="utf-8").split()[0]) * resource.getpagesize()
        limits[resource.RLIMIT_AS] = held + memory + COPIES * size + batch * IMAGE_BYTES
    for what, limit in limits.items():
        _, most = resource.getrlimit(what)
        resource.setrlimit(what, (limit if most < 0 else min(limit, most), most))


if __name__ == "__main__":
    main(*sys.argv[1:])
