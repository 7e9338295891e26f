"""Ensembles as one module: each member is what it would be alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import ConfigError, ShapeError
from chainrule.nn.members import Outputs
from chainrule.train.criterion import Criterion
from interpreting import interpreting

RNG = np.random.default_rng(0)
MEMBERS, ROWS, FEATURES, OUTPUTS = 3, 7, 5, 4


def numbers(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(ROWS, FEATURES), (MEMBERS, ROWS, FEATURES)])
def test_linear_is_each_layer(shape: tuple[int, ...], bias: bool) -> None:
    alone = [nn.Linear(FEATURES, OUTPUTS, bias) for _ in range(MEMBERS)]
    together, x = nn.MemberLinear(alone), numbers(*shape)
    own = x if len(shape) == 3 else [x] * MEMBERS
    expected = [layer(part).numpy() for layer, part in zip(alone, own, strict=True)]
    np.testing.assert_allclose(together(x).numpy(), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(cr.compile(together)(x).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_drawn_members_have_first_weights_of_their_own() -> None:
    cr.manual_seed(4)
    drawn = nn.MemberLinear.drawn(MEMBERS, FEATURES, OUTPUTS)
    cr.manual_seed(4)
    alone = nn.MemberLinear([nn.Linear(FEATURES, OUTPUTS) for _ in range(MEMBERS)])
    np.testing.assert_array_equal(drawn.weight.numpy(), alone.weight.numpy())
    assert len(np.unique(drawn.weight.numpy())) == drawn.weight.numpy().size


def test_members_of_several_sizes_are_refused() -> None:
    with pytest.raises(ConfigError, match="one Linear for each member"):
        nn.MemberLinear([nn.Linear(FEATURES, OUTPUTS), nn.Linear(FEATURES, OUTPUTS + 1)])
    with pytest.raises(ConfigError, match="one Linear for each member"):
        nn.MemberLinear([nn.Linear(FEATURES, OUTPUTS), nn.Linear(FEATURES, OUTPUTS, bias=False)])


@pytest.mark.parametrize(
    "shape", [(ROWS, FEATURES + 1), (MEMBERS + 1, ROWS, FEATURES), (FEATURES,)]
)
def test_inputs_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="does not match 3 members"):
        nn.MemberLinear.drawn(MEMBERS, FEATURES, OUTPUTS)(numbers(*shape))


def test_embedding_looks_up_each_table() -> None:
    layer = nn.MemberEmbedding(MEMBERS, 6, 2)
    codes = np.array([5, 0, 3, 3], np.int32)
    expected = layer.weight.numpy()[codes].transpose(1, 0, 2)
    np.testing.assert_array_equal(layer(codes).numpy(), expected)


def test_norms_are_each_members_own() -> None:
    x = numbers(MEMBERS, ROWS, FEATURES) * np.array([1, 10, 100], np.float32)[:, None, None]
    batch = nn.MemberBatchNorm(MEMBERS, FEATURES)(x).numpy()
    alone = [nn.BatchNorm1d(FEATURES)(part).numpy() for part in x]
    np.testing.assert_allclose(batch, alone, rtol=1e-4, atol=1e-5)
    layer = nn.MemberLayerNorm(MEMBERS, FEATURES)
    weight, bias = numbers(MEMBERS, 1, FEATURES), numbers(MEMBERS, 1, FEATURES)
    layer.load_state_dict({"weight": weight, "bias": bias})
    spread = np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    expected = (x - x.mean(-1, keepdims=True)) / spread * weight + bias
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-4, atol=1e-5)


def softmax(z: Any) -> Any:
    raised = np.exp(z - z.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def sigmoid(z: Any) -> Any:
    return np.exp(-np.logaddexp(0, -z))


@pytest.mark.parametrize("kind", ["softmax", "sigmoid", "identity"])
@pytest.mark.parametrize("scale", [1.0, 80.0])
def test_averages_are_of_probabilities_or_numbers(kind: Outputs, scale: float) -> None:
    z = numbers(MEMBERS, ROWS, OUTPUTS) * np.float32(scale)
    mean = nn.average_members(cr.tensor(z), kind).numpy().astype(np.float64)
    assert np.isfinite(mean).all()
    exact = z.astype(np.float64)
    way = {"softmax": softmax, "sigmoid": sigmoid, "identity": lambda v: v}[kind]
    np.testing.assert_allclose(way(mean), way(exact).mean(0), rtol=1e-4, atol=1e-6)


def test_loss_has_the_mean_value_and_the_gradient_of_the_sum() -> None:
    outputs, target = (
        numbers(MEMBERS, ROWS, OUTPUTS),
        RNG.integers(0, OUTPUTS, ROWS).astype(np.int32),
    )
    together = cr.tensor(outputs, requires_grad=True)
    loss = nn.EnsembleLoss(nn.CrossEntropyLoss())(together, target)
    loss.backward()
    values = []
    for k in range(MEMBERS):
        own = cr.tensor(outputs[k], requires_grad=True)
        alone = nn.CrossEntropyLoss()(own, cr.tensor(target))
        alone.backward()
        assert own.grad is not None
        assert together.grad is not None
        np.testing.assert_allclose(together.grad.numpy()[k], own.grad.numpy(), rtol=1e-5, atol=1e-8)
        values.append(alone.item())
    assert loss.item() == pytest.approx(np.mean(values), rel=1e-6)
    whole = nn.EnsembleLoss(nn.CrossEntropyLoss())(cr.tensor(outputs[0]), target)
    assert whole.item() == values[0]


def test_criterion_sees_the_loss_of_the_members() -> None:
    criterion = Criterion.of(nn.EnsembleLoss(nn.BCEWithLogitsLoss()))
    assert (criterion.targets, criterion.link) == ("like_outputs", "sigmoid")


class Ensemble(nn.Module):
    """Two layers of each member, averaged in evaluation."""

    def __init__(self, alone: list[list[nn.Linear]]) -> None:
        super().__init__()
        self.first, self.last = (
            nn.MemberLinear(list(layers)) for layers in zip(*alone, strict=True)
        )

    def forward(self, x: Any) -> Any:
        y = self.last(cr.tanh(self.first(x)))
        return y if self.training else nn.average_members(y, "softmax")


def test_members_learn_what_they_would_alone() -> None:
    """The same weights after training, for an optimizer whose steps follow the gradient's size."""
    alone = [[nn.Linear(FEATURES, OUTPUTS), nn.Linear(OUTPUTS, 3)] for _ in range(MEMBERS)]
    model = Ensemble(alone)
    x, y = numbers(24, FEATURES), RNG.integers(0, 3, 24).astype(np.int32)
    with interpreting():
        loss = nn.EnsembleLoss(nn.CrossEntropyLoss())
        trainer = cr.Trainer(model, loss, optim.SGD(model.parameters(), lr=0.1))
        trainer.fit((x, y), epochs=3, batch_size=8, verbose=False)
        for k, layers in enumerate(alone):
            net = nn.Sequential(layers[0], nn.Tanh(), layers[1])
            own = cr.Trainer(net, "cross_entropy", optim.SGD(net.parameters(), lr=0.1))
            own.fit((x, y), epochs=3, batch_size=8, verbose=False)
            for layer, mine in zip((model.first, model.last), layers, strict=True):
                np.testing.assert_allclose(
                    layer.weight.numpy()[k], mine.weight.numpy().T, rtol=1e-4, atol=1e-6
                )
