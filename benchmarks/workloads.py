"""The workloads: model, data, batch and optimizer, said once for every peer.

Nothing here imports a framework. Data and first weights come from NumPy's PCG64, so every peer
starts from the same numbers and sees the same batches in the same order.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks import nets, recurrent
from benchmarks.language import Transformer
from benchmarks.nets import Array, Net, Shape
from benchmarks.recurrent import Recurrent
from benchmarks.tabular import RealMLP, TabM
from benchmarks.translation import Seq2Seq


@dataclass(frozen=True)
class Dense:
    """Fully connected layers with ReLU between; ``widths`` from the features to the outputs."""

    widths: tuple[int, ...]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each layer."""
        return list(zip(self.widths, self.widths[1:], strict=False))

    @property
    def features(self) -> Shape:
        return self.widths[:1]

    @property
    def outputs(self) -> int:
        return self.widths[-1]

    @property
    def scored(self) -> Shape:
        """None: a sample has one target."""
        return ()

    def weights(self, seed: int) -> list[Array]:
        """Weight of shape (out, in) and bias of each layer in turn, uniform within 1/sqrt(in)."""
        rng = np.random.default_rng(seed)
        layers: list[Array] = []
        for fan_in, fan_out in self.pairs:
            bound = fan_in**-0.5
            weight = (rng.random((fan_out, fan_in)) * 2 - 1) * bound
            bias = (rng.random(fan_out) * 2 - 1) * bound
            layers += [weight.astype(np.float32), bias.astype(np.float32)]
        return layers

    def flops(self, batch: int) -> int:
        """Of one step's products: forward, dW, and dX of all layers but the first."""
        products = [i * o for i, o in self.pairs]
        return 2 * batch * (3 * sum(products) - products[0])


#: call and loop train, infer predicts; see `Peer`
Mode = Literal["call", "loop", "infer"]
TRAINING: tuple[Mode, ...] = ("call", "loop")
MODES: tuple[Mode, ...] = (*TRAINING, "infer")
#: tokens: cross-entropy of all but padding
Loss = Literal["bce_with_logits", "cross_entropy", "mse", "tokens"]
#: sgd: momentum 0.9, weight decay 1e-4; adamw: decoupled weight decay 0.01
Optimizer = Literal["adam", "adamw", "sgd"]
MOMENTUM, WEIGHT_DECAY, DECOUPLED_DECAY = 0.9, 1e-4, 0.01


