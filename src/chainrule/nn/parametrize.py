"""Weights computed from other parameters: weight and spectral normalisation, LoRA.

State dicts have the names of PyTorch's ``torch.nn.utils.parametrizations``:
``parametrizations.weight.original0`` and so on. The weight is computed once in each call of its
layer, as part of the graph, so derivatives pass to what it is computed from.
"""

from __future__ import annotations

import functools
import math
import threading
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from ..errors import ConfigError, ShapeError, StateError
from ..frontend.functional.activations import normalize, setting
from ..frontend.functional.windows import whole
from ..frontend.modes import no_grad, structure
from ..frontend.operations import reductions
from ..frontend.operations.products import matmul
from ..frontend.operations.shaping import axis_of, movedim, reshape
from ..frontend.random import randn
from ..frontend.tensor import Tensor
from ..ir.memory import aligned_empty
from .container import ModuleDict
from .init import kaiming_uniform_, zeros_
from .module import Module, Parameter, new_parameter

M = TypeVar("M", bound=Module)


class Parametrization(Module):
    """How one weight is computed from ``originals``."""

    @abstractmethod
    def originals(self, weight: Parameter) -> dict[str, Parameter]:
        """The parameters, by name, from which `weight_of` makes ``weight``."""

    @abstractmethod
    def weight_of(self, originals: Mapping[str, Any]) -> Tensor:
        """The weight; changes nothing."""

    def advance(self, originals: Mapping[str, Any]) -> None:
        """What a call of the layer in training does before the weight is computed."""


class _WeightNorm(Parametrization):
    """w = g · v / ‖v‖."""

    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = dim

    def originals(self, weight: Parameter) -> dict[str, Parameter]:
        with no_grad():
            return {"original0": Parameter(self._norm(weight)), "original1": Parameter(weight)}

    def weight_of(self, originals: Mapping[str, Any]) -> Tensor:
        g, v = originals["original0"], originals["original1"]
        w: Tensor = v * (g / self._norm(v))
        return w

    def _norm(self, v: Tensor) -> Tensor:
        """‖v‖ over all axes but ``dim``, with axes of length 1; over all of them, 0-d."""
        if self.dim is None:
            return reductions.norm(v)
        kept = axis_of(self.dim, v.ndim)
        axes = tuple(a for a in range(v.ndim) if a != kept)
        return reductions.norm(v, 2.0, axes, keepdim=True)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class _SpectralNorm(Parametrization):
    """w / sigma(w), sigma the largest singular value, approached by power iteration."""

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        self.n_power_iterations, self.dim, self.eps = n_power_iterations, dim, eps
        with no_grad():
            rows, columns = self._matrix(weight).shape
            for name, n in (("_u", rows), ("_v", columns)):
                self.register_buffer(name, normalize(randn(n), dim=0, eps=eps))
            for _ in range(15):
                self.advance({"original": weight})

    def originals(self, weight: Parameter) -> dict[str, Parameter]:
        return {"original": weight}

    def weight_of(self, originals: Mapping[str, Any]) -> Tensor:
        w: Tensor = originals["original"]
        sigma = (self._u.detach() * matmul(self._matrix(w), self._v.detach())).sum()
        return w / sigma

    def advance(self, originals: Mapping[str, Any]) -> None:
        with no_grad():
            matrix = self._matrix(originals["original"])
            for _ in range(self.n_power_iterations):
                self._u.assign_(normalize(matmul(matrix, self._v), dim=0, eps=self.eps))
                self._v.assign_(normalize(matmul(matrix.T, self._u), dim=0, eps=self.eps))

    def _matrix(self, w: Tensor) -> Tensor:
        """w as a matrix with ``dim`` as its rows."""
        moved = movedim(w, self.dim, 0)
        return reshape(moved, (moved.shape[0], -1))

    def extra_repr(self) -> str:
        return f"n_power_iterations={self.n_power_iterations}, dim={self.dim}, eps={self.eps}"


class _LoRA(Parametrization):
    """w + (alpha / rank) B A, w fixed."""

    def __init__(self, rank: int, alpha: float) -> None:
        super().__init__()
        self.rank, self.alpha = rank, alpha

    def originals(self, weight: Parameter) -> dict[str, Parameter]:
        rows, columns = weight.shape
        low = new_parameter(aligned_empty((self.rank, columns), np.float32))
        kaiming_uniform_(low, a=math.sqrt(5.0))
        high = new_parameter(aligned_empty((rows, self.rank), np.float32))
        weight.requires_grad = False
        zeros_(high)
        return {"original": weight, "lora_A": low, "lora_B": high}

    def weight_of(self, originals: Mapping[str, Any]) -> Tensor:
        low, high = originals["lora_A"], originals["lora_B"]
        w: Tensor = originals["original"] + matmul(high, low) * (self.alpha / self.rank)
        return w

    def extra_repr(self) -> str:
        return f"rank={self.rank}, alpha={self.alpha:g}"


