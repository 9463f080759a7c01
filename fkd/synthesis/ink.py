"""Ink on paper: gray pixels from the paths of the pen."""

import struct
from dataclasses import dataclass
from pathlib import Path as File
from zlib import crc32

import numpy as np
from isal import isal_zlib
from scipy.ndimage import gaussian_filter1d

from fkd.storage.atomic import writing
from fkd.synthesis.compiled import lay, scan
from fkd.synthesis.strokes import STEP, Path

_FAINT, _FULL = 0.45, 1.35  # range of width and density, as shares of those at the usual speed
_STREAK = 0.02  # seconds over which the ball of a pen carries more ink or less


# How often a pen is drawn, and the ranges of its width, flow, streak and nib.
_PENS = (
    (0.62, (2.8, 6.4), (0.7, 1.9), (0.1, 0.45), (0, 0)),  # ballpoint
    (0.18, (3.2, 6.4), (2.0, 4.0), (0.05, 0.1), (0, 0)),  # gel pen
    (0.10, (5.0, 9.0), (2.5, 5.0), (0.0, 0.05), (0, 0)),  # felt tip
    (0.10, (3.0, 6.5), (1.5, 4.0), (0.1, 0.2), (0.2, 0.5)),  # nib
)


@dataclass(frozen=True)
class Pen:
    """What leaves the ink.

    Attributes
    ----------
    width : float
        The width of a line at the usual speed, pixels.
    ink : float
        The gray level of the ink where it covers the paper, 0 to 255.
    flow : float
        The optical density of a line: 1 lets the paper through, so that crossings are darker, as
        with a ballpoint; from 3 on the paper is covered, as with a felt tip.
    streak : float
        The deviation of the logarithm of the flow along a line.
    nib : float
        How much wider a nib writes downwards than upwards, as a share of the width; 0 for a ball.
    """

    width: float
    ink: float
    flow: float
    streak: float
    nib: float


def draw_pen(rng: np.random.Generator) -> Pen:
    """Draw a pen: a ballpoint, most often, or a gel pen, a felt tip or a nib."""
    share, width, flow, streak, nib = zip(*_PENS, strict=True)
    kind = rng.choice(len(_PENS), p=share)
    return Pen(
        width=rng.uniform(*width[kind]),
        ink=rng.uniform(15, 105),
        flow=rng.uniform(*flow[kind]),
        streak=rng.uniform(*streak[kind]),
        nib=rng.uniform(*nib[kind]),
    )


class Sheet:
    """A sheet of paper that collects ink.

    Parameters
    ----------
    height, width : int
        The size of the sheet, pixels.
    """

    def __init__(self, height: int, width: int) -> None:
        self._density = np.zeros((height, width), np.float32)

    def draw(
        self, path: Path, *, pen: Pen, usual: float, pressure: float, rng: np.random.Generator
    ) -> None:
        """Draw a path. The faster the pen moves, the thinner and lighter is the line.

        Parameters
        ----------
        path : Path
            The path in pixels of the sheet, x to the right and y down.
        pen : Pen
            The pen.
        usual : float
            The speed at which the line has the pen's width, pixels per second.
        pressure : float
            The share of width and density that is lost when the speed doubles.
        rng : numpy.random.Generator
            The generator of the streaks.
        """
        # The bound keeps a pen that nearly stops from leaving blots, and 0 out of the logarithm.
        press = 1 - pressure * np.log2(np.maximum(path.speed, 0.5 * usual) / usual)
        press = np.clip(press * _landing(path, 2 * pen.width), _FAINT, _FULL)[1:]
        steps = np.diff(path.points, axis=0)
        # A nib spreads under pressure, which is on strokes towards the writer.
        downwards = steps[:, 1] / np.maximum(np.hypot(*steps.T), 1e-9)
        width = pen.width * press * (1 + pen.nib * downwards)
        streak = gaussian_filter1d(rng.standard_normal(len(press)), _STREAK / STEP)
        streak *= pen.streak / max(streak.std(), 1e-9)
        flow = pen.flow * press * np.exp(streak)
        x, y = np.ascontiguousarray(path.points.T)
        ends = np.flatnonzero(np.diff(path.run)) + 1
        for first, last in zip([0, *ends], [*ends, len(x)], strict=True):
            run = slice(first, last - 1)
            lay(self._density, x[first:last], y[first:last], width[run] / 2, flow[run])

    def scan(self, *, ink: float, paper: float, rng: np.random.Generator) -> np.ndarray:
        """Scan the sheet, with uneven paper and grain in the paper and in the ink.

        Parameters
        ----------
        ink, paper : float
            The gray levels of full ink and of bare paper. The scanner gives no more than 255, so
            brighter paper is white and without grain.
        rng : numpy.random.Generator
            The generator of the grain.

        Returns
        -------
        (height, width) uint8 array
            Gray levels.
        """
        # The paper changes slowly over the sheet, from side to side and from top to bottom.
        across, down = (
            np.interp(np.linspace(0, 4, side), np.arange(5), rng.normal(0, 1.1, 5))
            for side in self._density.shape[::-1]
        )
        across, down = (across + paper).astype(np.float32), down.astype(np.float32)
        key = int(rng.integers(1 << 62))
        grain = rng.uniform(0.5, 2.0), rng.uniform(2.0, 9.0)
        return scan(self._density, across, down, ink, key, *grain)


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
    """
    height, width = image.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each begins with the number of its filter
    rows[:, 1:] = image
    # Grain hardly shrinks, and with zlib it would take longer to compress than to draw.
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0),
        b"IDAT": isal_zlib.compress(rows.tobytes(), 1),
        b"IEND": b"",
    }
    with writing(file) as part, part.open("wb") as stream:
        stream.write(b"\x89PNG\r\n\x1a\n")
        for name, content in parts.items():
            stream.write(struct.pack(">I", len(content)) + name + content)
            stream.write(struct.pack(">I", crc32(content, crc32(name))))
