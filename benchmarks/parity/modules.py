"""Modules: state dicts, outputs, derivatives by inputs and parameters, and buffers afterwards."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_modules import module_db

import chainrule as cr
from benchmarks.parity.compare import (
    Expected,
    bound,
    by_design,
    compared_all,
    expect,
    judged,
)
from benchmarks.parity.differences import difference_of
from benchmarks.parity.effort import Effort
from benchmarks.parity.samples import Arguments, array_of, tensors_in
from benchmarks.parity.verdict import Array, Outcome, Result


def entries(only: set[str]) -> list[Any]:
    """The entries with a counterpart."""
    known = [m for m in module_db if m.name.removeprefix("nn.") in cr.nn.__all__]
    return [m for m in known if not only or only & {m.name, m.name.removeprefix("nn.")}]


def full_name(module: Any) -> str:
    """As in `torch`."""
    return str(module.name)


def results(module: Any, effort: Effort) -> Iterator[Result]:
    """The result of each sample, in training and, where that differs, in evaluation."""
    for training in (True, False) if module.train_and_eval_differ else (True,):
        torch.manual_seed(effort.seed)
        samples = module.module_inputs_func(
            module, device="cpu", dtype=torch.float32, requires_grad=True, training=training
        )
        for number, sample in enumerate(samples):
            rng = effort.rng(module.name, number)
            constructor = Arguments(sample.constructor_input.args, sample.constructor_input.kwargs)
            args, kwargs = constructor.for_torch(constructor.leaves)
            theirs = module.module_cls(*args, **kwargs).train(training)
            outcomes = judge(module, theirs, constructor, sample.forward_input, rng)
            mode = "training" if training else "evaluation"
            text = f"{constructor} on {Arguments(*_given(theirs, sample.forward_input))}"
            yield Result(module.name, mode, number, tuple(outcomes), text)


def _given(theirs: torch.nn.Module, given: Any) -> tuple[Sequence[Any], dict[str, Any]]:
    """Arguments of a call by place, as ours have names of their own."""
    signature = inspect.signature(theirs.forward).bind(*given.args, **given.kwargs)
    return signature.args, signature.kwargs


def judge(
    module: Any, theirs: torch.nn.Module, constructor: Arguments, given: Any, rng: Any
) -> Iterator[Outcome]:
    """Eager and compiled."""
    args, kwargs = _given(theirs, given)
    params = {n: p.detach().clone().requires_grad_() for n, p in theirs.named_parameters()}
    buffers = {n: b.detach().clone() for n, b in theirs.named_buffers()}
    arguments = Arguments((params, buffers, *args), kwargs)

    def call(params: Any, buffers: Any, *args: Any, **kwargs: Any) -> Any:
        kept = {n: b.clone() for n, b in buffers.items()}
        result = torch.func.functional_call(theirs, {**params, **kept}, args, kwargs)
        return result, kept

    known = difference_of(module.name, "float32")
    theirs_state = {n: array_of(t) for n, t in theirs.state_dict().items()}
    expected = expect(known.instead(call) if known else call, arguments, rng)
    outcomes = {}
    for way in ("eager", "compiled"):
        run = functools.partial(
            _run, module, theirs_state, theirs.training, constructor, arguments, expected, way
        )
        outcomes[way] = judged(way, run)
    yield by_design(outcomes["eager"], known)
    yield by_design(outcomes["compiled"].beside(outcomes["eager"]), known)


def _run(
    module: Any,
    state: dict[str, Array],
    training: bool,
    constructor: Arguments,
    arguments: Arguments,
    expected: Expected,
    way: str,
) -> str:
    model = _made(module, constructor, training)
    mine = {name: a.shape for name, a in model.state_dict().items()}
    wanted = {name: a.shape for name, a in state.items()}
    if mine != wanted:
        return f"state dict {mine}, PyTorch {wanted}"
    model.load_state_dict(state)
    leaves: list[Any] = [cr.tensor(a) for a in arguments.arrays()]
    (params, buffers, *_), _ = arguments.for_torch(list(range(len(leaves))))
    own = dict(model.named_parameters())
    for name, index in params.items():
        leaves[index] = own[name]
    for index in set(expected.wanted) - set(params.values()):
        leaves[index] = cr.nn.Parameter(leaves[index])
    (_, _, *args), kwargs = arguments.for_ours(leaves)
    bound(model.forward, args, kwargs)
    step = _step(model, args, kwargs, expected)
    outputs = (cr.compile(keep_grads=True)(step) if way == "compiled" else step)()
    kept = dict(model.named_buffers())
    values = [y.numpy() for y in (*outputs, *(kept[name] for name in buffers))]
    grads = [leaves[i].grad for i in expected.wanted]
    arrays = [
        np.zeros(leaves[i].shape, np.float32) if g is None else g.numpy()
        for i, g in zip(expected.wanted, grads, strict=True)
    ]
    return compared_all(values, arrays, expected)


def _made(module: Any, constructor: Arguments, training: bool) -> Any:
    ours = getattr(cr.nn, module.name.removeprefix("nn."))
    args, kwargs = constructor.for_ours([cr.tensor(a) for a in constructor.arrays()])
    bound(ours, args, kwargs)
    return ours(*args, **kwargs).train(training)


def _step(
    model: Any, args: Sequence[Any], kwargs: dict[str, Any], expected: Expected
) -> Callable[[], list[Any]]:
    def step() -> list[Any]:
        outputs = tensors_in(model(*args, **kwargs))
        for i, g in zip(expected.graded, expected.cotangents, strict=True):
            outputs[i].backward(cr.tensor(g))
        return outputs

    return step
