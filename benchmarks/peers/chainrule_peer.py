"""Chainrule through its public API: ``@cr.compile`` per call, ``Trainer.fit`` for the loop."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

import chainrule as cr
import chainrule.nn.functional as F
from benchmarks import nets
from benchmarks.language import Transformer
from benchmarks.nets import Conv, Layer, Linear, MaxPool, Mean, Net, Relu
from benchmarks.peers import Predictions, Session
from benchmarks.peers.chainrule_tabular import Members, Waves
from benchmarks.recurrent import Recurrent
from benchmarks.tabular import RealMLP, TabM
from benchmarks.translation import PADDING, Seq2Seq
from benchmarks.workloads import DECOUPLED_DECAY, MOMENTUM, WEIGHT_DECAY, Mode, Workload
from chainrule import nn, optim
from chainrule.nn import models

#: networks that the library has itself, with the weights of the benchmark's description
KNOWN: dict[Net, Callable[[], Any]] = {
    nets.resnet20(): models.resnet20,
    nets.mobilenet(): lambda: models.MobileNet(10, width=0.5, stride=1),
}


def of_tokens(scores: Any, wanted: Any) -> Any:
    """Scores [rows, steps, vocabulary], with a row for each token as they lie."""
    return F.cross_entropy(scores.flatten(0, 1), wanted.flatten(), ignore_index=PADDING)


class TokenLoss(nn.Module):
    """`of_tokens`."""

    def forward(self, scores: Any, wanted: Any) -> Any:
        return of_tokens(scores, wanted)


#: as a function and as a module
LOSSES: dict[str, tuple[Callable[..., Any], Callable[[], Any]]] = {
    "bce_with_logits": (F.binary_cross_entropy_with_logits, nn.BCEWithLogitsLoss),
    "cross_entropy": (F.cross_entropy, nn.CrossEntropyLoss),
    "mse": (F.mse_loss, nn.MSELoss),
    "tokens": (of_tokens, TokenLoss),
}


def build(workload: Workload) -> Any:
    model = workload.model
    if isinstance(model, Net):
        if model in KNOWN:
            return KNOWN[model]()
        every = [module for layer in model.layers for module in modules(layer, model.axes)]
        return nn.Sequential(*every)
    if isinstance(model, Recurrent):
        return Sequences(model)
    if isinstance(model, Transformer):
        return Tokens(model)
    if isinstance(model, Seq2Seq):
        return Translator(model)
    if isinstance(model, RealMLP):
        return Waves(model)
    if isinstance(model, TabM):
        return Members(model)
    layers: list[Any] = []
    for fan_in, fan_out in model.pairs:
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def modules(layer: Layer, axes: int) -> list[Any]:
    """The modules of one layer of a plain convolutional network."""
    conv: Any = nn.Conv1d if axes == 1 else nn.Conv2d
    pool: Any = nn.MaxPool1d if axes == 1 else nn.MaxPool2d
    match layer:
        case Conv(a, b, kernel, stride, padding, groups, bias):
            return [conv(a, b, kernel, stride, padding, groups=groups, bias=bias)]
        case Linear(a, b, pixels):
            return [nn.Flatten(), nn.Linear(a, b)] if pixels > 1 else [nn.Linear(a, b)]
        case MaxPool(size):
            return [pool(size)]
        case Mean():
            return [nn.AdaptiveAvgPool1d(1) if axes == 1 else nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        case Relu():
            return [nn.ReLU()]
    raise NotImplementedError(f"no module for {layer}")


class Sequences(nn.Module):
    """A recurrent network."""

    def __init__(self, model: Recurrent) -> None:
        super().__init__()
        self.reading = model.reading
        kind: Any = nn.LSTM if model.cell == "lstm" else nn.GRU
        sizes = {"num_layers": model.layers, "bidirectional": model.both}
        self.layers = kind(model.inputs, model.hidden, batch_first=True, **sizes)
        self.head = nn.Linear(model.head.inputs, model.outputs)

    def forward(self, x: Any, lengths: Any = None) -> Any:
        y, state = self.layers(x, lengths=lengths)
        if self.reading == "last":
            y = (state[0] if isinstance(state, tuple) else state)[-1]
        elif self.reading == "mean":
            y = y.sum(1) / lengths.unsqueeze(1)  # outputs beyond the length are 0
        return self.head(y)


class Tokens(nn.Module):
    """A language model."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        sizes = (model.vocabulary, model.context, model.width, model.layers, model.heads)
        self.gpt = models.GPT(*sizes, tied=False)

    def forward(self, tokens: Any) -> Any:
        return self.gpt(tokens).transpose(1, 2)  # scores along axis 1, as the loss has them


