"""Programs for several parts of a batch: each part has the bits it has alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.frontend import manual_seed
from chainrule.train import Trainer
from chainrule.train.parted import PartedStepper


@pytest.mark.parametrize("weights", [None, np.linspace(0.5, 2.0, 24)], ids=["", "weighed"])
def test_all_parts_at_once_have_the_bits_of_one_after_the_other(
    weights: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole batches in one program, subtrees of parts, and single parts."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal((24, 2, 6, 6)).astype(np.float32)
    data = (images, rng.integers(0, 3, 24), *([] if weights is None else [weights]))

    class Everything(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.pool = nn.Conv2d(2, 4, 3, padding=1), nn.MaxPool2d(3, 1, 1)
            self.conv, self.norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
            self.body = nn.TransformerEncoderLayer(36, 2, 8, dropout=0.2, batch_first=True)
            self.out = nn.Linear(36, 3)

        def forward(self, x: Any) -> Any:
            x = self.conv(self.pool(nn.functional.relu(self.first(x))))
            return self.out(self.body(self.norm(x).flatten(2)).mean(1))

    def trained(**replaced: Any) -> list[Any]:
        manual_seed(0)
        model = Everything()
        trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters()), parts=4)
        for name, method in replaced.items():
            monkeypatch.setattr(PartedStepper, name, method)
        trainer.fit(data, epochs=2, batch_size=24, verbose=False)
        return [*map(np.asarray, model.state_dict().values()), *trainer.history["loss"]]

    whole = trained()
    subtrees = trained(_in_one=lambda *_: False)
    single = trained(_units=lambda self, source, division, a, b: [(i, 1) for i in range(a, b)])
    for one, other, last in zip(whole, subtrees, single, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, last)
