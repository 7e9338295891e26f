"""Faults of the step: rates, schedules, batches, decay."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.optim.schedule import Constant, Cosine, Exponential, Warmup
from chainrule.train import Trainer

from .case import fault
from .made import classes, mlp, numbers, pictures, run_of, sequences, train


@fault("T202", "T106", "T102")
def rate_that_diverges(folder: Path) -> Trainer:
    """Gradient descent at a rate far beyond what the curvature allows."""
    model = mlp(8, 1)
    return train(model, numbers(), "mse", optim.SGD(model.parameters(), lr=2.0))


@fault("T202")
def rate_that_oscillates(folder: Path) -> Trainer:
    """The loss jumps up and down and does not settle."""
    model = mlp(10, 3)
    optimizer = optim.SGD(model.parameters(), lr=1.2, momentum=0.9)
    return train(model, classes(), optimizer=optimizer)


@fault("T202", "T103")
def adam_with_a_high_rate(folder: Path) -> Trainer:
    """Adam at 0.3, a hundred times the usual rate."""
    model = mlp(10, 3)
    return train(model, classes(1), optimizer=optim.Adam(model.parameters(), lr=0.3))


@fault("T202")
def adam_with_a_high_rate_on_numbers(folder: Path) -> Trainer:
    """Adam at 0.3 on a regression."""
    model = mlp(8, 1, activation=nn.Tanh)
    return train(model, numbers(), "mse", optim.Adam(model.parameters(), lr=0.3))


@fault("T202", "T104")
def convolutions_with_a_high_rate(folder: Path) -> Trainer:
    """A convolutional net at a rate of 1 with momentum."""
    cr.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(200, 2)
    )  # fmt: skip
    optimizer = optim.SGD(model.parameters(), lr=1.0, momentum=0.9)
    return train(model, pictures(), optimizer=optimizer, epochs=8)


@fault("T202")
def momentum_that_never_forgets(folder: Path) -> Trainer:
    """A momentum of 0.999: steps go on long after the gradient has turned."""
    model = mlp(10, 3)
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.999)
    return train(model, classes(), optimizer=optimizer)


@fault("T202", "T102", "T106")
def recurrent_net_with_a_high_rate(folder: Path) -> Trainer:
    """An LSTM with gradient descent at a rate of 20."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.out = nn.LSTM(2, 16, batch_first=True), nn.Linear(16, 2)

        def forward(self, x: cr.Tensor) -> cr.Tensor:
            return self.out(self.rnn(x)[0][:, -1])

    cr.manual_seed(0)
    model = Net()
    optimizer = optim.SGD(model.parameters(), lr=20.0)
    return train(model, sequences(), optimizer=optimizer, epochs=8)


@fault("T201")
def rate_that_is_too_low(folder: Path) -> Trainer:
    """Gradient descent at a ten-thousandth."""
    model = mlp(10, 3)
    return train(model, classes(), optimizer=optim.SGD(model.parameters(), lr=1e-4))


@fault("T201")
def adam_with_a_low_rate(folder: Path) -> Trainer:
    """Adam at a millionth."""
    model = mlp(10, 3)
    return train(model, classes(), optimizer=optim.Adam(model.parameters(), lr=1e-6))


@fault("T201")
def low_rate_on_numbers(folder: Path) -> Trainer:
    """A regression that creeps."""
    model = mlp(8, 1)
    return train(model, numbers(), "mse", optim.Adam(model.parameters(), lr=3e-6))


@fault("T201")
def low_rate_from_the_command(folder: Path) -> Path:
    """The heart table at a rate of a hundred-thousandth."""
    return run_of("heart", None, "train.lr=1e-5", runs=folder, epochs=15)


@fault("T203")
def one_layer_at_a_rate_of_its_own(folder: Path) -> Trainer:
    """A group of parameters whose rate is ten thousand times too low."""
    model = mlp(10, 3, [32, 32])
    groups = [{"params": list(model[0].parameters()), "lr": 1e-7},
              {"params": [*model[2].parameters(), *model[4].parameters()]}]  # fmt: skip
    return train(model, classes(), optimizer=optim.Adam(groups, lr=3e-3))


