"""Modules as functions of their parameters: one model, called with numbers from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import StateError
from ..frontend.apply import from_array, tensor_of
from ..frontend.modes import structure, thread, user_line
from ..frontend.tensor import Tensor
from ..ir.memory import aligned_empty, order_of
from .module import Module, new_parameter

Tensors = Mapping[str, Any]


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Tensors | Sequence[Tensors],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    strict: bool = False,
) -> Any:
    """``module(*args, **kwargs)`` with other parameters and buffers in the place of its own.

    Arguments:
        module:                     is as before when the call is over.
        parameter_and_buffer_dicts: Tensors by path, such as ``{"0.weight": w}``, of the shapes of
                                    those that they replace; or several such dicts. What is not
                                    named stays; a Tensor with several names may be given by one.
        args:                       one argument, or a tuple of them.
        strict:                     everything must be named.

    Derivatives pass to what is given. A buffer that the call updates (running means) is the one
    given. StateError for names that the module does not have, or another shape.

    >>> import chainrule as cr
    >>> layer = cr.nn.Linear(2, 1)
    >>> zeros = {"weight": cr.zeros(1, 2), "bias": cr.ones(1)}
    >>> cr.functional_call(layer, zeros, cr.ones(3, 2)).tolist()
    [[1.0], [1.0], [1.0]]
    """
    dicts = parameter_and_buffer_dicts
    given: dict[str, Any] = {}
    for each in [dicts] if isinstance(dicts, Mapping) else dicts:
        given.update(each)
    positional = () if args is None else args if isinstance(args, tuple) else (args,)
    with _exchanged(module, given, strict):
        return module(*positional, **(kwargs or {}))


def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(parameters, buffers) of models of one kind, each stacked along a new first axis.

    They are new and learn for themselves; member k begins as ``models[k]`` is. A stacked weight
    lies in memory as those of the models do, member after member. StateError for models whose
    parameters or buffers have other names or shapes.

        params, buffers = cr.stack_module_state(models)
        def member(params, buffers, x):
            return cr.functional_call(models[0], (params, buffers), x)
        logits = cr.vmap(member, in_dims=(0, 0, None))(params, buffers, x)
    """
    if not models:
        raise StateError("stack_module_state got no models", where=user_line())
    params = [dict(m.named_parameters()) for m in models]
    buffers = [dict(m.named_buffers()) for m in models]
    return _stacked(params, True), _stacked(buffers, False)


def _stacked(members: Sequence[Mapping[str, Tensor]], learned: bool) -> dict[str, Tensor]:
    stacked: dict[str, Tensor] = {}
    for number, member in enumerate(members):
        types = {n: (t.shape, t.dtype) for n, t in member.items()}
        first = {n: (t.shape, t.dtype) for n, t in members[0].items()}
        if types != first:
            names = [n for n in {**first, **types} if first.get(n) != types.get(n)]
            raise StateError(
                f"model {number} differs from the first one in {', '.join(names)}",
                where=user_line(),
                help="stack models that were built alike",
            )
    for name, tensor in members[0].items():
        arrays = [member[name].concrete for member in members]
        order = (0, *(a + 1 for a in order_of(arrays[0])))
        whole = aligned_empty((len(arrays), *tensor.shape), arrays[0].dtype, order)
        np.stack(arrays, out=whole)
        stacked[name] = new_parameter(whole) if learned else from_array(whole)
        if learned:
            stacked[name].requires_grad = tensor.requires_grad
    return stacked


@contextmanager
def _exchanged(module: Module, given: Mapping[str, Any], strict: bool) -> Iterator[None]:
    """Inside, ``module`` has the Tensors that are given."""
    homes = list(_homes(module, ""))
    own = {name: table[key] for name, table, key in homes}
    others = _others(module, own, given, strict)
    # Functions that are compiled were recorded with what was there, and are good for it again.
    token = structure.new_token() if thread.trace is None else 0
    structure.flip(token)
    try:
        for _, table, key in homes:
            table[key] = others.get(id(table[key]), table[key])
        yield
    finally:
        for name, table, key in homes:
            table[key] = own[name]
        structure.flip(token)


def _homes(module: Module, prefix: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Every name of a parameter or buffer, the table that holds it, and its key there."""
    for table in (module._parameters, module._buffers):
        for key, tensor in table.items():
            if tensor is not None:
                yield prefix + key, table, key
    for name, child in module._modules.items():
        if child is not None:
            yield from _homes(child, f"{prefix}{name}.")


def _others(
    module: Module, own: Mapping[str, Tensor], given: Tensors, strict: bool
) -> dict[int, Tensor]:
    """What is given, by the identity of what it replaces."""
    found = {n: tensor_of(v) for n, v in given.items()}
    replaced = {id(own[n]): t for n, t in found.items() if n in own}
    problems = [f"unknown {n}" for n in found if n not in own]
    problems += [
        f"shape of {n}: {found[n].shape} instead of {own[n].shape}"
        for n in found
        if n in own and found[n].shape != own[n].shape
    ]
    if strict:
        problems += [f"missing {n}" for n, t in own.items() if id(t) not in replaced]
    if problems:
        raise StateError(
            f"these Tensors do not fit {type(module).__name__}: {'; '.join(problems)}",
            where=user_line(),
            help="give Tensors by the names of model.named_parameters() and named_buffers()",
        )
    return replaced
