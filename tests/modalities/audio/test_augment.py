"""Changes of sound inside the step: each does what it says, to 16-bit samples."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ConfigError, DTypeError, ShapeError
from chainrule.frontend import manual_seed
from chainrule.modalities.audio.augment import Augment

COUNT, SAMPLES = 64, 400
TIME = np.arange(SAMPLES)
CLIPS = np.tile(np.rint(8000 * np.sin(TIME * 0.2)), (COUNT, 1)).astype(np.int16)
TARGET = (np.arange(COUNT) % 3).astype(np.int32)


def changed(x: Any = CLIPS, **settings: Any) -> np.ndarray:
    augment = Augment(**settings)
    manual_seed(0)
    y, target = cr.compile(lambda x, t: augment(x, t))(x, TARGET)
    assert y.numpy().dtype == np.int16
    if not augment.label_smoothing:
        np.testing.assert_array_equal(target.numpy(), TARGET)
    return y.numpy()


def test_nothing_is_nothing() -> None:
    np.testing.assert_array_equal(changed(), CLIPS)


def test_shifts_are_whole_and_bring_in_zeros() -> None:
    y = changed(shift=5)
    padded = np.pad(CLIPS[0], 5)
    moves = {s: padded[5 + s : 5 + s + SAMPLES] for s in range(-5, 6)}
    own = [next(s for s, m in moves.items() if (row == m).all()) for row in y]
    assert set(own) >= {-4, 0, 4}
    assert max(map(abs, own)) <= 5


def test_speed_changes_the_pitch_around_the_middle() -> None:
    y = changed(speed=0.1)
    # Crossings of zero tell the frequency: 0.2 rad a sample are 25.5 of them in 400.
    crossings = (np.diff(np.sign(y[:, 20:-20].astype(int)), axis=1) != 0).sum(axis=1)
    assert 20 <= crossings.min() < 22
    assert 24 < crossings.max() <= 26
    ramp = np.tile((TIME * 20 - 3990).astype(np.int16), (COUNT, 1))
    stretched = changed(ramp, speed=0.1)[:, 50:-50].astype(float)
    slopes = np.diff(stretched, axis=1).mean(axis=1)
    assert (abs(slopes / 20 - 1) < 0.1 + 1e-3).all()
    np.testing.assert_allclose(stretched.mean(axis=1), 0, atol=1)


def test_gain_is_in_decibels_and_clips_at_full_scale() -> None:
    y = changed(gain=6.0)
    ratio = y.astype(float).std(axis=1) / CLIPS[0].std()
    assert 10 ** (-6 / 20) <= ratio.min() < 0.6
    assert 1.8 < ratio.max() <= 10 ** (6 / 20) + 1e-3
    loud = changed(np.full((COUNT, SAMPLES), -32768, np.int16), gain=20.0)
    assert loud.min() == -32768
    assert loud.max() < -3000


def test_noise_is_relative_to_the_sound() -> None:
    y = changed(noise=0.5)
    level = (y.astype(float) - CLIPS).std(axis=1) / np.sqrt((CLIPS[0].astype(float) ** 2).mean())
    assert level.min() < 0.1
    assert 0.4 < level.max() <= 0.51
    assert not changed(np.zeros_like(CLIPS), noise=0.5).any()


def test_all_at_once_are_the_same_bits_whatever_runs_them() -> None:
    how = {"shift": 20, "speed": 0.1, "gain": 6.0, "noise": 0.1}
    y = changed(**how)
    manual_seed(0)
    np.testing.assert_allclose(Augment(**how)(cr.tensor(CLIPS), cr.tensor(TARGET))[0].numpy(), y,
                               atol=1)  # fmt: skip
    np.testing.assert_array_equal(changed(**how), y)


def test_targets_are_smoothed() -> None:
    augment = Augment(label_smoothing=0.3, classes=3)
    _, target = augment(cr.tensor(CLIPS), cr.tensor(TARGET))
    np.testing.assert_allclose(target.numpy()[0], [0.8, 0.1, 0.1], atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"speed": 0.6}, "speed is 0.6"),
        ({"gain": -1}, "gain is -1"),
        ({"label_smoothing": 0.1}, "number of classes, which is 0"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        Augment(**settings)


def test_what_is_no_batch_of_clips() -> None:
    augment = Augment(gain=1.0)
    with pytest.raises(ShapeError, match=r"\(400,\)"):
        augment(cr.tensor(CLIPS[0]), cr.tensor(TARGET))
    with pytest.raises(DTypeError, match="give 16-bit samples"):
        augment(cr.tensor(CLIPS.astype(np.float32)), cr.tensor(TARGET))
