"""Faults of gradients and units: what arrives at a layer, and what it lets through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.nn import functional as F
from chainrule.train import Trainer

from .case import fault
from .made import Parts, classes, mlp, numbers, parts, pictures, sequences, train


def scaled(model: nn.Module, factor: float) -> nn.Module:
    """The same with all weight matrices multiplied."""
    with cr.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.assign_(parameter * factor)
    return model


@fault("T101")
def sigmoid_chain(folder: Path) -> Trainer:
    """Ten layers with sigmoids: the gradient shrinks to a quarter or less at each."""
    return train(mlp(10, 3, [16] * 10, nn.Sigmoid), classes())


@fault("T101")
def tanh_chain_with_small_weights(folder: Path) -> Trainer:
    """Weights too small for eight layers: signals and gradients fade."""
    model = scaled(mlp(10, 3, [24] * 8, nn.Tanh), 0.2)
    return train(model, classes(), optimizer=optim.SGD(model.parameters(), lr=0.05, momentum=0.9))


@fault("T101")
def relu_chain_with_small_weights(folder: Path) -> Trainer:
    """PyTorch's usual first weights in a chain of twelve narrow layers."""
    model = scaled(mlp(10, 3, [16] * 12), 0.5)
    return train(model, classes(1), optimizer=optim.SGD(model.parameters(), lr=0.05, momentum=0.9))


@fault("T111", "T101")
def recurrent_net_that_forgets(folder: Path) -> Trainer:
    """A simple recurrent net whose weights are too small to carry anything over 60 steps: what it
    has to know was said at the beginning."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.out = nn.RNN(2, 16, batch_first=True), nn.Linear(16, 2)

        def forward(self, x: cr.Tensor) -> cr.Tensor:
            return self.out(self.rnn(x)[0][:, -1])

    cr.manual_seed(0)
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(400, 60, 2)).astype(np.float32)
    target = (inputs[:, 0, 0] > 0).astype(np.int32)
    data = (inputs[:300], target[:300]), (inputs[300:], target[300:])
    return train(scaled(Net(), 0.5), data, epochs=8)


class LastState(nn.Module):
    """Scores from the last state of a recurrent layer."""

    def __init__(self, rnn: nn.Module) -> None:
        super().__init__()
        self.rnn, self.out = rnn, nn.Linear(16, 2)

    def forward(self, x: cr.Tensor) -> cr.Tensor:
        return self.out(self.rnn(x)[0][:, -1])


def said_at_first(length: int) -> Parts:
    """Sequences of which only the first step says what is asked for."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(400, length, 2)).astype(np.float32)
    return parts(inputs, (inputs[:, 0, 0] > 0).astype(np.int32))


@fault("T111", "T101")
def lstm_with_closed_forget_gates(folder: Path) -> Trainer:
    """Forget gates that start nearly shut: an LSTM that keeps nothing for fifty steps."""
    cr.manual_seed(0)
    model = LastState(nn.LSTM(2, 16, batch_first=True))
    with cr.no_grad():
        model.rnn.bias_ih_l0[16:32] = -3.0
    return train(model, said_at_first(50), epochs=8)


@fault("T111", "T101")
def gru_over_two_hundred_steps(folder: Path) -> Trainer:
    """A GRU as it comes, asked for what was said two hundred steps ago."""
    cr.manual_seed(0)
    return train(LastState(nn.GRU(2, 16, batch_first=True)), said_at_first(200), epochs=5)


@fault("T112", "T102", "T202", "T106")
def recurrent_net_with_large_weights(folder: Path) -> Trainer:
    """A recurrent net that adds and never squashes: its weights stretch the state at each step."""
    cr.manual_seed(1)
    model = LastState(nn.RNN(2, 16, batch_first=True, nonlinearity="relu"))
    with cr.no_grad():
        weights = np.abs(np.random.default_rng(0).normal(size=(16, 16))) * 0.12
        model.rnn.weight_hh_l0.assign_(cr.tensor(weights.astype(np.float32)))
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    return train(model, sequences(length=40), optimizer=optimizer)


@fault("T102", "T104")
def oversized_first_weights(folder: Path) -> Trainer:
    """Weights thirty times too large: losses in the thousands, gradients to match."""
    return train(scaled(mlp(10, 3, [32] * 4), 8.0), classes())


