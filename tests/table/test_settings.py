"""Settings: every value survives run.toml, and every mistake is named with its place."""

from __future__ import annotations

import pytest

from chainrule.errors import ConfigError
from chainrule.table.settings import DataSettings, ModelSettings, Settings, TrainSettings

FULL = Settings(
    name="heart",
    seed=7,
    data=DataSettings(
        "heart.csv",
        "disease",
        query="SELECT * FROM data",
        task="binary",
        columns={"sex": "category", "id": "ignored"},
        missing={"chol": (0, -1.5, "?")},
        split=(0.6, 0.2, 0.2),
    ),
    model=ModelSettings((64, 32), 0.25),
    train=TrainSettings(200, 32, 1e-3, 0.1, 15, 2.5, loss="bce_with_logits"),
)


def test_run_toml_holds_everything() -> None:
    assert Settings.from_toml(FULL.to_toml()) == FULL


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dropout = 0.25", "droput = 0.25", "did you mean `model.dropout`"),
        ("dropout = 0.25", "", "`model.dropout` is missing"),
        ("dropout = 0.25", 'dropout = "much"', "`model.dropout` is 'much'"),
        ("dropout = 0.25", "dropout = 1.5", "a number from 0 to 0.95"),
        ("epochs = 200", "epochs = 2.5", "`train.epochs` is 2.5"),
        ("epochs = 200", "epochs = true", "`train.epochs` is True"),
        ("lr = 0.001", "lr = nan", "lr is nan"),
        ("layers = [64, 32]", "layers = [64, 0]", "widths from 1"),
        ("split = [0.6, 0.2, 0.2]", "split = [0.6, 0.2, 0.3]", "together they are 1"),
        ('task = "binary"', 'task = "binay"', "did you mean 'binary'"),
        ('sex = "category"', 'sex = "categry"', "did you mean 'category'"),
        ("version = 1", "version = 2", "version 2"),
        ("seed = 7", "seed = -7", "seed is -7"),
        ("seed = 7", "seed = 7\nextra = 1", "unknown key `extra`"),
        ("[model]", "[model", "not TOML"),
    ],
)
def test_mistakes_are_named(old: str, new: str, message: str) -> None:
    text = FULL.to_toml()
    assert old in text
    with pytest.raises(ConfigError) as caught:
        Settings.from_toml(text.replace(old, new))
    assert message in str(caught.value)
