"""Modules that hold modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, overload

from ..errors import ConfigError
from .module import Module


class Sequential(Module):
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

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def append(self, module: Module) -> Sequential:
        """Add a module at the end; returns the container."""
        self.register_module(str(len(self)), _checked(module))
        return self


class ModuleList(Module):
    """A list of modules; ``forward`` is yours to write."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> ModuleList: ...
    def __getitem__(self, index: int | slice) -> Module | ModuleList:
        found = list(self.children())[index]
        return ModuleList(found) if isinstance(found, list) else found

    def __setitem__(self, index: int, module: Module) -> None:
        self.register_module_at(range(len(self))[index], module)

    def register_module_at(self, index: int, module: Module) -> None:
        """Replace the module at ``index``; the order stays."""
        items = list(self.children())
        items[index] = _checked(module)
        for i, item in enumerate(items):
            self.register_module(str(i), item)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def append(self, module: Module) -> ModuleList:
        """Add a module at the end; returns the list."""
        self.register_module(str(len(self)), _checked(module))
        return self

    def extend(self, modules: Iterable[Module]) -> ModuleList:
        """Add modules at the end; returns the list."""
        for module in modules:
            self.append(module)
        return self


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

    def __contains__(self, name: str) -> bool:
        return name in self._modules

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def items(self) -> Iterator[tuple[str, Module]]:
        """Names and modules."""
        return self.named_children()


def _checked(module: Any) -> Module:
    if not isinstance(module, Module):
        raise ConfigError(
            f"a container of modules got {module!r}",
            help="give instances, for example nn.ReLU() with parentheses",
        )
    return module