class ParametrizationList(Module):
    """The originals of one weight, as parameters, and how they make it, as child ``0``."""

    def __init__(self, how: Parametrization, originals: Mapping[str, Parameter]) -> None:
        super().__init__()
        for name, parameter in originals.items():
            self.register_parameter(name, parameter)
        self.register_module("0", how)

    @property
    def how(self) -> Parametrization:
        """The parametrization."""
        parametrization = self._modules["0"]
        assert isinstance(parametrization, Parametrization)
        return parametrization

    def forward(self) -> Tensor:
        """The weight."""
        return self.how.weight_of(self._parameters)


class _Weights(threading.local):
    """The computed weights of the layers that are being called, by layer and name."""

    def __init__(self) -> None:
        self.known: dict[int, dict[str, Tensor]] = {}


_weights = _Weights()


class _Parametrized(Module):
    """Put before a layer's class: computes weights when the layer is called, or when asked."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        lists = _lists(self)
        for entry in lists.values():
            if self.training:
                entry.how.advance(entry._parameters)
        _weights.known[id(self)] = {name: entry() for name, entry in lists.items()}
        try:
            return super().__call__(*args, **kwargs)
        finally:
            del _weights.known[id(self)]

    def __getattr__(self, name: str) -> Any:
        parametrized = self.__dict__.get("_modules", {}).get("parametrizations")
        if parametrized is None or name not in parametrized:
            return super().__getattr__(name)
        known = _weights.known.get(id(self), {})
        return known[name] if name in known else parametrized[name]()

    def __setattr__(self, name: str, value: Any) -> None:
        parametrized = self.__dict__.get("_modules", {}).get("parametrizations")
        if parametrized is not None and name in parametrized:
            raise StateError(
                f"{name!r} of a {type(self).__name__} is computed and cannot be assigned",
                help=f"change parametrizations.{name}, or remove_parametrization(layer, {name!r})",
            )
        super().__setattr__(name, value)


@functools.cache
def _parametrized(kind: type[Module]) -> type[Module]:
    return type(f"Parametrized{kind.__name__}", (_Parametrized, kind), {"__doc__": kind.__doc__})


def _lists(layer: Module) -> dict[str, ParametrizationList]:
    """The parametrizations of ``layer`` by the names of the weights."""
    parametrized = layer._modules.get("parametrizations")
    children = {} if parametrized is None else dict(parametrized.named_children())
    return {n: c for n, c in children.items() if isinstance(c, ParametrizationList)}


def _parameter(layer: Module, name: str) -> Parameter:
    if name in _lists(layer):
        raise StateError(
            f"{name!r} of {type(layer).__name__} is already parametrized",
            help=f"call remove_parametrization(layer, {name!r}) first",
        )
    parameter = layer._parameters.get(name)
    if parameter is None:
        known = [n for n, p in layer._parameters.items() if p is not None]
        raise StateError(
            f"{type(layer).__name__} has no parameter {name!r}",
            help=f"its parameters: {', '.join(known) or 'none'}; give the layer itself, not a "
            "model that contains it",
        )
    return parameter


def _register(layer: M, name: str, how: Parametrization, weight: Parameter) -> M:
    if "parametrizations" not in layer._modules:
        layer.register_module("parametrizations", ModuleDict())
        # It is a subclass of the layer's own class, with the same instances' layout.
        layer.__class__ = _parametrized(type(layer))  # type: ignore[assignment]
    originals = how.originals(weight)
    how.train(layer.training)
    delattr(layer, name)
    entries = layer._modules["parametrizations"]
    assert isinstance(entries, ModuleDict)
    entries[name] = ParametrizationList(how, originals)
    return layer


def weight_norm(layer: M, name: str = "weight", dim: int | None = 0) -> M:
    """Compute ``layer.weight`` as g · v / ‖v‖, learning length and direction apart.

    The norm runs over all axes but ``dim`` (None: over all). g is
    ``parametrizations.weight.original0``, v is ``original1``; the weight starts as it is. Make the
    optimizer afterwards: its parameters are new. Salimans and Kingma, 2016, "Weight normalization:
    a simple reparameterization to accelerate training of deep neural networks".

    Returns the layer. Raises StateError if it has no such parameter, or if that is parametrized.
    """
    weight = _parameter(layer, name)
    if dim is not None:
        axis_of(dim, weight.ndim)
    # PyTorch's -1 means "over all" here, unlike everywhere else.
    return _register(layer, name, _WeightNorm(None if dim == -1 else dim), weight)


def spectral_norm(
    layer: M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int = 0
) -> M:
    """Compute ``layer.weight`` as w / σ, σ the largest singular value of w, so that it becomes 1.

    w, ``parametrizations.weight.original``, is seen as a matrix with axis ``dim`` as rows. With
    unit vectors u and v, each call of the layer in training does ``n_power_iterations`` times::

        u ← W v / ‖W v‖        v ← Wᵀ u / ‖Wᵀ u‖

    and σ = uᵀ W v, through which derivatives pass to W, not to u and v. u and v are the buffers
    ``parametrizations.weight.0._u`` and ``_v``; they start with 15 rounds. Evaluation leaves them.
    Reading ``layer.weight`` does, too, where PyTorch's would iterate. Miyato, Kataoka, Koyama and
    Yoshida, 2018, "Spectral normalization for generative adversarial networks".

    Returns the layer. Raises StateError if it has no such parameter, or if that is parametrized.
    """
    weight = _parameter(layer, name)
    if n_power_iterations < 1:
        raise ConfigError(
            f"n_power_iterations is {n_power_iterations}", help="pass a whole number of at least 1"
        )
    if weight.ndim < 2:
        raise ShapeError(
            f"a weight of shape {weight.shape} is not a matrix", help="it needs two or more axes"
        )
    how = _SpectralNorm(weight, n_power_iterations, axis_of(dim, weight.ndim), eps)
    return _register(layer, name, how, weight)


def lora(layer: M, name: str = "weight", rank: int = 8, alpha: float | None = None) -> M:
    """Compute ``layer.weight`` as w + (alpha / rank) B A and learn A and B alone (Hu et al., 2022,
    "LoRA: low-rank adaptation of large language models").

    w, ``parametrizations.weight.original`` [out, in], requires no gradient from now on;
    ``lora_A`` [rank, in] starts as the weight of a `Linear` does, ``lora_B`` [out, rank] as zeros,
    so the layer computes what it did. ``alpha`` is ``rank`` unless given. ``name`` may be any
    matrix, for example in_proj_weight of `MultiheadAttention`. To train adapters alone, say
    ``model.requires_grad_(False)`` first, and make the optimizer afterwards.
    `remove_parametrization` leaves the sum in the weight, or with ``leave_parametrized=False`` w.

    Returns the layer. Raises StateError if it has no such parameter, or if that is parametrized,
    ShapeError if it is not a matrix, ConfigError for a rank that is too large.
    """
    weight = _parameter(layer, name)
    if weight.ndim != 2:
        raise ShapeError(
            f"a weight of shape {weight.shape} is not a matrix", help="LoRA is for matrices"
        )
    rank = whole("rank of LoRA", rank)
    if rank > min(weight.shape):
        raise ConfigError(
            f"rank is {rank}, but a matrix of shape {weight.shape} has at most {min(weight.shape)}",
            help=f"pass a rank from 1 to {min(weight.shape)}",
        )
    alpha = float(rank) if alpha is None else alpha
    setting("alpha", alpha, math.isfinite(alpha), "a finite number")
    return _register(layer, name, _LoRA(rank, alpha), weight)


def remove_parametrization(layer: M, name: str = "weight", leave_parametrized: bool = True) -> M:
    """Make ``layer.weight`` a parameter of its own again, with the value it is computed to.

    ``leave_parametrized=False`` takes the original instead, where there is one (spectral norm,
    LoRA); it requires a gradient again.
    Returns the layer. Raises StateError if the weight is not parametrized.
    """
    entries = _lists(layer)
    if name not in entries:
        raise StateError(
            f"{name!r} of {type(layer).__name__} is not parametrized",
            help=f"parametrized: {', '.join(entries) or 'none'}",
        )
    if leave_parametrized:
        with no_grad():
            weight = Parameter(entries[name]())
    else:
        original = entries[name]._parameters.get("original")
        if original is None:
            raise StateError(
                f"{name!r} has no single original to restore", help="use leave_parametrized=True"
            )
        original.requires_grad = True
        weight = original
    delattr(layer.parametrizations, name)
    if len(entries) == 1:
        delattr(layer, "parametrizations")
        layer.__class__ = type(layer).__bases__[1]
    layer.register_parameter(name, weight)
    structure.touch()
    return layer