@dataclass(frozen=True)
class Workload:
    """One row of the benchmark.

    ``loop_steps``: how many steps one Python call of a loop holds; bursts of calls are multiples of
    ``call_steps``. Answers of so many steps are ``compared``: rounding moves elements across the
    corner of a ReLU, and behind 27 batch normalisations later losses part by percents, as
    PyTorch's forms do.
    """

    name: str
    model: Dense | Net | RealMLP | Recurrent | Seq2Seq | TabM | Transformer
    loss: Loss
    samples: int
    batch: int
    lr: float
    loop_steps: int
    optimizer: Optimizer = "adam"
    call_steps: int = 8
    compared: int = 10
    seed: int = 20240
    modes: tuple[Mode, ...] = TRAINING

    @cached_property
    def steps_per_epoch(self) -> int:
        """Whole batches only, so that no peer needs a second program for a short last batch."""
        return self.samples // self.batch

    @property
    def rows(self) -> int:
        """Rows that fill whole batches."""
        return self.steps_per_epoch * self.batch

    @property
    def dense(self) -> Dense:
        """The model of a workload that has fully connected layers only."""
        if not isinstance(self.model, Dense):
            raise TypeError(f"{self.name} has other layers than fully connected ones")
        return self.model

    @property
    def net(self) -> Net:
        """The model of a workload that is a convolutional network."""
        if not isinstance(self.model, Net):
            raise TypeError(f"{self.name} is no convolutional network")
        return self.model

    @property
    def recurrent(self) -> Recurrent:
        """The model of a workload that is a recurrent network."""
        if not isinstance(self.model, Recurrent):
            raise TypeError(f"{self.name} is no recurrent network")
        return self.model

    @property
    def flops(self) -> int:
        if "infer" in self.modes and isinstance(self.model, Net | Transformer):
            return self.model.forward_flops(self.batch)
        return self.model.flops(self.batch)

    def data(self) -> tuple[Array, ...]:
        """The model's inputs, then the target, all of one number of rows.

        Inputs are standard normal features and, where rows differ in length, their lengths (int32);
        features beyond the length are 0. Targets come from a noisy linear teacher: for ``mse`` its
        scores, float32 of shape (rows, ..., outputs), for ``bce_with_logits`` whether they are
        positive, as 0.0 and 1.0, and for ``cross_entropy`` the largest, int64 of shape (rows,).
        Of a language model tokens, and the tokens that follow; of pairs of texts these after the
        tokens of the source.
        """
        if isinstance(self.model, Seq2Seq | Transformer):
            return tuple(a[: self.rows] for a in self.model.tokens(self.seed, self.samples))
        rng = np.random.default_rng(self.seed)
        shape, outputs = self.model.features, self.model.outputs
        x = rng.standard_normal((self.samples, *shape)).astype(np.float32)
        inputs = [x]
        if isinstance(self.model, Recurrent):
            lengths = self.model.lengths(self.seed + 4, self.samples)
            if lengths is not None:
                x[np.arange(shape[0]) >= lengths[:, None]] = 0.0
                inputs.append(lengths)
        places = (self.samples, *self.model.scored)
        features = math.prod(shape) // math.prod(self.model.scored)
        teacher = rng.standard_normal((features, outputs)) / features**0.5
        scores = x.reshape(*places, features) @ teacher
        scores += 0.5 * rng.standard_normal((*places, outputs))
        target = self._target(scores)
        if isinstance(self.model, TabM):  # each member has a loss of its own
            target = np.repeat(target[:, None], self.model.members, 1)
        return tuple(array[: self.rows] for array in (*inputs, target))

    def _target(self, scores: Array) -> Array:
        """What the loss compares outputs with."""
        if self.loss == "mse":
            return scores.astype(np.float32)
        if self.loss == "bce_with_logits":
            return (scores > 0).astype(np.float32)
        return scores.argmax(axis=1).astype(np.int64)

    def order(self, epochs: int) -> NDArray[np.int32]:
        """Row indices, (epochs * steps_per_epoch, batch): a new permutation every epoch."""
        rng = np.random.default_rng(self.seed + 2)
        rows = [rng.permutation(self.rows) for _ in range(epochs)]
        return np.concatenate(rows).reshape(-1, self.batch).astype(np.int32)

    def weights(self) -> list[Array]:
        return self.model.weights(self.seed + 1)

    def statistics(self) -> list[Array]:
        """What batch normalisation uses in inference."""
        return self.net.statistics(self.seed + 3)

    def inputs(self) -> list[Array]:
        """The features of each batch of one epoch; of texts that are made, the prompts."""
        x = self.data()[0]
        if isinstance(self.model, Transformer):
            x = x[:, : self.model.prompt]
        return [x[rows] for rows in self.order(1)]


def convolutional(
    name: str,
    model: Net,
    *,
    samples: int,
    batch: int,
    optimizer: Optimizer = "adam",
    lr: float = 1e-3,
    compared: int = 3,
) -> Workload:
    """Classes of images or signals; one epoch is a loop, since its steps take milliseconds."""
    return Workload(
        name,
        model,
        "cross_entropy",
        samples,
        batch,
        lr,
        loop_steps=samples // batch,
        optimizer=optimizer,
        call_steps=2,
        compared=compared,
    )


def inference(name: str, model: Net, *, samples: int, batch: int) -> Workload:
    """Logits of one batch after another, with fixed weights and running statistics."""
    return Workload(
        f"{name}-{batch}",
        model,
        "cross_entropy",
        samples,
        batch,
        lr=0.0,
        loop_steps=1,
        compared=3,
        call_steps=2 if batch > 1 else 16,
        modes=("infer",),
    )


def sequences(name: str, model: Recurrent, loss: Loss, *, samples: int, batch: int) -> Workload:
    """A recurrent network with Adam; one epoch is a loop."""
    steps = samples // batch
    return Workload(name, model, loss, samples, batch, lr=1e-3, loop_steps=steps, call_steps=4)


