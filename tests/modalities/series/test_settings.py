"""The settings of a run on series, and the page that describes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chainrule.errors import ConfigError
from chainrule.modalities.describing import section_schema
from chainrule.modalities.series import NETWORKS, SeriesSettings
from chainrule.modalities.tables import Settings
from chainrule.runs.settings.describing import markdown
from chainrule.runs.settings.sources import from_overrides, gather

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def settings_of(*overrides: str) -> SeriesSettings:
    return gather([from_overrides(overrides, "words")], SeriesSettings).settings


def test_every_setting_is_described() -> None:
    for path, text in SeriesSettings.descriptions().items():
        assert text, path
    page = PAGE.read_text(encoding="utf-8")
    shown = re.search(
        r"<!-- settings of series -->\n(.*)<!-- end of settings of series -->", page, re.DOTALL
    )
    assert shown
    tables = markdown(SeriesSettings, Settings)
    assert shown[1] == tables, "run: python -m chainrule.modalities.describing series"


def test_they_are_read_back() -> None:
    settings = settings_of("data.horizon=6", 'data.group=["a","b"]', "model=tcn", "train.loss=mse")
    assert SeriesSettings.read(settings.to_document()) == settings
    assert settings.model.settings["kernel"] == 3
    assert section_schema("model", "series")["anyOf"][0]["enum"] == list(NETWORKS)


@pytest.mark.parametrize(
    ("override", "help"),
    [
        ("model.width=0", "from 1"),
        ("model.dropout=1.0", "from 0 to 0.95"),
        ("data.horizon=0", "expected"),
        ("data.quantiles=[0.5,1.5]", "expected"),
        ("train.regularization.mixup=0.5", "set it to 0"),
        ("train.label_smoothing=0.1", "set it to 0"),
        ("data.transform=sqrt", "expected"),
    ],
)
def test_settings_out_of_bounds(override: str, help: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_of("model=nhits", override)
    assert help in caught.value.help
