"""The section of ``run.toml`` about the network, where there is a choice of several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, Self

from ...errors import ConfigError
from .section import Choice

__all__ = ["NetworkChoice"]


class Network(Protocol):
    """One of several networks."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Its settings with their defaults."""


@dataclass(frozen=True)
class NetworkChoice(Choice):
    """The network: one of ``NETWORKS``, which have their ``settings`` with defaults. ``LIMITS`` are
    the smallest and largest values of these, by name."""

    TABLE: ClassVar[str] = "model"
    NOUN: ClassVar[str] = "network"
    NETWORKS: ClassVar[Mapping[str, Network]] = {}
    LIMITS: ClassVar[Mapping[str, tuple[float, float]]] = {}

    @classmethod
    def options(cls) -> Mapping[str, Mapping[str, Any]]:
        return {name: network.settings for name, network in cls.NETWORKS.items()}

    def check(self) -> None:
        for name, (low, high) in self.LIMITS.items():
            value = self.settings.get(name, low)
            several = isinstance(value, tuple)
            numbers = value if several else (value,)
            if not numbers or not all(low <= n <= high for n in numbers):
                raise ConfigError(
                    f"`model.{name}` is {list(numbers) if several else value!r}",
                    help=f"expected: {'one or more, each ' * several}from {low:g} to {high:g}",
                )

    def unregularized(self) -> Self:
        """Without dropout."""
        off = {"dropout": 0.0} if "dropout" in self.settings else {}
        return replace(self, settings={**self.settings, **off})
