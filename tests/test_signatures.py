"""What PyTorch takes by position means the same here, or is not taken by position."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn, optim
from chainrule.errors import ConfigError, DTypeError, ShapeError
from reference.problems import load

SIGNATURES: dict[str, dict[str, list[str]]] = load("signatures")
Parameters = dict[str, Any]

#: our names for PyTorch's, where one of the two has a default
SAME = {
    ("stop", "end"),
    ("function", "func"),
    ("function", "model"),
    ("argnum", "argnums"),
    ("path", "f"),
    ("requires_grad", "mode"),
    ("x", "input"),
    ("b", "other"),
}
#: overloads told apart by what is given, and the test that it is refused or understood
TOLD_APART = {
    ("arange", "end, *, dtype=None, requires_grad=False"),
    ("max", "other"),
    ("min", "other"),
    ("std", "unbiased=True"),
    ("var", "unbiased=True"),
    ("to", "other, non_blocking=False, copy=False"),
}
#: defaults that differ on purpose
OTHER_DEFAULTS = {
    ("log_softmax", "dim"),  # the last axis, where PyTorch guesses and warns
    ("softmax", "dim"),
    ("softmin", "dim"),
    ("LogSoftmax", "dim"),
    ("Softmax", "dim"),
    ("Softmin", "dim"),
    ("norm", "p"),  # of all elements or one axis "fro" is 2
    *((f"conv{n}d", "padding") for n in (1, 2, 3)),  # "valid" is 0
    ("alpha_dropout", "training"),  # as in all other kinds of dropout, PyTorch's too
    ("feature_alpha_dropout", "training"),
}


def counterparts() -> Iterator[tuple[str, str, Callable[..., Any], int]]:
    """(PyTorch's module, name, ours, how many parameters to pass over)."""
    for name in cr.__all__:
        for module in ("torch", "torch.func"):
            if name in SIGNATURES[module]:
                yield module, name, getattr(cr, name), 0
    modules = {
        "torch.nn.functional": (F, 0),
        "torch.nn.init": (nn.init, 0),
        "torch.Tensor": (cr.Tensor, 1),
    }
    for module, (owner, bound) in modules.items():
        for name in SIGNATURES[module]:
            if callable(getattr(owner, name, None)) and name not in ("type_as",):
                yield module, name, getattr(owner, name), bound
    for name, owner in [(n, o) for o in (nn.parametrize, optim.clip) for n in dir(o)]:
        if name in SIGNATURES["torch.nn.utils"]:
            yield "torch.nn.utils", name, getattr(owner, name), 0
    for module, owner in {"torch.nn": nn, "torch.optim": optim}.items():
        for name in SIGNATURES[module]:
            of, _, method = name.partition(".")
            if of in owner.__all__:
                yield module, name, getattr(getattr(owner, of), method or "__init__"), 1


def positional(function: Callable[..., Any], bound: int) -> Parameters:
    """Names and defaults of what ``function`` takes by position."""
    parameters = list(inspect.signature(function).parameters.values())[bound:]
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    return {p.name: p.default for p in parameters if p.kind in kinds}


def of_text(text: str) -> Parameters:
    """The same of a signature in the reference file."""
    arguments = ast.parse(f"def f({text}): ...").body[0].args  # type: ignore[attr-defined]
    names = [a.arg for a in arguments.args]
    defaults = [default_of(node) for node in arguments.defaults]
    missing = [inspect.Parameter.empty] * (len(names) - len(defaults))
    return dict(zip(names, [*missing, *defaults], strict=True))


def default_of(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ...


CASES = list(counterparts())


X = cr.tensor([[1.0, 5.0], [4.0, 2.0]])
Y = cr.tensor([[3.0, 3.0], [3.0, 3.0]])


def test_overloads_that_PyTorch_tells_apart() -> None:
    assert cr.arange(3).tolist() == [0, 1, 2]
    for other in (Y, Y.numpy()):
        assert X.max(other).tolist() == [[3, 5], [4, 3]]
        assert X.min(other).tolist() == [[1, 3], [3, 2]]
    for function in (X.var, X.std):
        for unbiased in (True, False):
            with pytest.raises(ConfigError, match="correction=0 to divide by n"):
                function(unbiased)
    with pytest.raises(DTypeError):
        X.to(Y)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["sum", "mean", "amax", "argmax", "any", "norm", "softmax"])
def test_a_truth_is_no_axis(name: str) -> None:
    with pytest.raises(ShapeError, match=r"an axis is True\n.*\n.*pass whole numbers"):
        getattr(X, name)(dim=True)


@pytest.mark.parametrize("name", ["sum", "mean", "var", "std", "amax", "amin", "norm"])
def test_no_axes_are_all_axes(name: str) -> None:
    for keepdim in (True, False):
        none, every = (getattr(X, name)(dim=d, keepdim=keepdim) for d in ((), None))
        assert none.tolist() == every.tolist()
    assert X.any(()).shape == X.all([]).shape == X.shape  # as in PyTorch


def test_what_PyTorch_has_between_is_not_taken_by_position() -> None:
    for wrong in (
        lambda: nn.MaxPool2d(2, 2, 0, 1, True),  # type: ignore[misc]
        lambda: nn.CrossEntropyLoss(None, None, -1),  # type: ignore[misc]
        lambda: nn.MSELoss("sum"),  # type: ignore[misc]
        lambda: F.mse_loss(X, Y, False),  # type: ignore[misc]
        lambda: X.sum().backward(None, True),  # type: ignore[misc]
    ):
        with pytest.raises(TypeError, match="positional argument"):
            wrong()


def test_the_variance_takes_what_PyTorch_takes() -> None:
    assert X.var(correction=None).item() == X.var().item() == pytest.approx(10 / 3)
    assert X.var(correction=0.5).item() == pytest.approx(10 / 3.5)
    with pytest.raises(ConfigError, match="correction is 'n'"):
        X.var(correction="n")  # type: ignore[arg-type]


def test_most_of_the_library_has_a_counterpart() -> None:
    assert len(CASES) > 400


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}.{case[1]}")
def test_positions_mean_what_they_mean_in_pytorch(
    case: tuple[str, str, Callable[..., Any], int],
) -> None:
    module, name, function, bound = case
    ours = positional(function, bound)
    for overload in SIGNATURES[module][name]:
        if (name, overload) in TOLD_APART:
            continue
        for (own, default), (theirs, their_default) in zip(
            ours.items(), of_text(overload).items(), strict=False
        ):
            required = inspect.Parameter.empty in (default, their_default)
            operands = default is their_default is inspect.Parameter.empty
            same = own == theirs or operands or (own, theirs) in SAME
            assert same, f"{own} stands where PyTorch has {theirs}: ({overload})"
            if required or their_default in (..., None, ()) or (name, own) in OTHER_DEFAULTS:
                continue
            assert default == their_default, f"{own} is {default}, PyTorch's {their_default}"
