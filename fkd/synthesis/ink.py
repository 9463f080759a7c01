"""Ink on paper: gray pixels from the paths of the pen."""

from pathlib import Path as File

import cv2
import numpy as np

from fkd.errors import FkdError
from fkd.storage.atomic import writing
from fkd.synthesis.strokes import STEP, Path

_ZOOM = 2  # the sheet is drawn this much larger, then averaged down
_SHIFT = 4  # fractional bits of the coordinates that OpenCV takes
_LEVELS = 16  # steps of width and darkness, each drawn in one call
_FAINT, _FULL = 0.45, 1.3  # range of width and darkness, as shares of those at the usual speed


class Sheet:
    """A sheet of paper that collects ink.

    Parameters
    ----------
    height, width : int
        The size of the sheet, pixels.
    """

    def __init__(self, height: int, width: int) -> None:
        self._ink = np.zeros((height * _ZOOM, width * _ZOOM), np.uint8)

    def draw(self, path: Path, *, pen: float, usual: float, pressure: float) -> None:
        """Draw a path. The faster the pen moves, the thinner and lighter is the line.

        Parameters
        ----------
        path : Path
            The path in pixels of the sheet, x to the right and y down.
        pen : float
            The width of the line at the usual speed, pixels.
        usual : float
            The speed at which the line has the pen's width, pixels per second.
        pressure : float
            The share of width and darkness that is lost when the speed doubles.
        """
        # The bound keeps a pen that nearly stops from leaving blots, and 0 out of the logarithm.
        press = 1 - pressure * np.log2(np.maximum(path.speed, 0.5 * usual) / usual)
        press = np.clip(press * _landing(path, 2 * pen), _FAINT, _FULL)
        level = np.rint((press[1:] - _FAINT) / (_FULL - _FAINT) * (_LEVELS - 1)).astype(int)
        ends = np.rint(path.points * (_ZOOM << _SHIFT)).astype(np.int32)
        segments = np.stack([ends[:-1], ends[1:]], axis=1)  # (m - 1, 2, 2)
        drawn = (path.run[1:] == path.run[:-1]) & (segments[:, 0] != segments[:, 1]).any(axis=1)
        # From light to dark, because a line replaces the ink under it: dark ink stays on top.
        for step in np.unique(level[drawn]):
            share = _FAINT + (_FULL - _FAINT) * step / (_LEVELS - 1)
            cv2.polylines(
                self._ink,
                list(segments[drawn & (level == step)]),
                isClosed=False,
                color=int(np.clip(215 * share**0.7, 0, 255)),
                thickness=max(1, round(pen * share * _ZOOM)),
                lineType=cv2.LINE_AA,
                shift=_SHIFT,
            )

    def scan(self, *, ink: float, paper: float, rng: np.random.Generator) -> np.ndarray:
        """Scan the sheet, with uneven paper and grain in the paper and in the ink.

        Parameters
        ----------
        ink, paper : float
            The gray levels of full ink and of bare paper, 0 to 255.
        rng : numpy.random.Generator
            The generator of the grain.

        Returns
        -------
        (height, width) uint8 array
            Gray levels.
        """
        height, width = (side // _ZOOM for side in self._ink.shape)
        cover = cv2.resize(self._ink, (width, height), interpolation=cv2.INTER_AREA)
        cover = cover.astype(np.float32) / 255  # 0 for bare paper, 1 for full ink
        # A few random levels, interpolated: the paper changes slowly over the sheet.
        shade = rng.normal(0, 1.5, (4, 5)).astype(np.float32)
        paper_gray = cv2.resize(shade, (width, height), interpolation=cv2.INTER_CUBIC)
        paper_gray += np.float32(paper)
        grain = rng.standard_normal((height, width), np.float32)
        grain += 0.7 * np.roll(grain, 1, axis=0)  # fibers are coarser than pixels
        # The grain is strongest in ink.
        gray = paper_gray + cover * (np.float32(ink) - paper_gray)
        gray += grain * (1.3 + 14 * cover * (1 - 0.5 * cover))
        return np.clip(np.rint(gray), 0, 255).astype(np.uint8)


def _landing(path: Path, length: float) -> np.ndarray:
    """Compute the share of pressure at each sample: the pen lands and lifts while it moves.

    Within `length` pixels of either end of a run, the share rises from 0.6 to 1.
    """
    travelled = np.cumsum(path.speed) * STEP  # pixels
    first = np.flatnonzero(np.diff(path.run, prepend=-1))
    last = np.append(first[1:], len(travelled)) - 1
    since, until = travelled - travelled[first][path.run], travelled[last][path.run] - travelled
    near = np.minimum(since, until)
    return 0.6 + 0.4 * np.minimum(near / length, 1)


def save(image: np.ndarray, file: File) -> None:
    """Write a gray image as PNG.

    Parameters
    ----------
    image : (height, width) uint8 array
        Gray levels.
    file : Path
        The file, which ends in ``.png``. Its folder is created where it is missing.

    Raises
    ------
    FkdError
        Where the file cannot be written.
    """
    with writing(file) as part:
        if not cv2.imwrite(str(part), image, [cv2.IMWRITE_PNG_COMPRESSION, 3]):
            raise FkdError(f"{file} could not be written. Is the disk full?")
