"""The clips and settings behind ``sound.json``, made again from their seeds with NumPy alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 16_000

#: class, samples of each clip, settings by torchaudio's names
CASES: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("MelSpectrogram", 1600, {"sample_rate": 16000}),
    ("MelSpectrogram", 1600, {"sample_rate": 16000, "n_mels": 40, "n_fft": 512, "win_length": 480,
                              "hop_length": 160}),
    ("MelSpectrogram", 1601, {"sample_rate": 16000, "n_mels": 23, "n_fft": 256, "win_length": 201,
                              "hop_length": 77, "f_min": 60.0, "f_max": 7600.0}),
    ("MelSpectrogram", 500, {"sample_rate": 8000, "n_mels": 20, "n_fft": 201, "hop_length": 80}),
    ("MelSpectrogram", 2000, {"sample_rate": 22050, "n_mels": 64, "n_fft": 1024,
                              "hop_length": 256, "f_min": 125.0, "f_max": 7500.0}),
    ("MFCC", 1600, {"sample_rate": 16000, "n_mfcc": 13}),
    ("MFCC", 1600, {"sample_rate": 16000, "n_mfcc": 40, "n_mels": 40, "n_fft": 512,
                    "win_length": 400, "hop_length": 160, "log_mels": True}),
    ("MFCC", 1234, {"sample_rate": 16000, "n_mfcc": 10, "n_mels": 26, "n_fft": 400,
                    "hop_length": 160, "f_min": 20.0}),
)  # fmt: skip


def clips(samples: int) -> NDArray[np.int16]:
    """Noise, a loud tone with a quiet one, and silence that ends in a click: int16 [3, samples]."""
    words: NDArray[np.uint64] = np.random.PCG64(samples).random_raw(samples)
    time = np.arange(samples) / RATE
    noise = 20_000 * ((words >> np.uint64(11)).astype(np.float64) * 2.0**-53 - 0.5)
    tones = 24_000 * np.sin(2 * np.pi * 440 * time) + 30 * np.sin(2 * np.pi * 3200 * time)
    click = np.where(np.arange(samples) == samples - 20, 20_000, 0)
    return np.rint(np.stack([noise, tones, click])).clip(-32768, 32767).astype(np.int16)
