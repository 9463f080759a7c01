"""The loops that move the pen, lay ink on a sheet and scan it, compiled by Numba.

They stay in one file, because a compiled function that is cached on the disk does not notice an
edit of another one that it calls.
"""

import math

import numpy as np

from fkd.compiling import compiled


@compiled()
def move(
    onset: np.ndarray,
    mu: np.ndarray,
    sigma: np.ndarray,
    length: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    begin: np.ndarray,
    window: np.ndarray,
    step: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Add up the moves of strokes that overlap in time.

    The share of an arc that is done is the integral of its lognormal, in closed form. The place
    on the arc is the integral of length exp(i direction) over that share.

    Parameters
    ----------
    onset, mu, sigma, length, start, end : ndarray of float64, (n,)
        As in :class:`fkd.synthesis.strokes.Strokes`. No arc is straight: start and end differ.
    begin, window : ndarray of int64, (n,)
        The first sample of each stroke, and the number of steps that follow.
    step : float
        Seconds between samples.

    Returns
    -------
    x, y : ndarray of float64, (samples,)
        The way from each sample to the one before it.
    """
    samples = 0
    for stroke in range(len(onset)):
        samples = max(samples, begin[stroke] + window[stroke] + 1)
    x, y = np.zeros(samples), np.zeros(samples)
    for stroke in range(len(onset)):
        turn = end[stroke] - start[stroke]
        scale = length[stroke] / turn
        cosine, sine = scale * math.cos(start[stroke]), scale * math.sin(start[stroke])
        last_x = last_y = 0.0
        for tick in range(window[stroke] + 1):
            sample = begin[stroke] + tick
            since = sample * step - onset[stroke]
            done = 0.0
            if since > 0.0:
                z = (math.log(since) - mu[stroke]) / sigma[stroke]
                done = 0.5 * math.erfc(-z * math.sqrt(0.5))
            # exp(i turn done) - 1, in a form that keeps the digits of slight bends.
            along, half = math.sin(turn * done), math.sin(turn * done / 2.0)
            aside = 2.0 * half * half
            now_x, now_y = cosine * along - sine * aside, sine * along + cosine * aside
            if tick > 0:
                x[sample] += now_x - last_x
                y[sample] += now_y - last_y
            last_x, last_y = now_x, now_y
    return x, y


@compiled()
def lay(
    density: np.ndarray, x: np.ndarray, y: np.ndarray, radius: np.ndarray, flow: np.ndarray
) -> None:
    """Move a pen with a round tip along a run, and add its ink to the sheet.

    Each point of the paper takes ink for as long as the tip is on it. In the middle of a straight
    line that is the diameter of the tip, so its density is the flow there; it falls to 0 at the
    edges as a circle does, and where lines cross, their densities add up.

    Parameters
    ----------
    density : ndarray of float32, (height, width)
        The optical density of the sheet, which is added to.
    x, y : ndarray of float64, (m,)
        The points of the run, pixels.
    radius : ndarray of float64, (m - 1,)
        The radius of the tip on the way from each point to the next, pixels.
    flow : ndarray of float64, (m - 1,)
        The density of a straight line.
    """
    height, width = density.shape
    for step in range(len(radius)):
        r = radius[step]
        dx, dy = x[step + 1] - x[step], y[step + 1] - y[step]
        length = np.sqrt(dx * dx + dy * dy)
        if length == 0.0:
            continue
        dx, dy = dx / length, dy / length
        top = max(0, int(np.ceil(min(y[step], y[step + 1]) - r)))
        bottom = min(height - 1, int(np.floor(max(y[step], y[step + 1]) + r)))
        left = max(0, int(np.ceil(min(x[step], x[step + 1]) - r)))
        right = min(width - 1, int(np.floor(max(x[step], x[step + 1]) + r)))
        share = flow[step] / (2.0 * r)
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                px, py = column - x[step], row - y[step]
                along = px * dx + py * dy
                half = r * r - (px * px + py * py - along * along)
                if half <= 0.0:
                    continue
                half = np.sqrt(half)
                passed = min(length, along + half) - max(0.0, along - half)
                if passed > 0.0:
                    density[row, column] += np.float32(share * passed)


@compiled()
def scan(
    density: np.ndarray,
    across: np.ndarray,
    down: np.ndarray,
    ink: float,
    key: int,
    on_paper: float,
    on_ink: float,
) -> np.ndarray:
    """Scan a sheet: ink lets the less light back the denser it is, and all is grainy.

    Grain is coarser from row to row, as fibers are. It is the sum of four uniform numbers, whose
    bits are those of SplitMix64 (Steele, Lea and Flood 2014) of the pixel's number.

    Parameters
    ----------
    density : ndarray of float32, (height, width)
        The optical density, natural logarithm.
    across : ndarray of float32, (width,)
    down : ndarray of float32, (height,)
        The gray level of the bare paper is their sum.
    ink : float
        The gray level of an endless layer of ink.
    key : int
        What the grain depends on, 64 bits.
    on_paper, on_ink : float
        The deviations of the grain on white and on black, gray levels.

    Returns
    -------
    ndarray of uint8, (height, width)
        Gray levels.
    """
    height, width = density.shape
    gray = np.empty((height, width), np.uint8)
    level, above = np.empty(width, np.float32), np.zeros(width, np.float32)
    grain = np.empty(width + 1, np.float32)
    black, spread = np.float32(ink), np.float32(on_ink)
    per_level = np.float32((on_paper - on_ink) / 255.0)
    # Four bytes have the mean 510 and the variance 4 (256^2 - 1) / 12.
    middle, unit = np.float32(510.0), np.float32(1.0 / 147.8)
    own, others = np.float32(0.82), np.float32(0.57)
    zero, most, half = np.float32(0.0), np.float32(255.0), np.float32(0.5)
    pairs = (width + 1) // 2
    for row in range(height):
        for pair in range(pairs):  # one number has the bytes of two pixels
            bits = np.uint64(key) + np.uint64(row * pairs + pair) * np.uint64(0x9E3779B97F4A7C15)
            bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            bits ^= bits >> np.uint64(31)
            # Bytes 0, 2, 4 and 6, and the others: each sum stays in 16 bits of its own.
            even = (bits & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(0x0001000100010001)
            odd = ((bits >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(
                0x0001000100010001
            )
            grain[2 * pair] = (np.float32(even >> np.uint64(48)) - middle) * unit
            grain[2 * pair + 1] = (np.float32(odd >> np.uint64(48)) - middle) * unit
        for column in range(width):
            level[column] = across[column] + down[row]
        for column in range(width):
            if density[row, column] > zero:
                level[column] = black + (level[column] - black) * np.exp(-density[row, column])
        for column in range(width):
            noise = own * grain[column] + others * above[column]
            shade = level[column] + (spread + per_level * level[column]) * noise
            above[column] = grain[column]
            gray[row, column] = np.uint8(min(max(shade, zero), most) + half)
    return gray
