"""Features of sound against torchaudio's numbers, and holes in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ConfigError, DTypeError, ShapeError
from chainrule.frontend import manual_seed
from chainrule.nn import models
from reference.problems import load
from reference.sound import CASES, clips

REFERENCE = load("sound")["cases"]


def built(name: str, settings: dict[str, Any]) -> nn.Module:
    settings = dict(settings)
    own = {key: settings.pop(key) for key in ("n_mfcc", "log_mels") if key in settings}
    mel = nn.MelSpectrogram(**settings)
    return mel if name == "MelSpectrogram" else nn.MFCC(settings["sample_rate"], mel=mel, **own)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_features_are_those_of_torchaudio(number: int) -> None:
    name, samples, settings = CASES[number]
    case = REFERENCE[number]
    assert (case["name"], case["samples"], case["settings"]) == (name, samples, settings)
    module, x = built(name, settings), clips(samples)
    native = cr.compile(lambda x: module(x))(x).numpy()
    for y in (native, module(x).numpy()):
        wanted = np.array(case["y"])
        assert y.shape == wanted.shape
        if name == "MelSpectrogram":
            # torchaudio makes its triangles in float32; and rounding is relative to the loudest
            # sound of a frame.
            loudest = wanted.max(axis=1, keepdims=True)
            assert (abs(y - wanted) <= 5e-5 * wanted + 2e-6 * loudest).all()
        else:
            np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=2e-3)


def test_samples_may_be_16_bits_or_floats_and_one_clip_or_many() -> None:
    mel, x = nn.MelSpectrogram(16000, n_mels=20), clips(1600)
    whole = mel(x).numpy()
    np.testing.assert_array_equal(mel((x / 32768).astype(np.float32)).numpy(), whole)
    np.testing.assert_allclose(mel(x[1]).numpy(), whole[1], rtol=1e-6)


def test_each_clip_is_alone() -> None:
    """The loudest sound of one clip does not change the coefficients of another."""
    mfcc, x = nn.MFCC(16000, 13), clips(1600)
    np.testing.assert_allclose(mfcc(x).numpy()[0], mfcc(x[:1]).numpy()[0], rtol=1e-5, atol=1e-4)


def test_features_let_gradients_through() -> None:
    """To the samples, as in PyTorch: adversarial sound, and learned front ends."""
    mel = nn.MelSpectrogram(16000, 64, n_mels=8)
    x = cr.tensor(np.sin(np.arange(200) * 0.3).astype(np.float32))
    cr.check_grads(lambda x: (mel(x) + 1e-2).log().sum(), (x,))


def test_what_is_computed_from_settings_is_not_saved() -> None:
    assert nn.MFCC(16000, 13).state_dict() == {}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.MelSpectrogram(16000, 400, 512), "a window of 512 samples does not fit"),
        (lambda: nn.MelSpectrogram(16000, f_min=9000.0), "bands from 9000 to 8000 Hz"),
        (lambda: nn.MelSpectrogram(8000, f_max=5000.0), "bands from 0 to 5000 Hz"),
        (lambda: nn.MelSpectrogram(0), "sample_rate is 0"),
        (lambda: nn.MelSpectrogram(16000, n_mels=0), "n_mels is 0"),
        (lambda: nn.MFCC(16000, 129), "129 coefficients of 128 bands"),
        (lambda: nn.SpecAugment(time_masks=-1), "time_masks is -1"),
        (lambda: models.BCResNet(width=0.1), "width of BCResNet is 0.1"),
    ],
)
def test_settings_that_make_nothing_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_what_is_no_sound_is_refused() -> None:
    mel = nn.MelSpectrogram()
    with pytest.raises(ShapeError, match="200 samples is too short"):
        mel(np.zeros((2, 200), np.int16))
    with pytest.raises(ShapeError, match=r"\(1, 2, 400\)"):
        mel(np.zeros((1, 2, 400), np.int16))
    with pytest.raises(DTypeError, match="sound is"):
        mel(np.zeros((2, 400), np.uint8))
    with pytest.raises(ShapeError, match="multiple of 40"):
        models.BCResNet()(np.zeros((1, 1, 30, 50), np.float32))


# ------------------------------------------------------------------------------------- holes


def test_holes_have_the_documented_sizes() -> None:
    holes = nn.SpecAugment(time_masks=1, time_width=10, band_masks=1, band_width=4)
    manual_seed(0)
    y = cr.compile(lambda x: holes(x))(np.ones((200, 20, 50), np.float32)).numpy()
    blank = y == 0
    frames, bands = blank.all(axis=1).sum(axis=1), blank.all(axis=2).sum(axis=1)
    assert set(frames) == set(range(11))
    assert set(bands) == set(range(5))
    rows = blank.all(axis=1).sum(axis=0)  # anywhere: each frame is covered in about a tenth
    assert rows.min() > 0
    assert ((y == 0) | (y == 1)).all()
    # What is covered is one stretch of frames and one of bands, and nothing else.
    cross = blank.all(axis=1)[:, None, :] | blank.all(axis=2)[:, :, None]
    np.testing.assert_array_equal(blank, cross)


def test_holes_are_for_training_alone() -> None:
    holes = nn.SpecAugment()
    x = np.ones((3, 20, 50), np.float32)
    np.testing.assert_array_equal(holes.eval()(x).numpy(), x)
    with pytest.raises(ShapeError, match=r"\(20, 50\)"):
        holes.train()(x[0])
