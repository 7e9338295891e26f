"""Modules that hold modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, overload

from ..errors import ConfigError
from .module import Module

S = TypeVar("S", bound="_Row")


class _Row(Module):
    """Modules one after the other, edited like a list; their names are their numbers."""

    def __setitem__(self, index: int, module: Module) -> None:
        self.register_module([n for n, _ in self.named_children()][index], _checked(module))

    def __delitem__(self, index: int | slice) -> None:
        items = list(self.children())
        del items[index]
        self._refill(items)

    def insert(self: S, index: int, module: Module) -> S:
        """Put a module before that at ``index``; returns the container."""
        items = list(self.children())
        items.insert(index, _checked(module))
        return self._refill(items)

    def pop(self, index: int = -1) -> Module:
        """Take the module at ``index`` out and return it."""
        items = list(self.children())
        module = items.pop(index)
        self._refill(items)
        return module

    def append(self: S, module: Module) -> S:
        """Add a module at the end; returns the container."""
        number = len(self)
        while str(number) in self._modules:  # after names of one's own, or a ``delattr``
            number += 1
        self.register_module(str(number), _checked(module))
        return self

    def extend(self: S, modules: Iterable[Module]) -> S:
        """Add modules at the end; returns the container."""
        for module in modules:
            self.append(module)
        return self

    def __iadd__(self: S, modules: Iterable[Module]) -> S:
        return self.extend(modules)

    def _refill(self: S, items: Iterable[Module]) -> S:
        """``items`` instead, numbered anew."""
        for name in list(self._modules):
            delattr(self, name)
        return self.extend(items)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return self.children()


class Sequential(_Row):
    """Modules called one after the other: ``Sequential(Linear(2, 3), ReLU())``.

    Also takes one dict, whose keys become the names.
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = dict(modules[0])
        else:
            # `_checked` refuses a dict among several modules.
            named = {str(i): m for i, m in enumerate(modules)}  # type: ignore[misc]
        for name, module in named.items():
            self.register_module(name, _checked(module))

    def forward(self, x: Any) -> Any:
        """The last module's result."""
        for module in self.children():
            x = module(x)
        return x

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module | Sequential:
        if isinstance(index, slice):
            return Sequential(dict(list(self.named_children())[index]))
        return list(self.children())[index]


class ModuleList(_Row):
    """A list of modules; ``forward`` is yours to write."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> ModuleList: ...
    def __getitem__(self, index: int | slice) -> Module | ModuleList:
        selected = list(self.children())[index]
        return ModuleList(selected) if isinstance(selected, list) else selected


class ModuleDict(Module):
    """Modules by name; ``forward`` is yours to write."""

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        for name, module in (modules or {}).items():
            self[name] = module

    def __getitem__(self, name: str) -> Module:
        return self.get_submodule(name)

    def __setitem__(self, name: str, module: Module) -> None:
        self.register_module(name, _checked(module))

    def __delitem__(self, name: str) -> None:
        self.get_submodule(name)  # says what there is no child of
        delattr(self, name)

    def __contains__(self, name: str) -> bool:
        return name in self._modules

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def pop(self, name: str) -> Module:
        """Take a module out and return it."""
        module = self[name]
        del self[name]
        return module

    def keys(self) -> Iterator[str]:
        """Names."""
        return iter(self)

    def values(self) -> Iterator[Module]:
        """Modules."""
        return self.children()

    def items(self) -> Iterator[tuple[str, Module]]:
        """Names and modules."""
        return self.named_children()


def _checked(module: Any) -> Module:
    if not isinstance(module, Module):
        raise ConfigError(
            f"a module container got {module!r}",
            help="pass instances, for example nn.ReLU() with parentheses",
        )
    return module
