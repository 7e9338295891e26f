"""Modules: layers and models, with the names and behaviour of PyTorch's."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ..arguments import check_state
from ..errors import ConfigError, DTypeError, ShapeError, StateError, TraceError
from ..frontend.apply import from_array, tensor_of
from ..frontend.modes import no_grad, structure, thread, user_line
from ..frontend.tensor import Tensor
from ..ir.memory import aligned_copy, as_array
from ..ir.types import Array
from .calling import calling_name, calls, locate
from .layer_table import layer_table
from .tied import contradictions

M = TypeVar("M", bound="Module")


class Parameter(Tensor):
    """A Tensor that a module learns: it requires a gradient and is listed by ``parameters()``."""

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        source = data.concrete if isinstance(data, Tensor) else as_array(data)
        self._set(aligned_copy(source), None, False)
        self._requires_grad = requires_grad and self.dtype.is_float

    def __repr__(self) -> str:
        return f"Parameter({super().__repr__()})"


class MismatchedKeys(NamedTuple):
    """Keys of a state dict that the model lacks, and the other way round."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module(ABC):
    """The base of all layers and models.

    Assign parameters and other modules as attributes in ``__init__`` (after
    ``super().__init__()``) and write ``forward``. Inside a compiled function attributes cannot be
    assigned: `TraceError`; state that changes belongs in buffers, with ``assign_``.
    """

    training: bool

    def __init__(self) -> None:
        fresh: dict[str, Any] = {
            "_parameters": {}, "_buffers": {}, "_modules": {}, "_transient": set(),
            "training": True, "_token": structure.new_token(),
        }  # fmt: skip
        self.__dict__.update(fresh)

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _transient: set[str]
    _token: int

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes."""
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        calls.modules.append(self)
        outer = thread.layer
        if thread.trace is not None:
            thread.layer = calling_name()
        try:
            result = self.forward(*args, **kwargs)
            if calls.watcher is not None:
                calls.watcher(self, args, result)
            return result
        except (ShapeError, DTypeError, ConfigError) as error:
            locate(error)
            raise
        finally:
            calls.modules.pop()
            thread.layer = outer

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A copy has a mode of its own to switch.
        self.__dict__.update(state, _token=structure.new_token())

    # --------------------------------------------------------------------------- attributes

    def __setattr__(self, name: str, value: Any) -> None:
        if thread.trace is not None:
            raise TraceError(
                f"the attribute {name!r} of a {type(self).__name__} is assigned inside a compiled "
                "function",
                where=user_line(),
                help="keep values that change in a buffer (register_buffer) and use assign_",
            )
        if "_parameters" not in self.__dict__:
            raise StateError(
                f"{type(self).__name__} assigns {name!r} before super().__init__()",
                where=user_line(),
                help="call super().__init__() first",
            )
        structure.touch()
        if isinstance(value, Parameter):
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self._free(name, value, Module, self._modules, readable=True)
            self._modules[name] = value
        elif not self._exchange(name, value):
            super().__setattr__(name, value)

    def _exchange(self, name: str, value: Any) -> bool:
        """Put ``value`` in the place of a member called ``name``, if there is one."""
        for kind, table in self._tables:
            if name not in table:
                continue
            if value is not None and not isinstance(value, kind):
                raise StateError(
                    f"{name!r} of {type(self).__name__} cannot be set to a {type(value).__name__}",
                    where=user_line(),
                    help=f"pass a {kind.__name__} or None; `del` frees the name",
                )
            table[name] = value
            return True
        return False

    @property
    def _tables(self) -> tuple[tuple[type, dict[str, Any]], ...]:
        """What is registered, by kind."""
        kinds = (Parameter, self._parameters), (Tensor, self._buffers), (Module, self._modules)
        return kinds

    def __getattr__(self, name: str) -> Any:
        for table in ("_parameters", "_buffers", "_modules"):
            members = self.__dict__.get(table, {})
            if name in members:
                return members[name]
        fresh = "" if "_parameters" in self.__dict__ else ": call super().__init__() first"
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{fresh}")

    def __delattr__(self, name: str) -> None:
        structure.touch()
        if not self._forget(name):
            super().__delattr__(name)

    def _free(
        self, name: str, value: Any, kind: type, home: dict[str, Any], *, readable: bool
    ) -> None:
        """Make room for ``value`` under ``name``; `StateError` where that could not be found again.

        What the class itself calls so would hide it; a dot parts a path. What ``home`` holds under
        this name stays until it is exchanged: a new value takes its place in the order.
        """
        fits = value is None or isinstance(value, kind)
        hidden = readable and hasattr(type(self), str(name))
        if not fits or not isinstance(name, str) or not name or "." in name or hidden:
            raise StateError(
                f"a {type(value).__name__} cannot be {name!r} of a {type(self).__name__}",
                where=user_line(),
                help="the class already has an attribute of that name: choose another one"
                if hidden
                else f"give a {kind.__name__} and a name without dots",
            )
        structure.touch()
        self._forget(name, home)

    def _forget(self, name: str, home: dict[str, Any] | None = None) -> bool:
        """Remove ``name`` wherever it is registered, but for ``home``."""
        self._transient.discard(name)
        self.__dict__.pop(name, None)
        tables = [table for _, table in self._tables if table is not home]
        removed = [t.pop(name, self) is not self for t in tables]  # from all of them
        return any(removed)

    def __dir__(self) -> list[str]:
        tables = (*self._parameters, *self._buffers, *self._modules)
        return sorted({*super().__dir__(), *tables})

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a Tensor that is state but not learned; persistent ones are in `state_dict`."""
        self._free(name, tensor, Tensor, self._buffers, readable=True)
        self._buffers[name] = tensor
        if not persistent:
            self._transient.add(name)

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Add a parameter; None keeps the name free (a layer without bias)."""
        self._free(name, parameter, Parameter, self._parameters, readable=True)
        self._parameters[name] = parameter

    def register_module(self, name: str, module: Module | None) -> None:
        """Add a child."""
        self._free(name, module, Module, self._modules, readable=False)
        self._modules[name] = module

    add_module = register_module

    # ------------------------------------------------------------------------------- walks

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all below, each once, with paths such as ``encoder.0``."""
        seen: set[int] = set()
        yield from self._walk(prefix, seen)

    def _walk(self, prefix: str, seen: set[int]) -> Iterator[tuple[str, Module]]:
        if id(self) in seen:
            return
        seen.add(id(self))
        yield prefix, self
        for name, child in self._modules.items():
            if child is not None:
                yield from child._walk(f"{prefix}.{name}" if prefix else name, seen)

    def modules(self) -> Iterator[Module]:
        """This module and all below."""
        return (m for _, m in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly below."""
        return ((n, m) for n, m in self._modules.items() if m is not None)

    def children(self) -> Iterator[Module]:
        """The modules directly below."""
        return (m for _, m in self.named_children())

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """All parameters with their paths; shared ones once."""
        return self._members(prefix, lambda m: m._parameters)

    def parameters(self) -> Iterator[Parameter]:
        """All parameters; shared ones once."""
        return (p for _, p in self.named_parameters())

    def named_buffers(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """All buffers with their paths."""
        return self._members(prefix, lambda m: m._buffers)

    def buffers(self) -> Iterator[Tensor]:
        """All buffers."""
        return (b for _, b in self.named_buffers())

    def _members(
        self, prefix: str, table: Callable[[Module], Mapping[str, Any]]
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        for path, module in self.named_modules(prefix):
            for name, member in table(module).items():
                if member is not None and id(member) not in seen:
                    seen.add(id(member))
                    yield (f"{path}.{name}" if path else name), member

    def get_submodule(self, path: str) -> Module:
        """The module at ``encoder.0``; this one for an empty path; else `StateError`."""
        module = self
        for name in path.split(".") if path else []:
            child = module._modules.get(name)
            if child is None:
                raise StateError(f"{type(module).__name__} has no child {name!r} (in {path!r})")
            module = child
        return module

    def apply(self: M, function: Callable[[Module], Any]) -> M:
        """Call ``function`` on every module, children first; returns the module."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    # -------------------------------------------------------------------------------- modes

    def train(self: M, mode: bool = True) -> M:
        """Training behaviour (dropout drops, batch norm uses the batch); returns the module."""
        changed = [m for m in self.modules() if m.training is not bool(mode)]
        if changed and thread.trace is not None:
            raise TraceError(
                "train() and eval() cannot be called inside a compiled function",
                where=user_line(),
                help="call them between calls; the function is then recorded again",
            )
        for module in changed:
            module.__dict__["training"] = bool(mode)
            structure.flip(module._token)
        return self

    def eval(self: M) -> M:
        """Evaluation behaviour; returns the module."""
        return self.train(False)

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        """Set ``requires_grad`` of all parameters; returns the module."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters():
            parameter.grad = None

    # -------------------------------------------------------------------------------- state

    def _state(self) -> Iterator[tuple[str, Tensor]]:
        """Parameters and persistent buffers with their paths, shared ones under every path."""
        yield from self._own_state("")

    def _own_state(self, prefix: str) -> Iterator[tuple[str, Tensor]]:
        for table in (self._parameters, self._buffers):
            for name, tensor in table.items():
                if tensor is not None and name not in self._transient:
                    yield prefix + name, tensor
        for name, child in self.named_children():
            yield from child._own_state(f"{prefix}{name}.")

    def state_dict(self) -> dict[str, Array]:
        """Copies of all parameters and persistent buffers, by path, as row-major arrays.

        Names and shapes are PyTorch's. A parameter with two names is one array under both.
        """
        arrays: dict[int, Array] = {}
        for _, tensor in self._state():
            if id(tensor) not in arrays:
                arrays[id(tensor)] = tensor.numpy()
        return {name: arrays[id(tensor)] for name, tensor in self._state()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> MismatchedKeys:
        """Copy arrays or Tensors into the parameters and buffers of the same path.

        Raises `StateError`, before anything is changed, for shapes that differ and, with
        ``strict``, for keys that are missing or too many. Of a parameter with two names one will
        do; two that contradict each other are an error.
        """
        check_state(state_dict, f"a {type(self).__name__}", "model.state_dict()")
        mine = dict(self._state())
        given = {id(t) for k, t in mine.items() if k in state_dict}
        missing = [k for k, t in mine.items() if id(t) not in given]
        unexpected = [k for k in state_dict if k not in mine]
        arrays = {k: _array(v) for k, v in state_dict.items() if k in mine}
        shapes = [
            f"{k}: {a.shape} instead of {mine[k].shape}"
            for k, a in arrays.items()
            if a.shape != mine[k].shape
        ]
        problems = [f"shape of {s}" for s in shapes] + contradictions(mine, arrays)
        if strict:
            problems += [f"missing {k}" for k in missing] + [f"unknown {k}" for k in unexpected]
        if problems:
            raise StateError(
                f"this state does not match {type(self).__name__}: {'; '.join(problems)}",
                help="build the model exactly as it was when the state was saved"
                + ("" if shapes else ", or load with strict=False"),
            )
        with no_grad():
            for name, array in arrays.items():
                mine[name].assign_(from_array(array))
        return MismatchedKeys(missing, unexpected)

    # ----------------------------------------------------------------------------- as text

    def extra_repr(self) -> str:
        """What stands between the parentheses of the module's own line."""
        return ""

    def __repr__(self) -> str:
        lines = [
            f"({name}): " + repr(child).replace("\n", "\n  ")
            for name, child in self.named_children()
        ]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"

    def _repr_html_(self) -> str:
        return layer_table(self)


def _array(value: Any) -> Array:
    return value.concrete if isinstance(value, Tensor) else as_array(value)


#: what a layer computes with: a Tensor, or an array-like made one
as_tensor = tensor_of


def new_parameter(array: Array) -> Parameter:
    """A parameter that holds ``array`` itself, which must be dense and aligned."""
    parameter = Parameter.__new__(Parameter)
    parameter._set(array, None, True)
    return parameter


def zero_buffer(shape: tuple[int, ...], dtype: Any = np.float32) -> Tensor:
    """A Tensor of zeros, always concrete."""
    return from_array(aligned_copy(np.zeros(shape, dtype)))
