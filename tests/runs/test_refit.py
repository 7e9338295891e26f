"""Training once more on all rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ConfigError

RNG = np.random.default_rng(0)
N = 80
ROWS: dict[str, Any] = {
    "x": RNG.normal(size=N).tolist(),
    "c": [f"k{i % 15}" for i in range(N)],
    "y": RNG.normal(size=N).tolist(),
}


def fit(**arguments: Any) -> Any:
    kept = {"epochs": 4, "batch_size": 64, "runs_dir": None, "verbose": False, **arguments}
    return cr.fit(ROWS, "y", **kept)


def test_the_model_is_another_one_and_the_metrics_are_not(tmp_path: Path) -> None:
    plain, again = fit(), fit(settings=["train.refit=true"], runs_dir=tmp_path)
    assert again.metrics == plain.metrics
    assert again.history.rows() == plain.history.rows()
    assert again.facts["refit"] == {"rows": N, "epochs": plain.facts["best"]["epoch"]}
    assert not np.array_equal(again.predict(ROWS), plain.predict(ROWS))
    loaded = cr.load_run(again.run)
    np.testing.assert_array_equal(loaded.predict(ROWS), again.predict(ROWS))
    assert "trained once more on all 80 rows" in (again.run / "log.txt").read_text()


def test_the_bits_are_the_same_again() -> None:
    models = [fit(settings=["train.refit=true"]) for _ in range(2)]
    np.testing.assert_array_equal(*(model.predict(ROWS) for model in models))


def test_other_kinds_refuse(tmp_path: Path) -> None:
    images = RNG.integers(0, 255, (40, 8, 8), dtype=np.uint8)
    with pytest.raises(ConfigError, match="images cannot be trained once more"):
        cr.fit(images, np.arange(40) % 2, epochs=1, settings=["train.refit=true"],
               runs_dir=tmp_path, verbose=False)  # fmt: skip
    assert not any(tmp_path.iterdir())