class Translator(nn.Module):
    """A transformer with an encoder and a decoder."""

    def __init__(self, model: Seq2Seq) -> None:
        super().__init__()
        self.source = nn.Embedding(model.vocabulary, model.width)
        self.target = nn.Embedding(model.vocabulary, model.width)
        layers, wide = model.layers, 4 * model.width
        self.transformer = nn.Transformer(
            model.width, model.heads, layers, layers, wide, 0.0, batch_first=True
        )
        self.head = nn.Linear(model.width, model.vocabulary, bias=False)
        self.waves = cr.tensor(model.waves().astype(np.float32))
        self.scale = model.width**0.5

    def forward(self, source: Any, target: Any) -> Any:
        x = self.source(source) * self.scale + self.waves
        y = self.target(target) * self.scale + self.waves
        missing = source == PADDING
        z = self.transformer(
            x, y, src_key_padding_mask=missing, tgt_key_padding_mask=target == PADDING,
            memory_key_padding_mask=missing, tgt_is_causal=True,
        )  # fmt: skip
        return self.head(z)


class ChainruleSession:
    """Batches stay NumPy arrays, as a user would pass them."""

    def __init__(self, workload: Workload, mode: Mode) -> None:
        cr.set_num_threads(len(os.sched_getaffinity(0)))
        self.workload, self.mode = workload, mode
        *self.inputs, self.y = self.data = workload.data()
        self.batches = [[array[rows] for array in self.data] for rows in workload.order(1)]
        self.model = build(workload)
        self.optimizer = self.new_optimizer()
        self.first = self.optimizer.state_dict()
        parameters = [name for name, _ in self.model.named_parameters()]
        named = zip(parameters, workload.weights(), strict=True)
        self.state = self.model.state_dict() | dict(named)  # the rest are running statistics
        self.step: Any = self.compiled() if mode == "call" else None
        self.trainer: Any = self.new_trainer() if mode == "loop" else None
        self.reset()

    def new_optimizer(self) -> Any:
        parameters, lr = self.model.parameters(), self.workload.lr
        if self.workload.optimizer == "adam":
            return optim.Adam(parameters, lr=lr)
        if self.workload.optimizer == "adamw":
            return optim.AdamW(parameters, lr=lr, weight_decay=DECOUPLED_DECAY)
        return optim.SGD(parameters, lr=lr, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)

    def compiled(self) -> Any:
        model, optimizer = self.model, self.optimizer
        criterion, _ = LOSSES[self.workload.loss]

        @cr.compile
        def step(*batch: Any) -> Any:
            *inputs, y = batch
            optimizer.zero_grad()
            loss = criterion(model(*inputs), y)
            loss.backward()
            optimizer.step()
            return loss

        return step

    def new_trainer(self) -> Any:
        _, loss = LOSSES[self.workload.loss]
        return cr.Trainer(self.model, loss=loss(), optimizer=self.optimizer)

    def reset(self) -> None:
        self.model.load_state_dict(self.state)
        self.optimizer.load_state_dict(self.first)

    def run(self, steps: int) -> None:
        if self.mode == "loop":
            epochs = max(1, steps // self.workload.steps_per_epoch)
            x = self.inputs[0] if len(self.inputs) == 1 else tuple(self.inputs)
            self.trainer.fit((x, self.y), epochs=epochs, batch_size=self.workload.batch)
            return
        step, batches = self.step, self.batches
        for i in range(steps):
            step(*batches[i % len(batches)])

    def answers(self, steps: int) -> list[float]:
        if self.mode == "loop":
            return []
        self.reset()
        return [float(self.step(*batch)) for batch in self.batches[:steps]]


def texts(workload: Workload, model: Transformer) -> Predictions:
    """Texts that go on from prompts."""
    cr.set_num_threads(len(os.sched_getaffinity(0)))
    gpt = Tokens(model).gpt.eval()
    parameters = [name for name, _ in gpt.named_parameters()]
    gpt.load_state_dict(dict(zip(parameters, workload.weights(), strict=True)))
    read = nn.TokenLoop(gpt.step, model.vocabulary)
    length, state = model.context - model.prompt, gpt.new_state(workload.batch)

    def predict(prompts: Any) -> Any:
        with cr.no_grad():
            made = nn.generate(
                read, prompts, state, length=length, temperature=0.0, piece=model.prompt
            )
            return np.stack(list(made), axis=1)

    return Predictions(predict, workload.inputs())


def predictions(workload: Workload) -> Predictions:
    """The model in evaluation as one compiled function; batches stay NumPy arrays."""
    cr.set_num_threads(len(os.sched_getaffinity(0)))
    model = build(workload).eval()
    state = model.state_dict()
    running = [name for name in state if name.endswith(("running_mean", "running_var"))]
    names = [*(name for name, _ in model.named_parameters()), *running]
    arrays = workload.weights() + workload.statistics()
    model.load_state_dict(state | dict(zip(names, arrays, strict=True)))

    @cr.compile
    def predict(x: Any) -> Any:
        with cr.no_grad():
            return model(x)

    return Predictions(predict, workload.inputs())


def open_session(workload: Workload, form: str, mode: Mode) -> Session:
    if isinstance(workload.model, Transformer) and mode == "infer":
        return texts(workload, workload.model)
    return predictions(workload) if mode == "infer" else ChainruleSession(workload, mode)
