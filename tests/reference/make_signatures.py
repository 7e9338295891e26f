"""PyTorch's signatures, from its Python code or, for what is built in, from its stubs.

A signature is a list of names, each with its default where there is one; a lone ``*`` stands before
those that are given by keyword alone. Overloads are listed side by side.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn, optim

Stubs = Mapping[str, list[str]]

#: not part of an operation: where the result lies, and how
APART = ("out", "device", "layout", "pin_memory", "names", "memory_format")
ROOT = Path(torch.__file__).parent


def signatures() -> dict[str, Any]:
    general = stubs(ROOT / "_C" / "_VariableFunctions.pyi")
    functional = general | stubs(ROOT / "_C" / "_nn.pyi")
    methods = stubs(ROOT / "_C" / "__init__.pyi", "TensorBase")
    return {
        "torch": public(torch, general),
        "torch.Tensor": public(torch.Tensor, methods),
        "torch.func": public(torch.func, {}),
        "torch.nn": classes(nn, nn.Module),
        "torch.nn.functional": public(nn.functional, functional),
        "torch.nn.init": public(nn.init, {}),
        "torch.nn.utils": public(nn.utils, {}) | public(nn.utils.parametrizations, {}),
        "torch.optim": classes(optim, optim.Optimizer),
        "torch.optim.swa_utils": classes(optim.swa_utils, nn.Module),
    }


def public(owner: Any, known: Stubs) -> dict[str, list[str]]:
    """The functions of ``owner``: from Python where it has a signature, else from the stubs."""
    found = {}
    for name in sorted(dir(owner)):
        value = getattr(owner, name)
        if name.startswith("_") or isinstance(value, type | ModuleType) or not callable(value):
            continue
        own = of_python(getattr(owner, f"_{name}", value) if is_dispatch(value) else value)
        texts = known.get(name, of_document(value)) if own in (None, "*args") else [own]
        if texts:
            found[name] = texts
    return found


def classes(module: ModuleType, base: type) -> dict[str, list[str]]:
    found = {}
    for name in sorted(dir(module)):
        value = getattr(module, name)
        if isinstance(value, type) and issubclass(value, base) and not name.startswith("_"):
            made, called = of_python(value.__init__), of_python(getattr(value, "forward", None))
            found[name] = [made or ""]
            if called and "*" not in called:
                found[f"{name}.forward"] = [called]
    return found


def is_dispatch(value: Any) -> bool:
    """Whether this is one of two functions, chosen by an argument: it takes anything itself."""
    return inspect.isfunction(value) and value.__code__.co_name == "fn"


def of_document(value: Any) -> list[str]:
    """Where there is nothing else: the first line of the documentation, ``name(x, y=1) -> ...``."""
    line = (value.__doc__ or "").strip().partition("\n")[0]
    found = re.match(r"\w+\(([\w, =.*]*)\) ->", line)
    return [found[1]] if found else []


def of_python(value: Callable[..., Any] | None) -> str | None:
    if not inspect.isfunction(value):
        return None
    parts, by_keyword = [], False
    for p in inspect.signature(value).parameters.values():
        if p.kind is p.VAR_KEYWORD or p.name in APART:
            continue
        if p.kind is p.VAR_POSITIONAL:
            parts.append(f"*{p.name}")
            by_keyword = True
        else:
            if p.kind is p.KEYWORD_ONLY and not by_keyword:
                parts.append("*")
                by_keyword = True
            parts.append(p.name if p.default is p.empty else f"{p.name}={plain(p.default)}")
    return without_self(parts)


def plain(default: Any) -> str:
    simple = isinstance(default, bool | int | float | str | tuple | None)
    return repr(default) if simple else "..."


def stubs(file: Path, within: str | None = None) -> dict[str, list[str]]:
    """All signatures in a stub file, or in one class of it."""
    body = ast.parse(file.read_text()).body
    if within is not None:
        (body,) = (n.body for n in body if isinstance(n, ast.ClassDef) and n.name == within)
    found: dict[str, list[str]] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            text = of_stub(node.args)
            if text not in found.setdefault(node.name, []):
                found[node.name].append(text)
    return found


def of_stub(arguments: ast.arguments) -> str:
    positional = [*arguments.posonlyargs, *arguments.args]
    missing = [None] * (len(positional) - len(arguments.defaults))
    parts = [
        written(a, default)
        for a, default in zip(positional, [*missing, *arguments.defaults], strict=True)
    ]
    by_keyword = list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    if arguments.vararg:
        parts.append(f"*{arguments.vararg.arg}")
    elif any(a.arg not in APART for a, _ in by_keyword):
        parts.append("*")
    parts += [written(a, default) for a, default in by_keyword]
    return without_self([p for p in parts if p.partition("=")[0] not in APART])


def written(argument: ast.arg, default: ast.expr | None) -> str:
    return argument.arg if default is None else f"{argument.arg}={ast.unparse(default)}"


def without_self(parts: list[str]) -> str:
    return ", ".join(parts[1:] if parts[:1] == ["self"] else parts)
