"""Short sounds of three shapes by several speakers, and a run that has learned them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from chainrule.modalities.audio.fit import fit_audio
from chainrule.modalities.audio.predictor import AudioPredictor

WORDS = ("down", "flat", "up")
RATE = 8000
EPOCHS = 20
#: enough for a test to see that something is learned, and no more
FAST: tuple[str, ...] = (
    "model.width=8", "model.depth=1", "model.dropout=0.0", "train.batch_size=16", "train.lr=0.02",
    "features.bands=16", "augment.shift=0.02",
)  # fmt: skip


def sound(word: str, rng: np.random.Generator) -> NDArray[np.int16]:
    """A quarter of a second of a tone that rises, falls or stays, in some noise."""
    time = np.linspace(0, 1, int(RATE * rng.uniform(0.2, 0.3)))
    slope = {"down": -0.7, "flat": 0.0, "up": 1.4}[word]
    frequency = rng.uniform(700, 1200) * (1 + slope * time)
    wave = np.sin(2 * np.pi * np.cumsum(frequency) / RATE) * rng.uniform(2000, 15_000)
    return np.rint(wave + rng.standard_normal(len(time)) * 200).astype(np.int16)


def record(folder: Path, speakers: int, each: int, seed: int) -> Path:
    """``folder/word/speaker_take.wav``."""
    rng = np.random.default_rng(seed)
    for word in WORDS:
        (folder / word).mkdir(parents=True)
        for speaker in range(speakers):
            for take in range(each):
                path = folder / word / f"s{speaker}_{take}.wav"
                soundfile.write(path, sound(word, rng), RATE)
    return folder


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty-two recordings of each shape by fourteen speakers."""
    return record(tmp_path_factory.mktemp("sounds") / "sounds", 14, 3, 0)


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight more of each."""
    return record(tmp_path_factory.mktemp("others") / "others", 8, 1, 1)


def train(source: object, runs: Path | None, **settings: Any) -> AudioPredictor:
    words = [*FAST, *settings.pop("settings", ())]
    given = {"epochs": EPOCHS, "runs_dir": runs, "verbose": False, **settings}
    return fit_audio(source, settings=words, **given)


@pytest.fixture(scope="session")
def learned(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> AudioPredictor:
    return train(sounds, tmp_path_factory.mktemp("runs"), speaker="([^/]+)_")
