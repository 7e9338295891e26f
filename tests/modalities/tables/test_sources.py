"""Who wins: defaults, file, environment, Python or command line; and where each value is from."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainrule.errors import ConfigError
from chainrule.modalities.tables import TABLES
from chainrule.modalities.tables.settings import Settings
from chainrule.runs.settings.arguments import from_arguments
from chainrule.runs.settings.sources import (
    from_environment,
    from_file,
    from_overrides,
    from_text,
    gather,
)

FILE = '[train]\nlr = 0.1\nepochs = 7\n[train.optimizer]\nname = "adam"\nbetas = [0.5, 0.6]\n'


def test_later_sources_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_SETTINGS", "train.epochs=8 'data.query=SELECT 1' seed=3")
    found = gather(
        [
            from_text(FILE, "run.toml"),
            from_environment(),
            from_arguments({"seed": 4}, TABLES.arguments, {"seed": "--seed"}),
            from_overrides(["model.layers=[8, 8]", "data.columns.zip=category"], "command line"),
        ],
        Settings,
    )
    settings = found.settings
    assert (settings.train.lr, settings.train.epochs, settings.seed) == (0.1, 8, 4)
    assert settings.data.query == "SELECT 1"
    assert settings.model.layers == (8, 8)
    assert settings.data.columns == {"zip": "category"}
    origins = {".".join(key): place for key, place in found.origins.items()}
    assert origins["train.lr"] == "run.toml:2"
    assert origins["train.epochs"] == "environment variable CHAINRULE_SETTINGS"
    assert origins["seed"] == "--seed"
    assert origins["data.columns.zip"] == "command line"
    assert "train.accumulate" not in origins


def test_another_optimizer_drops_the_settings_of_the_one_before() -> None:
    found = gather(
        [from_text(FILE, "run.toml"), from_overrides(["train.optimizer=sgd"], "")], Settings
    )
    assert found.settings.train.optimizer.name == "sgd"
    same = gather(
        [from_text(FILE, "run.toml"), from_overrides(["train.optimizer=adam"], "")], Settings
    )
    assert same.settings.train.optimizer.settings["betas"] == (0.5, 0.6)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("train.lerning_rate=1", "unknown key `train.lerning_rate`"),
        ("train.lr=fast", "`train.lr` is 'fast'"),
        ("train.lr", "not KEY=VALUE"),
        ("=1", "not KEY=VALUE"),
        ("a b=1", "not the name of a setting"),
        ("train=1", "`train` is not a table"),
        ("train.lr.x=1", "`train.lr`"),
    ],
)
def test_words_that_are_wrong(word: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        gather([from_overrides([word], "command line")], Settings)
    assert message in str(caught.value)
    assert caught.value.where == "command line"


def test_the_path_of_the_data_counts_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n")
    (tmp_path / "run.toml").write_text('[data]\npath = "a.csv"\n')
    source = from_file(tmp_path / "run.toml")
    assert source.values["data", "path"] == str(tmp_path / "a.csv")
    (tmp_path / "run.toml").write_text('[data]\npath = "heart"\n')
    assert from_file(tmp_path / "run.toml").values["data", "path"] == "heart"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="chainrule init"):
        from_file(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        from_file(tmp_path / "bad.toml")