@fault("T204")
def batches_of_one_row(folder: Path) -> Trainer:
    """Each update follows a single row, at a rate meant for batches."""
    model = mlp(10, 3)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    return train(model, classes(noise=2.5), optimizer=optimizer, batch_size=1, epochs=6)


@fault("T204")
def small_batches_on_noise(folder: Path) -> Trainer:
    """Batches of two rows of a noisy target."""
    model = mlp(8, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    return train(model, numbers(noise=2.0), "mse", optimizer, batch_size=2, epochs=6)


@fault("T205", "T201", "T208")
def stuck_on_a_plateau(folder: Path) -> Trainer:
    """XOR of two columns among many, from a start where every gradient is nearly nothing."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(800, 10)).astype(np.float32)
    target = ((inputs[:, 0] > 0) ^ (inputs[:, 1] > 0)).astype(np.int32)
    data = (inputs[:600], target[:600]), (inputs[600:], target[600:])
    model = mlp(10, 2, [32], nn.Tanh)
    with cr.no_grad():
        for parameter in model.parameters():
            parameter.assign_(parameter * 0.01)
    return train(model, data, optimizer=optim.SGD(model.parameters(), lr=0.05), epochs=30)


@fault("T206")
def schedule_that_ends_too_soon(folder: Path) -> Trainer:
    """A cosine of 20 steps in a training of hundreds: the rate is zero from the second epoch on."""
    model = mlp(10, 3)
    schedule = Cosine(3e-3, 20)
    return train(model, classes(), optimizer=optim.Adam(model.parameters(), lr=schedule))


@fault("T206")
def exponential_decay_that_is_too_fast(folder: Path) -> Trainer:
    """A rate that falls by a fifth at every step."""
    model = mlp(10, 3)
    schedule = Exponential(0.01, 0.8)
    return train(model, classes(), optimizer=optim.Adam(model.parameters(), lr=schedule))


@fault("T206")
def steps_down_too_soon(folder: Path) -> Path:
    """The rate of a run is divided by a thousand after its first epoch."""
    own = ("train.schedule.name=step", "train.schedule.gamma=0.001", "train.schedule.every=1 epoch")
    return run_of("heart", None, *own, runs=folder, epochs=15)


@fault("T207")
def warm_up_without_end(folder: Path) -> Trainer:
    """The rate rises for 100,000 steps; the training has a few hundred."""
    model = mlp(10, 3)
    schedule = Warmup(Constant(3e-3), 100_000)
    return train(model, classes(), optimizer=optim.Adam(model.parameters(), lr=schedule))


@fault("T208")
def too_few_updates(folder: Path) -> Trainer:
    """All rows in one batch: twelve epochs are twelve updates."""
    return train(mlp(10, 3), classes(), batch_size=None)


@fault("T208")
def huge_batches_from_the_command(folder: Path) -> Path:
    """The heart table in one batch."""
    return run_of("heart", None, "train.batch_size=all", runs=folder, epochs=10)


@fault("T209", "T302")
def decay_that_wins(folder: Path) -> Trainer:
    """Weight decay so strong that weights shrink to nothing."""
    model = mlp(10, 3)
    optimizer = optim.AdamW(model.parameters(), lr=0.01, weight_decay=20.0)
    return train(model, classes(), optimizer=optimizer)


@fault("T209", "T302", "T307")
def penalty_that_wins(folder: Path) -> Trainer:
    """A penalty of the weights far above the loss."""
    model = mlp(8, 1)
    return train(model, numbers(), "mse", penalty=optim.penalty.Penalty(0.0, 5.0))


@fault("T209", "T302", "T307")
def decay_on_a_run(folder: Path) -> Path:
    """The heart table with a weight decay of 50."""
    return run_of("heart", None, "train.weight_decay=50", runs=folder, epochs=15)
