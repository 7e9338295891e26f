"""The settings of a run on sound: documented, checked, and read as they are written."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ConfigError
from chainrule.modalities.audio.kind import AUDIO
from chainrule.modalities.audio.network import NETWORKS, build
from chainrule.modalities.audio.prepare import AudioPreprocessor
from chainrule.modalities.audio.settings import AudioSettings, AudioTrainSettings, FeatureSettings
from chainrule.modalities.tables.settings import Settings
from chainrule.runs.settings.describing import markdown
from chainrule.runs.settings.sources import from_overrides, from_text, gather

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def settings(*words: str) -> AudioSettings:
    return gather([from_overrides(words, "words")], AudioSettings).settings


def test_every_setting_is_described() -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown = re.search(
        r"<!-- settings of audio -->\n(.*)<!-- end of settings of audio -->", page, re.DOTALL
    )
    assert shown
    tables = markdown(AudioSettings, Settings)
    assert shown[1] == tables, "run: python -m chainrule.modalities.describing audio"


def test_settings_come_back_from_their_text() -> None:
    changed = settings("features.hop=10", "model.name=bc-resnet", "data.speaker=(.)_")
    assert gather([from_text(changed.to_toml(), "run.toml")], AudioSettings).settings == changed


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("features.coefficients=41", "`features.coefficients` is 41, but there are 40 bands"),
        ("model.dropout=1", "`model.dropout` is 1.0"),
        ("model.name=transformer", "there is no network 'transformer'"),
        ("train.loss=mse", "`train.loss` is 'mse'"),
        ("train.regularization.mixup=0.2", "does not apply to recordings"),
        ("data.length=0", "`data.length` is 0"),
        ("augment.speed=2", "`augment.speed` is 2"),
    ],
)
def test_settings_that_mean_nothing_are_refused(word: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        settings(word)


def test_bands_must_exist_at_the_rate() -> None:
    with pytest.raises(ConfigError, match="bands from 20 to 9000 Hz"):
        FeatureSettings(highest=9000.0).build(16_000, 10)
    features = FeatureSettings(coefficients=13).build(8000, 20)
    assert features.bands == 13


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_takes_clips(name: str) -> None:
    small = {"width": 0.5 if name == "bc-resnet" else 8, "hidden": 8, "depth": 1}
    given = {key: value for key, value in small.items() if key in NETWORKS[name].settings}
    resolved = settings(f"model.name={name}", *(f"model.{k}={v}" for k, v in given.items()))
    bands = (0.0,) * 40, (1.0,) * 40
    preprocessor = AudioPreprocessor(8000, 1000, ("no", "yes", "perhaps"), *bands)
    network = AUDIO.build(preprocessor, resolved)
    clips = np.random.default_rng(0).integers(-9999, 9999, (2, 1000)).astype(np.int16)
    logits = network(cr.tensor(clips))
    assert logits.shape == (2, 3)
    logits.sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_bands_must_suit_the_network() -> None:
    with pytest.raises(ConfigError, match="bc-resnet takes a multiple of 40 bands"):
        build("bc-resnet", {"width": 1.0}, 3, 64)


def test_auto_is_resolved_for_every_network() -> None:
    for name, network in NETWORKS.items():
        resolved = settings(f"model.name={name}").resolved(500, 16_000, 12_345)
        assert resolved.undecided() == ()
        assert resolved.features.hop == network.hop
        assert resolved.data.length == 0.78
    size = AudioTrainSettings().usual_batch_size
    assert [size(rows) for rows in (9, 1001, 4001, 10**6)] == [16, 32, 64, 64]
