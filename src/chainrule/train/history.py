"""What happened in each epoch of a training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import ConfigError, StateError, nearest
from ..notebook import cell, chart, framed, table

__all__ = ["History"]


class History(Mapping[str, list[float]]):
    """Numbers of every finished epoch: ``history["val_loss"][3]`` belongs to ``history.epoch[3]``.

    ``history.history`` is the plain dict behind it, as in Keras.
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}

    def append(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Adds one epoch. A name that is new, or missing this time, is NaN elsewhere."""
        for name in logs:
            self.history.setdefault(name, [float("nan")] * len(self.epoch))
        self.epoch.append(epoch)
        for name, values in self.history.items():
            values.append(float(logs.get(name, float("nan"))))

    def to_dict(self) -> dict[str, list[float]]:
        """A copy as a dict of lists, with ``epoch`` (counted from 0): a table by columns."""
        epochs: list[float] = [*self.epoch]
        return {"epoch": epochs, **{name: [*values] for name, values in self.history.items()}}

    def rows(self) -> list[dict[str, float]]:
        """The numbers of each epoch, in order; those that it had none of are left out or NaN."""
        count = len(self.epoch)
        return [{name: v[i] for name, v in self.history.items()} for i in range(count)]

    def last(self) -> dict[str, float]:
        """The numbers of the last epoch."""
        return {name: values[-1] for name, values in self.history.items()}

    def state(self) -> dict[str, Any]:
        """A copy, for checkpoints."""
        return {"epoch": [*self.epoch], "values": {k: [*v] for k, v in self.history.items()}}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Goes back to what `state` gave. StateError if it has not a number for each epoch."""
        wrong = StateError(
            "this is not the state of a history: it does not have one value per epoch",
            help="pass what history.state() returned",
        )
        try:
            epochs = [int(epoch) for epoch in state["epoch"]]
            numbers = {name: [float(v) for v in values] for name, values in state["values"].items()}
        except (AttributeError, KeyError, TypeError, ValueError):
            raise wrong from None
        if any(len(values) != len(epochs) for values in numbers.values()):
            raise wrong
        self.epoch, self.history = epochs, numbers

    def best(self, monitor: str = "val_loss", mode: str = "min") -> int:
        """Index of the best epoch. Raises ConfigError when no epoch has a number."""
        values = self[monitor]
        ranked = [(v if mode == "min" else -v, i) for i, v in enumerate(values) if v == v]
        if not ranked:
            raise ConfigError(f"no epoch has a value for {monitor!r}")
        return min(ranked)[1]

    def __getitem__(self, name: str) -> list[float]:
        if name not in self.history:
            near = nearest(name, self.history)
            hint = f"; did you mean {near!r}?" if near else ""
            raise KeyError(f"no {name!r} in the history of {', '.join(self.history)}{hint}")
        return self.history[name]

    def __contains__(self, name: object) -> bool:
        return name in self.history

    def __iter__(self) -> Iterator[str]:
        return iter(self.history)

    def __len__(self) -> int:
        return len(self.history)

    def __repr__(self) -> str:
        last = ", ".join(f"{name}={values[-1]:.4g}" for name, values in self.history.items())
        return f"History({len(self.epoch)} epochs{'; last: ' if last else ''}{last})"

    def _repr_html_(self) -> str:
        parts = []
        for name in [n for n in self.history if not n.startswith("val_")]:
            held = self.history.get(f"val_{name}")
            curves = [(name, self.history[name]), *([(f"val_{name}", held)] if held else [])]
            ends = ", ".join(f"{n} {values[-1]:.4g}" for n, values in curves)
            epochs = [float(epoch + 1) for epoch in self.epoch]
            parts.append(chart(name, epochs, curves, said=f"after {len(epochs)} epochs: {ends}"))
        rows = [(n, *map(cell, (values[0], min(values), max(values), values[-1])))
                for n, values in self.history.items() if values]  # fmt: skip
        heads = ("", "first", "lowest", "highest", "last")
        return framed(*parts, table("History", heads, rows))