@fault("T102", "T202", "T106")
def exploding_recurrent_net(folder: Path) -> Trainer:
    """Recurrent weights above 1, no saturation, 40 steps: gradients grow at each."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.RNN(2, 16, batch_first=True, nonlinearity="relu")
            self.out = nn.Linear(16, 2)

        def forward(self, x: cr.Tensor) -> cr.Tensor:
            return self.out(self.rnn(x)[0][:, -1])

    cr.manual_seed(0)
    model = Net()
    with cr.no_grad():
        model.rnn.weight_hh_l0.assign_(cr.tensor(1.4 * np.eye(16, dtype=np.float32)))
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    return train(model, sequences(length=40), optimizer=optimizer)


@fault("T102", "T202", "T106")
def deep_net_without_norm(folder: Path) -> Trainer:
    """Sixteen wide layers whose weights double every signal."""
    model = scaled(mlp(8, 1, [32] * 12), 4.0)
    return train(model, numbers(), "mse", optim.SGD(model.parameters(), lr=1e-3), epochs=4)


@fault("T103")
def dead_units_by_biases(folder: Path) -> Trainer:
    """Biases so low that most units never rise above zero."""
    model = mlp(10, 3, [64, 64])
    with cr.no_grad():
        bias = np.where(np.arange(64) % 4 > 0, -30.0, 0.0).astype(np.float32)
        model[2].bias.assign_(cr.tensor(bias))
    return train(model, classes())


@fault("T103", "T202")
def dead_units_by_a_high_rate(folder: Path) -> Trainer:
    """Adam's first steps at a rate of 1 push units below zero for good."""
    model = mlp(10, 3, [64, 64])
    return train(model, classes(), optimizer=optim.Adam(model.parameters(), lr=1.0))


@fault("T103")
def dead_channels(folder: Path) -> Trainer:
    """A convolution most of whose channels are never active."""
    cr.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 2)
    )  # fmt: skip
    with cr.no_grad():
        model[0].bias.assign_(cr.tensor(np.full(16, -20.0, np.float32)))
        model[0].bias[0] = 0.0
    return train(model, pictures(), epochs=6)


@fault("T104")
def saturated_tanh(folder: Path) -> Trainer:
    """Weights so large that tanh is flat nearly everywhere."""
    return train(scaled(mlp(10, 3, [32, 32], nn.Tanh), 25.0), classes())


@fault("T104", "T404")
def sigmoids_on_raw_inputs(folder: Path) -> Trainer:
    """Inputs in the thousands drive sigmoids flat."""
    (x, y), (xv, yv) = classes()
    return train(mlp(10, 3, [32, 32], nn.Sigmoid), ((x * 2000, y), (xv * 2000, yv)))


@fault("T105", "T110")
def all_weights_zero(folder: Path) -> Trainer:
    """With all weights zero, no hidden layer ever gets a gradient."""
    return train(scaled(mlp(10, 3), 0.0), classes())


@fault("T110")
def equal_units(folder: Path) -> Trainer:
    """All weights of a layer the same number: units stay copies of each other."""
    model = mlp(10, 3, [32, 32], nn.Tanh)
    with cr.no_grad():
        for parameter in model.parameters():
            parameter.assign_(parameter * 0.0 + 0.05)
    return train(model, classes())


@fault("T105")
def frozen_layer(folder: Path) -> Trainer:
    """requires_grad of the first layers is off, and they hold first weights still."""
    model = mlp(10, 3, [4, 32, 32])
    for layer in (model[0], model[2]):
        layer.requires_grad_(False)
    return train(model, classes())


@fault("T105")
def cut_off_by_detach(folder: Path) -> Trainer:
    """detach() in forward: nothing before it learns."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(10, 32), nn.Linear(32, 32)
            self.last = nn.Linear(32, 3)

        def forward(self, x: cr.Tensor) -> cr.Tensor:
            h = F.relu(self.second(F.relu(self.first(x)))).detach()
            return self.last(h)

    cr.manual_seed(0)
    return train(Net(), classes())


@fault("T105")
def layer_that_is_never_called(folder: Path) -> Trainer:
    """A layer is made, and forgotten in forward."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.forgotten = nn.Linear(10, 32), nn.Linear(32, 32)
            self.last = nn.Linear(32, 3)

        def forward(self, x: cr.Tensor) -> cr.Tensor:
            return self.last(F.relu(self.first(x)))

    cr.manual_seed(0)
    return train(Net(), classes())


