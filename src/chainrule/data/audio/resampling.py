"""Sound at another rate, by a windowed sinc, with the same bits on every machine.

The ideal low-pass filter between two rates is a sinc; cut to 32 of its zeros on either side by a
Kaiser window of beta 9 it passes what lies below 0.84 of half the lower rate, and what lies above
that half is 80 decibels down (Kaiser and Schafer, 1980; Smith, "Digital Audio Resampling"). Between
rates p·g and q·g only q different sets of taps occur, so the whole is one product of frames with a
matrix.

Taps are rounded to multiples of 2^-24 and samples are whole numbers, so every sum is exact in
float64, whatever its order: NumPy may use any BLAS and any processor. Resamplers that come as
packages (soxr, SciPy) promise no such thing, and would be one more requirement.
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["resampled"]

#: zeros of the sinc on either side, and the window
ZEROS, BETA = 32, 9.0
#: the middle of the slope of the filter, of half the lower rate
ROLLOFF = 0.93
TAP_BITS = 24
#: at most so many different sets of taps: of odd rates, the nearest ratio with no more is taken
MOST_PHASES = 512
#: multiplications of one product. Larger ones are spread over threads by BLAS, which wait for one
#: another far longer than they compute; files are read on several threads already
BLOCK = 1 << 18


def resampled(samples: NDArray[np.int16], rate: int, wanted: int) -> NDArray[np.floating[Any]]:
    """``samples`` at ``rate`` a second as numbers at ``wanted`` a second, not yet rounded."""
    if rate == wanted or len(samples) == 0:
        return samples.astype(np.float64)
    up, down = _ratio(rate, wanted)
    taps, reach = _taps(up, down)
    count = -(-len(samples) * up // down)
    periods = -(-count // up)
    width = taps.shape[1]
    room = np.zeros(reach + (periods - 1) * down + width)
    room[reach : reach + len(samples)] = samples[: len(room) - reach]
    frames = np.lib.stride_tricks.sliding_window_view(room, width)[::down][:periods]
    rows = max(1, BLOCK // taps.size)
    parts = [frames[i : i + rows] @ taps.T for i in range(0, periods, rows)]
    result: NDArray[np.float64] = np.concatenate(parts).reshape(-1)[:count]
    return result


def _ratio(rate: int, wanted: int) -> tuple[int, int]:
    """Samples out for so many samples in, in lowest terms or as near as makes no difference."""
    ratio = Fraction(rate, wanted).limit_denominator(MOST_PHASES)
    return ratio.denominator, max(1, ratio.numerator)


@functools.lru_cache(maxsize=16)
def _taps(up: int, down: int) -> tuple[NDArray[np.float64], int]:
    """Row i gives output i of a period from the samples from ``reach`` before it on."""
    # Frequencies are in units of the rate of the input.
    cutoff = ROLLOFF * min(1.0, up / down)
    reach = math.ceil(ZEROS / cutoff)
    position = np.arange(up)[:, None] * down / up
    distance = np.arange(-reach, down + reach + 1)[None, :] - position
    share = np.clip(distance * cutoff / ZEROS, -1.0, 1.0)
    window = np.i0(BETA * np.sqrt(1.0 - share * share)) / np.i0(BETA)
    taps = cutoff * np.sinc(cutoff * distance) * window * (np.abs(distance) * cutoff < ZEROS)
    return np.rint(taps * 2.0**TAP_BITS) / 2.0**TAP_BITS, reach
