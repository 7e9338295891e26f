"""Sound as features, in operations that belong to the compiled step: 16-bit samples go in.

Numerically these are the transforms of torchaudio 2.11 with its defaults: a periodic Hann window,
frames centred on multiples of the hop with the signal reflected at both ends, |STFT|², triangles on
HTK's mel scale without normalisation of their areas, an orthonormal DCT-II.

A spectrum is a product of frames with cosines and sines that the window is folded into: at the
speed of matrix products, twenty-five milliseconds of sound need no fast transform. It is written as
a convolution whose stride is the hop, so frames are read where they lie and no copy of them exists.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, DTypeError, ShapeError
from ..frontend.functional.convolution import conv1d
from ..frontend.operations.arithmetic import log, maximum, where
from ..frontend.operations.creation import iota, tensor
from ..frontend.operations.shaping import cat, flip
from ..frontend.random import rand
from ..frontend.tensor import Tensor
from ..ir.types import DType
from .module import Module, as_tensor

__all__ = ["MFCC", "MelSpectrogram", "SpecAugment", "dct_matrix", "mel_filters"]

Matrix = npt.NDArray[np.float64]

#: 16-bit samples are divided by it, so that full scale is 1
FULL_SCALE = 32768.0
#: decibels below the loudest value of a clip at which torchaudio cuts off
TOP_DB = 80.0
#: the least power that has a logarithm in decibels, and what is added to it otherwise
LEAST_POWER, LOG_OFFSET = 1e-10, 1e-6


class MelSpectrogram(Module):
    """Power in bands of the mel scale: [N, samples] -> [N, n_mels, 1 + samples // hop_length].

    ``torchaudio.transforms.MelSpectrogram`` with its names and defaults (see the top of this file);
    ``hop_length`` is half of ``win_length``, which is ``n_fft``; ``f_max`` is half of
    ``sample_rate``. Lengths are in samples, frequencies in Hz. Samples are int16, full scale 32768,
    or float32, full scale 1; a single clip [samples] gives [n_mels, frames].

    The matrices are computed from the settings and are not in `state_dict`. Raises ConfigError for
    settings that make no spectrum and, when called, DTypeError or ShapeError for anything but clips
    longer than half of ``n_fft``.
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        n_fft: int = 400,
        win_length: int | None = None,
        hop_length: int | None = None,
        f_min: float = 0.0,
        f_max: float | None = None,
        *,
        n_mels: int = 128,
    ) -> None:
        super().__init__()
        self.sample_rate, self.n_fft, self.n_mels = sample_rate, n_fft, n_mels
        self.win_length = n_fft if win_length is None else win_length
        self.hop_length = self.win_length // 2 if hop_length is None else hop_length
        self.f_min, self.f_max = f_min, sample_rate / 2 if f_max is None else f_max
        self._check()
        filters = mel_filters(n_fft // 2 + 1, f_min, self.f_max, n_mels, sample_rate)
        used = np.flatnonzero(filters.any(axis=1))  # neither 0 Hz nor what lies above f_max
        waves = windowed_waves(self.n_fft, self.win_length, used)
        self.register_buffer("waves", _constant(waves), persistent=False)
        self.register_buffer("filters", _constant(filters[used]), persistent=False)

    def _check(self) -> None:
        whole = {"sample_rate": self.sample_rate, "n_fft": self.n_fft, "n_mels": self.n_mels,
                 "win_length": self.win_length, "hop_length": self.hop_length}  # fmt: skip
        for name, value in whole.items():
            if type(value) is not int or value < 1:
                raise ConfigError(f"{name} is {value!r}", help="pass a whole number above 0")
        if self.win_length > self.n_fft or self.n_fft < 4:
            raise ConfigError(
                f"a window of {self.win_length} samples does not fit n_fft={self.n_fft}",
                help="pass an n_fft of at least win_length, and at least 4",
            )
        if not 0 <= self.f_min < self.f_max <= self.sample_rate / 2:
            raise ConfigError(
                f"bands from {self.f_min:g} to {self.f_max:g} Hz, sampled {self.sample_rate} times "
                "a second",
                help="f_min must be below f_max, which is at most half of sample_rate",
            )

    def forward(self, x: Any) -> Tensor:
        """The power in each band."""
        signal = as_tensor(x)
        if signal.ndim == 1:
            return self._powers(signal.unsqueeze(0)).squeeze(0)
        if signal.ndim != 2:
            raise ShapeError(
                f"sound has shape {signal.shape}", help="pass [N, samples], or one clip [samples]"
            )
        return self._powers(signal)

    def _powers(self, signal: Tensor) -> Tensor:
        frames = self.frames(signal.shape[1])
        x = _reflected(_as_float(signal), self.n_fft // 2)
        first = (self.n_fft - self.win_length) // 2  # a shorter window is in the middle
        x = x[:, first : first + (frames - 1) * self.hop_length + self.win_length]
        y = conv1d(x.unsqueeze(1), self.waves, stride=self.hop_length).permute(0, 2, 1)
        bins = self.waves.shape[0] // 2
        cosine, sine = y[:, :, :bins], y[:, :, bins:]
        power = cosine * cosine + sine * sine
        bands: Tensor = (power @ self.filters).permute(0, 2, 1)
        return bands

    def frames(self, samples: int) -> int:
        """The number of frames of a clip. ShapeError for one that is too short to be reflected."""
        if samples <= self.n_fft // 2:
            raise ShapeError(
                f"a clip of {samples} samples is too short for frames of {self.n_fft}",
                help=f"pass clips of more than {self.n_fft // 2} samples: pad them with zeros",
            )
        return 1 + (samples + 2 * (self.n_fft // 2) - self.n_fft) // self.hop_length

    def extra_repr(self) -> str:
        """The settings."""
        return (f"{self.sample_rate}, n_fft={self.n_fft}, win_length={self.win_length}, "
                f"hop_length={self.hop_length}, n_mels={self.n_mels}")  # fmt: skip


class MFCC(Module):
    """Mel-frequency cepstral coefficients: [N, samples] -> [N, n_mfcc, frames].

    ``torchaudio.transforms.MFCC``: the orthonormal DCT-II of the logarithm of `MelSpectrogram`
    (n_fft 400, hop 200, 128 bands unless ``mel`` says otherwise), in decibels,
    10·log10(max(p, 1e-10)), but nothing more than 80 below the loudest value of the clip; with
    ``log_mels`` it is log(p + 1e-6). torchaudio takes the loudest value of a whole batch
    [N, samples]: ours are its numbers for each clip alone, so that no clip depends on its
    neighbours.
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        n_mfcc: int = 40,
        *,
        log_mels: bool = False,
        mel: MelSpectrogram | None = None,
    ) -> None:
        super().__init__()
        self.mel = MelSpectrogram(sample_rate) if mel is None else mel
        if type(n_mfcc) is not int or not 1 <= n_mfcc <= self.mel.n_mels:
            raise ConfigError(
                f"{n_mfcc!r} coefficients of {self.mel.n_mels} bands",
                help="pass a whole number from 1 to the number of bands",
            )
        self.n_mfcc, self.log_mels = n_mfcc, log_mels
        self.register_buffer(
            "dct", _constant(dct_matrix(n_mfcc, self.mel.n_mels).T), persistent=False
        )

    def forward(self, x: Any) -> Tensor:
        """The coefficients of each frame."""
        power = self.mel(x)
        bands = log(power + LOG_OFFSET) if self.log_mels else _decibels(power)
        coefficients: Tensor = (bands.transpose(-1, -2) @ self.dct).transpose(-1, -2)
        return coefficients

    def extra_repr(self) -> str:
        """The settings."""
        return f"n_mfcc={self.n_mfcc}, log_mels={self.log_mels}"


class SpecAugment(Module):
    """In training, blanks out bands and stretches of time of features [N, bands, frames].

    Each of ``time_masks`` covers up to ``time_width`` frames, each of ``band_masks`` up to
    ``band_width`` bands, anywhere, other ones for each clip; what is covered becomes 0, so features
    should be standardised: Park et al., 2019, "SpecAugment", without its time warping.
    """

    def __init__(
        self,
        time_masks: int = 2,
        time_width: int = 20,
        band_masks: int = 2,
        band_width: int = 7,
    ) -> None:
        super().__init__()
        self.time_masks, self.time_width = time_masks, time_width
        self.band_masks, self.band_width = band_masks, band_width
        for name, value in vars_of(self, "time_masks", "time_width", "band_masks", "band_width"):
            if type(value) is not int or value < 0:
                raise ConfigError(f"{name} is {value!r}", help="pass a whole number, 0 or more")

    def forward(self, x: Any) -> Tensor:
        """The features with holes."""
        features = as_tensor(x)
        if not self.training:
            return features
        if features.ndim != 3:
            raise ShapeError(
                f"features have shape {features.shape}", help="pass [N, bands, frames]"
            )
        count, bands, frames = features.shape
        for _ in range(self.time_masks if self.time_width else 0):
            hole = _hole(count, frames, self.time_width).reshape(count, 1, frames)
            features = where(hole, 0.0, features)
        for _ in range(self.band_masks if self.band_width else 0):
            hole = _hole(count, bands, self.band_width).reshape(count, bands, 1)
            features = where(hole, 0.0, features)
        return features

    def extra_repr(self) -> str:
        """The number and the sizes of the holes."""
        return (f"time_masks={self.time_masks}, time_width={self.time_width}, "
                f"band_masks={self.band_masks}, band_width={self.band_width}")  # fmt: skip


def vars_of(module: Module, *names: str) -> list[tuple[str, Any]]:
    """Attributes of a module with their names."""
    return [(name, getattr(module, name)) for name in names]


def mel_filters(bins: int, f_min: float, f_max: float, n_mels: int, sample_rate: int) -> Matrix:
    """Triangles that overlap by half, [bins, n_mels], with tops of 1 equally far apart in mel.

    mel = 2595·log10(1 + f / 700) (HTK; O'Shaughnessy, 1987). Row b is the frequency
    b · sample_rate / (2 · (bins - 1)) of a spectrum. Equal to ``torchaudio.functional.
    melscale_fbanks`` with its defaults.
    """
    frequencies = np.linspace(0.0, sample_rate // 2, bins)
    low, high = (2595.0 * math.log10(1.0 + f / 700.0) for f in (f_min, f_max))
    corners = 700.0 * (10.0 ** (np.linspace(low, high, n_mels + 2) / 2595.0) - 1.0)
    slopes = corners[None, :] - frequencies[:, None]
    rising = -slopes[:, :-2] / np.diff(corners)[:-1]
    falling = slopes[:, 2:] / np.diff(corners)[1:]
    triangles: Matrix = np.maximum(0.0, np.minimum(rising, falling))
    return triangles


def dct_matrix(n_mfcc: int, n_mels: int) -> Matrix:
    """The first rows of the orthonormal DCT-II, [n_mfcc, n_mels]:
    sqrt(2 / n)·cos(π/n·(m + 1/2)·k), row 0 divided by sqrt(2)."""
    k, m = np.arange(n_mfcc)[:, None], np.arange(n_mels)[None, :]
    rows: Matrix = np.cos(math.pi / n_mels * (m + 0.5) * k) * math.sqrt(2.0 / n_mels)
    rows[0] /= math.sqrt(2.0)
    return rows


def windowed_waves(n_fft: int, win_length: int, bins: npt.NDArray[np.integer[Any]]) -> Matrix:
    """Cosines, then sines, of the frequencies ``bins`` of a spectrum of ``n_fft``, times a periodic
    Hann window: the taps of a convolution, [2 · bins, 1, win_length]."""
    first = (n_fft - win_length) // 2
    taps = np.arange(win_length)
    window = 0.5 - 0.5 * np.cos(2.0 * math.pi * taps / win_length)
    # The product is reduced as a whole number: a cosine of a large angle would lose digits.
    angle = 2.0 * math.pi / n_fft * ((bins[:, None] * (taps + first)[None, :]) % n_fft)
    waves: Matrix = np.concatenate([np.cos(angle), -np.sin(angle)]) * window
    return waves[:, None, :]


def _constant(values: Matrix) -> Tensor:
    return tensor(np.ascontiguousarray(values, np.float32))


def _as_float(signal: Tensor) -> Tensor:
    """Samples as float32 with full scale 1."""
    if signal.dtype is DType.i16:
        return signal.float() * (1.0 / FULL_SCALE)
    if signal.dtype is DType.f32:
        return signal
    raise DTypeError(
        f"sound is {signal.dtype!r}", help="pass 16-bit samples (int16), or float32 from -1 to 1"
    )


def _reflected(x: Tensor, more: int) -> Tensor:
    """``more`` samples mirrored at both ends, which themselves are not repeated."""
    length = x.shape[1]
    before = flip(x[:, 1 : more + 1], 1)
    after = flip(x[:, length - 1 - more : length - 1], 1)
    return cat([before, x, after], 1)


def _decibels(power: Tensor) -> Tensor:
    """10·log10(p), at most `TOP_DB` below the loudest of each clip."""
    levels = log(maximum(power, LEAST_POWER)) * (10.0 / math.log(10.0))
    loudest = levels.amax((-2, -1), keepdim=True)
    return maximum(levels, loudest - TOP_DB)


def _hole(count: int, length: int, most: int) -> Tensor:
    """For each clip a stretch of 0 to ``most`` of ``length`` places, as [count, length] of bool."""
    width = (rand(count, 1) * float(min(most, length) + 1)).int()
    first = (rand(count, 1) * (float(length + 1) - width.float())).int()
    place = iota((1, length), 1)
    return (place >= first) & (place < first + width)