@fault("T105")
def layer_left_out_of_the_optimizer(folder: Path) -> Trainer:
    """The optimizer was given the last layer alone."""
    model = mlp(10, 3, [8, 8, 8])
    return train(model, classes(), optimizer=optim.Adam(model[6].parameters(), lr=3e-3))


@fault("T106")
def logarithm_of_zero(folder: Path) -> Trainer:
    """A loss of one's own takes the logarithm of probabilities that become 0."""

    def loss(outputs: cr.Tensor, target: cr.Tensor) -> cr.Tensor:
        probabilities = (outputs * 40).softmax(-1)
        return -(F.one_hot(target, 3) * probabilities.log()).sum(-1).mean()

    return train(mlp(10, 3), classes(), loss, epochs=30)


@fault("T106")
def division_by_zero(folder: Path) -> Trainer:
    """Inputs divided by a deviation that is zero for some rows."""

    class Standard(nn.Module):
        def forward(self, x: cr.Tensor) -> cr.Tensor:
            return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)

    (x, y), held = classes()
    x = x.copy()
    x[50] = 1.0
    return train(mlp(10, 3, first=[Standard()]), ((x, y), held))


@fault("T106")
def overflowing_exponential(folder: Path) -> Trainer:
    """exp of outputs as a rate, with large targets: it overflows."""

    def loss(outputs: cr.Tensor, target: cr.Tensor) -> cr.Tensor:
        return (outputs.exp() - target * outputs).mean()

    (x, y), (xv, yv) = numbers()
    model = mlp(8, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    return train(model, ((x, np.exp(3 * y)), (xv, np.exp(3 * yv))), loss, optimizer)


@fault("T107")
def clipped_in_every_step(folder: Path) -> Trainer:
    """A bound of a thousandth on the norm of the gradient: every step is clipped."""
    model = mlp(10, 3)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    return train(model, classes(), optimizer=optimizer, clip={"global_norm": 1e-3})


@fault("T107")
def clipped_by_value(folder: Path) -> Trainer:
    """Every element of the gradient bounded to a millionth."""
    model = mlp(8, 1)
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    return train(model, numbers(), "mse", optimizer, clip={"value": 1e-6})


@fault("T108", "T302")
def no_activations(folder: Path) -> Trainer:
    """Four linear layers in a row are one linear layer."""
    return train(mlp(10, 3, [32, 32, 32], nn.Identity), classes(2))


@fault("T108", "T302")
def convolutions_without_activations(folder: Path) -> Trainer:
    """Convolution after convolution with nothing in between."""
    cr.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(512, 2)
    )  # fmt: skip
    return train(model, pictures(), epochs=6)


@fault("T109")
def softmax_twice(folder: Path) -> Trainer:
    """A softmax at the end, and cross-entropy, which takes another."""
    model = nn.Sequential(*mlp(10, 3), nn.Softmax(-1))
    return train(model, classes())


@fault("T109")
def sigmoid_twice(folder: Path) -> Trainer:
    """A sigmoid at the end, and a loss that takes another."""
    (x, y), (xv, yv) = classes(count=2)
    model = nn.Sequential(*mlp(10, 1), nn.Sigmoid())
    data = (x, y[:, None].astype(np.float32)), (xv, yv[:, None].astype(np.float32))
    return train(model, data, "bce_with_logits")


@fault("T109")
def relu_on_the_scores(folder: Path) -> Trainer:
    """A ReLU after the last layer: no score can be negative."""
    model = nn.Sequential(*mlp(10, 3), nn.ReLU())
    return train(model, classes())


@fault("T109", "T302")
def tanh_on_a_wide_target(folder: Path) -> Trainer:
    """A tanh at the end, for numbers from -30 to 30."""
    (x, y), (xv, yv) = numbers()
    model: Any = nn.Sequential(*mlp(8, 1), nn.Tanh())
    return train(model, ((x, 10 * y), (xv, 10 * yv)), "mse")


@fault("T109", "T302")
def relu_on_numbers_below_zero(folder: Path) -> Trainer:
    """A ReLU at the end, for a target half of which is negative."""
    model = nn.Sequential(*mlp(8, 1), nn.ReLU())
    return train(model, numbers(), "mse")
