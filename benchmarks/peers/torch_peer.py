"""PyTorch in eight forms that train; those that predict are in ``torch_inference.py``.

=====================  ======================================================================
eager foreach          modules, the optimizer with ``foreach=True``
eager fused            modules, the optimizer with ``fused=True``
channels last          the same with images, weights and activations channels last in memory
packed                 the same with packed sequences
compile                forward and loss under ``torch.compile``, ``fused=True``
compile cells          recurrent layers written as cells, compiled in pieces: ``torch_recurrent.py``
compile channels last  the same, channels last
compile step           forward, backward and a hand-written Adam as one ``torch.compile`` graph
=====================  ======================================================================

There is no loop below Python, so ``loop`` is a Python loop that gathers each batch by index.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.language import Transformer
from benchmarks.nets import Net
from benchmarks.peers import Session, torch_generation, torch_inference
from benchmarks.peers.torch_language import GPT, Translator
from benchmarks.peers.torch_nets import convolutional, laid_out
from benchmarks.peers.torch_recurrent import long_to_short, of_sequences
from benchmarks.peers.torch_tabular import Members, Waves
from benchmarks.recurrent import Recurrent
from benchmarks.tabular import RealMLP, TabM
from benchmarks.translation import PADDING, Seq2Seq
from benchmarks.workloads import DECOUPLED_DECAY, MOMENTUM, WEIGHT_DECAY, Mode, Workload

Criterion = Callable[[Tensor, Tensor], Tensor]


def build(workload: Workload, form: str = "") -> nn.Module:
    model = workload.model
    if isinstance(model, Net):
        return convolutional(model, form.endswith("channels last"))
    if isinstance(model, Recurrent):
        return of_sequences(model, form)
    if isinstance(model, Transformer):
        return GPT(model)
    if isinstance(model, Seq2Seq):
        return Translator(model)
    if isinstance(model, RealMLP):
        return Waves(model)
    if isinstance(model, TabM):
        return Members(model)
    layers: list[nn.Module] = []
    for fan_in, fan_out in model.pairs:
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


LOSSES: dict[str, Criterion] = {
    "bce_with_logits": F.binary_cross_entropy_with_logits,
    "cross_entropy": F.cross_entropy,
    "mse": F.mse_loss,
    "tokens": partial(F.cross_entropy, ignore_index=PADDING),
}


class TorchSession:
    """Batches as tensors; ``step`` trains on one of them."""

    def __init__(self, workload: Workload, form: str, mode: Mode) -> None:
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        torch.set_flush_denormal(True)
        self.workload, self.mode = workload, mode
        x, *others = (torch.from_numpy(a) for a in workload.data())
        self.last, self.packed = form.endswith("channels last"), form == "packed"
        self.data = [laid_out(x) if self.last else x, *others]
        epochs = max(1, workload.loop_steps // workload.steps_per_epoch)
        self.order = list(torch.from_numpy(workload.order(epochs)).long())
        self.batches = [self.batch(rows) for rows in self.order[: workload.steps_per_epoch]]
        self.stepper: Any = (
            WholeStep(workload) if form == "compile step" else ModuleStep(workload, form)
        )
        self.reset()

    def batch(self, rows: Tensor) -> list[Tensor]:
        """Inputs and target."""
        if self.packed:
            rows = long_to_short(rows, self.data[1])
        x, *others = (array.index_select(0, rows) for array in self.data)
        return [laid_out(x) if self.last else x, *others]

    def reset(self) -> None:
        with torch.no_grad():
            self.stepper.load([torch.from_numpy(a) for a in self.workload.weights()])

    def run(self, steps: int) -> None:
        step = self.stepper.step
        if self.mode == "call":
            batches = self.batches
            for i in range(steps):
                step(*batches[i % len(batches)])
            return
        for i in range(steps):
            step(*self.batch(self.order[i % len(self.order)]))

    def answers(self, steps: int) -> list[float]:
        self.reset()
        return [float(self.stepper.step(*self.batches[i])) for i in range(steps)]


class ModuleStep:
    """The usual loop body on ``nn.Module`` and an optimizer of ``torch.optim``."""

    def __init__(self, workload: Workload, form: str) -> None:
        self.workload = workload
        self.model = build(workload, form)
        self.first = copy.deepcopy(self.model.state_dict())
        self.kind: dict[str, Any] = (
            {"foreach": True} if form == "eager foreach" else {"fused": True}
        )
        model, criterion = self.model, LOSSES[workload.loss]

        def forward(*batch: Tensor) -> Tensor:
            *inputs, y = batch
            scores = model(*inputs)
            return criterion(scores, y.flatten() if y.ndim > scores.ndim - 1 else y)

        whole = form.startswith("compile") and form != "compile cells"
        self.forward = torch.compile(forward, dynamic=False) if whole else forward

    def load(self, arrays: list[Tensor]) -> None:
        self.model.load_state_dict(self.first)  # running statistics, too
        for parameter, array in zip(self.model.parameters(), arrays, strict=True):
            parameter.copy_(array.reshape(parameter.shape))
        lr, each = self.workload.lr, self.model.parameters()
        self.optimizer: torch.optim.Optimizer
        match self.workload.optimizer:
            case "adam":
                self.optimizer = torch.optim.Adam(each, lr=lr, **self.kind)
            case "adamw":
                decay = {"weight_decay": DECOUPLED_DECAY}
                self.optimizer = torch.optim.AdamW(each, lr=lr, **decay, **self.kind)
            case "sgd":
                extra = {"momentum": MOMENTUM, "weight_decay": WEIGHT_DECAY}
                self.optimizer = torch.optim.SGD(each, lr=lr, **extra, **self.kind)

    def step(self, *batch: Tensor) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.forward(*batch)
        loss.backward()
        self.optimizer.step()
        return loss.detach()


class WholeStep:
    """Everything in one compiled graph; parameters and moments are updated in place."""

    def __init__(self, workload: Workload) -> None:
        names = [name for name, _ in build(workload).named_parameters()]
        shapes = [p.shape for p in build(workload).parameters()]
        self.state = [[torch.zeros(s) for s in shapes] for _ in range(3)]
        self.count = torch.zeros(1, dtype=torch.float64)
        model, criterion, lr = build(workload), LOSSES[workload.loss], workload.lr

        def objective(parameters: list[Tensor], x: Tensor, y: Tensor) -> Tensor:
            named = dict(zip(names, parameters, strict=True))
            return criterion(torch.func.functional_call(model, named, (x,)), y)

        gradient = torch.func.grad_and_value(objective)

        @torch.compile(dynamic=False, fullgraph=True)
        def train(state: list[list[Tensor]], count: Tensor, x: Tensor, y: Tensor) -> Tensor:
            gradients, loss = gradient(state[0], x, y)
            count.add_(1)
            rate = (lr / (1 - 0.9**count)).float()
            scale = (1 - 0.999**count).rsqrt().float()
            for p, m, v, g in zip(*state, gradients, strict=True):
                m.mul_(0.9).add_(g, alpha=0.1)
                v.mul_(0.999).addcmul_(g, g, value=0.001)
                p.sub_(rate * m / (v.sqrt() * scale + 1e-8))
            return loss

        self.train = train

    def load(self, arrays: list[Tensor]) -> None:
        for p, m, v, array in zip(*self.state, arrays, strict=True):
            p.copy_(array)
            m.zero_()
            v.zero_()
        self.count.zero_()

    @torch.no_grad()
    def step(self, x: Tensor, y: Tensor) -> Tensor:
        return self.train(self.state, self.count, x, y)


def open_session(workload: Workload, form: str, mode: Mode) -> Session:
    if isinstance(workload.model, Transformer) and mode == "infer":
        return torch_generation.predictions(workload, form)
    if mode == "infer":
        return torch_inference.predictions(workload, form)
    return TorchSession(workload, form, mode)