def texts(name: str, context: int, *, samples: int, batch: int) -> Workload:
    """A language model with AdamW; one epoch is a loop."""
    model, steps = Transformer(context), samples // batch
    return Workload(
        name,
        model,
        "cross_entropy",
        samples,
        batch,
        lr=1e-3,
        loop_steps=steps,
        optimizer="adamw",
        call_steps=2,
        compared=3,
    )


def generation(context: int, *, batch: int) -> Workload:
    """The likeliest texts that fill the context, after prompts of a quarter of it. A step makes
    ``batch`` of them side by side, token by token.
    """
    return Workload(
        f"generate-{batch}",
        Transformer(context),
        "cross_entropy",
        samples=4 * batch,
        batch=batch,
        lr=0.0,
        loop_steps=1,
        compared=3,
        call_steps=2,
        modes=("infer",),
    )


WORKLOADS: dict[str, Workload] = {
    w.name: w
    for w in (
        Workload(
            name="tabular",
            model=Dense((30, 32, 16, 1)),
            loss="bce_with_logits",
            samples=569,
            batch=32,
            lr=1e-3,
            loop_steps=17 * 60,
        ),
        Workload(
            name="mlp",
            model=Dense((784, 512, 256, 10)),
            loss="cross_entropy",
            samples=8192,
            batch=128,
            lr=1e-3,
            loop_steps=64,
        ),
        convolutional("cnn", nets.CNN, samples=1024, batch=64),
        convolutional("resnet", nets.resnet20(), samples=512, batch=32, optimizer="sgd", lr=0.05),
        convolutional(
            *("mobilenet", nets.mobilenet()),
            samples=256,
            batch=32,
            optimizer="sgd",
            lr=0.005,
            compared=1,
        ),
        convolutional("oddsizes", nets.ODD, samples=256, batch=16),
        convolutional("signals", nets.SIGNALS, samples=512, batch=32),
        sequences("lstm", recurrent.LSTM, "mse", samples=1024, batch=32),
        sequences("gru", recurrent.GRU, "cross_entropy", samples=512, batch=16),
        sequences("lstm-small", recurrent.SMALL, "mse", samples=512, batch=8),
        sequences("bilstm", recurrent.BOTH, "cross_entropy", samples=512, batch=24),
        texts("gpt", 64, samples=252, batch=12),
        texts("gpt-512", 512, samples=32, batch=2),
        texts("gpt-1024", 1024, samples=16, batch=1),
        Workload("realmlp", RealMLP(), "cross_entropy", 10_000, 256, 1e-3, 39),
        Workload("tabm", TabM(), "cross_entropy", 2_560, 256, 1e-3, 10, call_steps=2, compared=3),
        Workload("seq2seq", Seq2Seq(), "tokens", 640, 32, 1e-3, 20, call_steps=2, compared=3),
        generation(64, batch=1),
        generation(64, batch=16),
        inference("cnn", nets.CNN, samples=64, batch=1),
        inference("cnn", nets.CNN, samples=1024, batch=256),
        inference("resnet", nets.resnet20(), samples=64, batch=1),
        inference("resnet", nets.resnet20(), samples=256, batch=64),
    )
}

#: steps of the sequences between which the time to compile should not differ
SHORT, LONG = 16, 1024
#: networks that are compiled and not otherwise measured, by cell: over few steps and over many
COLD: dict[str, tuple[Workload, Workload]] = {
    cell: (
        sequences(f"{cell}-{SHORT}", model.of_steps(SHORT), loss, samples=64, batch=32),
        sequences(f"{cell}-{LONG}", model.of_steps(LONG), loss, samples=64, batch=32),
    )
    for cell, model, loss in (
        ("lstm", recurrent.LSTM, "mse"),
        ("gru", recurrent.GRU, "cross_entropy"),
    )
}


def named(name: str) -> Workload:
    """The workload of this name."""
    return {w.name: w for w in (*WORKLOADS.values(), *itertools.chain(*COLD.values()))}[name]
