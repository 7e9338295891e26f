"""Gradients of whole models against central differences, right ones and wrong ones."""

from __future__ import annotations

import numpy as np

from chainrule import nn, optim
from chainrule.frontend import Tensor, manual_seed, no_grad
from chainrule.frontend.operations.creation import zeros
from chainrule.train import Trainer
from chainrule.train.diagnosis.gradcheck import compare_gradients
from chainrule.train.diagnosis.gradient import gradients
from train.problems_small import blob_trainer, blobs, line, linear_trainer
from train.resumable import digest


def test_a_right_gradient_agrees_and_nothing_is_changed() -> None:
    trainer = blob_trainer(penalty=lambda ps: 0.01 * sum((p * p).sum() for p in ps))
    before = digest(trainer)
    found = compare_gradients(trainer, blobs())
    assert [d.name for d in found] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    for d in found:
        assert d.agrees
        assert abs(d.backpropagated - d.measured) <= 1e-7 * abs(d.measured)
    assert digest(trainer) == before


def test_it_is_the_gradient_of_the_compiled_step() -> None:
    trainer, (x, y) = blob_trainer(), blobs(16)
    exact = {d.name: d.gradient for d in compare_gradients(trainer, (x, y))}
    names = {id(p): name for name, p in trainer.model.named_parameters()}
    for p, gradient in gradients(trainer, (x, y)).items():
        np.testing.assert_allclose(gradient, exact[names[id(p)]], rtol=1e-4, atol=1e-7)


def test_least_squares_by_hand() -> None:
    """L = mean((x w + b - y)^2), dL/dw = 2 mean((x w + b - y) x), dL/db = 2 mean(x w + b - y)."""
    trainer, (x, y) = linear_trainer(), line(16)
    weight, bias = (np.asarray(p.numpy(), np.float64) for p in trainer.model.parameters())
    x, y = x.astype(np.float32).astype(float), y.astype(np.float32).astype(float)
    error = x @ weight[0] + bias - y
    found = {d.name: d.gradient for d in compare_gradients(trainer, (x, y))}
    np.testing.assert_allclose(found["weight"][0], 2 * (error[:, None] * x).mean(0), rtol=1e-12)
    np.testing.assert_allclose(found["bias"], [2 * error.mean()], rtol=1e-12)


def test_a_wrong_gradient_is_named() -> None:
    class HalfCut(nn.Module):
        """Its value depends on the weight twice, its gradient knows of one of them."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(2, 8), nn.Linear(8, 1)

        def forward(self, x: Tensor) -> Tensor:
            wrong = (x @ self.first.weight.detach().T).tanh()
            result: Tensor = self.second(self.first(x).tanh() + wrong)
            return result

    manual_seed(0)
    model = HalfCut()
    trainer = Trainer(model, "mse", optim.SGD(model.parameters(), lr=0.1))
    found = compare_gradients(trainer, line())
    assert [d.name for d in found if not d.agrees] == ["first.weight"]


def test_kinks_do_not_matter() -> None:
    """Thousands of ReLUs: some are crossed by the longest step."""
    manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 2000), nn.ReLU(), nn.Linear(2000, 1))
    trainer = Trainer(model, "l1", optim.SGD(model.parameters(), lr=0.1))
    assert all(d.agrees for seed in range(4) for d in compare_gradients(trainer, line(), 64, seed))


def test_a_point_on_a_kink_is_no_wrong_gradient() -> None:
    """Every unit of the first layer is at 0, where the differences of ReLU see half of a slope."""
    manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))
    with no_grad():
        for parameter in model[0].parameters():
            parameter.assign_(zeros(*parameter.shape))
    optimizer = optim.SGD(model.parameters(), 0.1)
    trainer = Trainer(model, "cross_entropy", optimizer)
    before = digest(trainer)
    found = compare_gradients(trainer, blobs())
    assert all(d.agrees for d in found)
    assert not found[0].gradient.any()  # as it is at this point
    assert digest(trainer) == before


class Spare(nn.Module):
    """A layer whose output nobody reads beside one whose output is the model's."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.spare = nn.Linear(2, 3), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        self.spare(x)
        outputs: Tensor = self.used(x)
        return outputs


def test_a_parameter_that_the_loss_does_not_reach_has_a_gradient_of_zero() -> None:
    model = Spare()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    trainer = Trainer(model, loss=nn.CrossEntropyLoss(), optimizer=optimizer)
    found = {d.name: d for d in compare_gradients(trainer, blobs())}
    assert found["spare.weight"].agrees
    assert found["spare.weight"].backpropagated == found["spare.weight"].measured == 0.0
