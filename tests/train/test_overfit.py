"""One batch can be learned by heart, or there is a defect."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.errors import ConfigError
from chainrule.frontend import Tensor, manual_seed
from chainrule.train import Trainer
from train.problems_small import blob_trainer, blobs
from train.resumable import digest


def test_a_sound_network_learns_a_batch_by_heart_and_forgets_it() -> None:
    trainer = blob_trainer()
    before = digest(trainer)
    x = blobs()[0]
    labels = np.random.default_rng(0).permutation(blobs()[1])  # nothing to learn but the rows
    found = trainer.overfit_batch((x, labels), steps=1000, batch_size=8)
    assert found.passed
    assert found.after <= 0.1 * found.before
    assert len(found.losses) == 1000
    assert "8 rows" in found.reason
    assert digest(trainer) == before


def test_a_network_whose_gradient_is_cut_does_not() -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.bias = nn.Linear(2, 3), nn.Linear(1, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x).detach() + self.bias(x[:, :1] * 0.0)

    manual_seed(0)
    model = Cut()
    trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters(), lr=0.05))
    found = trainer.overfit_batch(blobs(), steps=100)
    assert not found.passed
    assert "something is wrong" in found.reason


def test_batches_that_are_none() -> None:
    with pytest.raises(ConfigError, match="0 steps"):
        blob_trainer().overfit_batch(blobs(), steps=0)
    for wrong in ({"steps": "x"}, {"batch_size": None}, {"steps": 2.5}):
        with pytest.raises(ConfigError, match="both must be whole numbers"):
            blob_trainer().overfit_batch(blobs(), **wrong)  # type: ignore[arg-type]
