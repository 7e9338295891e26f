"""The microscope on one step: network, layer, unit, weight, loss, update, check, what if."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ConfigError, meant
from ..runs.example import Form
from ..train.observation.taps import CHANNELS
from .differences import difference_at
from .explain.inputs import inputs_of
from .explain.losses import loss_of
from .explain.unit import explain_input, explain_unit, explain_weight
from .page import page_of
from .shown import Table, Text
from .shown import number as in_digits
from .updates import sentence, update_of
from .view import View
from .walk import Parameter, Seen, Step, Walker

__all__ = ["Scope", "WhatIf"]

Index = tuple[int, ...]
#: rows of a table of units
UNITS = 12


class Scope:
    """One step, from outside to inside. Each view has a ``text``, an HTML form and `to_dict`."""

    def __init__(
        self, walker: Walker, batch: Sequence[Any], title: str = "", notes: Sequence[str] = (),
        form: Form | None = None, reads: Callable[[str, str | None], Scope] | None = None,
    ) -> None:  # fmt: skip
        self.walker, self.title, self.notes = walker, title, tuple(notes)
        #: what it takes to look at a new example; None where that is not known
        self.form, self._reads = form, reads
        self.step: Step = walker.run(batch)

    # ------------------------------------------------------------------------------- views

    @property
    def layers(self) -> tuple[str, ...]:
        """The calls of layers, in the order in which they run."""
        return tuple(seen.name for seen in self.step.calls)

    def network(self) -> View:
        """All calls in their order, what each reads, and how large its values and gradients are."""
        step, rows = self.step, []
        for seen in step.calls:
            grad = seen.result.grad
            reads = "; ".join(read.text for read in seen.call.reads)
            rows.append(
                (
                    seen.name,
                    seen.kind,
                    reads,
                    _shape(seen.result.array.shape[1:]),
                    _size(seen.result.array),
                    None if grad is None else _size(grad),
                )
            )
        heads = ("layer", "kind", "reads", "output", "|a|", "|dL/da|")
        words = "sizes are root mean squares; `reads` is what the forward pass did, in its order"
        learner = self.walker.learner
        name = getattr(learner.criterion.function, "__name__",
                       type(learner.criterion.function).__name__)  # fmt: skip
        parts = [Text(note) for note in self.notes]
        rows_of = "1 row" if (n := _rows(step)) == 1 else f"{n} rows"
        mode = "in training" if step.training else "as it predicts"
        said = f"loss {step.loss:.6g} ({name})" if step.loss is not None else "the forward pass"
        parts.append(Text(f"{said} on {rows_of}; the model is {mode}"))
        reader = "the loss reads" if step.loss is not None else "the output is"
        last = Text(f"{reader} {step.output_read.text}")
        return View(
            self.title or type(learner.model).__name__,
            (*parts, Table("Forward, in order", heads, tuple(rows), words), last),
        )

    def layer(self, name: str) -> View:
        """The units of a layer, those that matter most to the loss first."""
        seen = self.seen(name)
        value, grad = seen.result.array, seen.result.grad
        axis = self._axis(seen)
        size = value if grad is None else grad
        along = tuple(a for a in range(value.ndim) if a != axis % value.ndim)
        strength = np.sqrt((size.astype(np.float64) ** 2).mean(axis=along)) if value.ndim else size
        order = sorted(np.argsort(-np.atleast_1d(strength))[:UNITS].tolist())
        rows = []
        for unit in order:
            place = self.place(seen, unit)
            rows.append((unit, str(list(place)), float(value[place]),
                         None if grad is None else float(grad[place])))  # fmt: skip
        count = np.atleast_1d(strength).size
        words = f"{UNITS} of {count} units, by gradient" if count > UNITS else ""
        parts: list[Any] = [
            Text(f"{seen.name}: {seen.layer!r}".split("\n")[0]),
            Text("reads " + "; ".join(read.text for read in seen.call.reads)),
            Table("Units", ("unit", "where", "a", "dL/da"), tuple(rows), words),
        ]
        if seen.parameters:
            own = tuple(
                (p.name, _shape(p.before.shape), _size(p.before),
                 None if p.grad is None else _size(p.grad), _size(p.after - p.before))
                for p in seen.parameters.values()
            )  # fmt: skip
            heads = ("parameter", "shape", "|w|", "|dL/dw|", "|update|")
            parts.append(Table("Parameters", heads, own))
        return View(f"{seen.name} ({seen.kind})", tuple(parts), (seen.name,))

    def unit(self, name: str, unit: int | None = None, at: Index | None = None) -> View:
        """One output of a layer: forward and backward in formulas with the numbers in them.

        ``unit`` counts outputs, or channels; of its places the one with the largest gradient is
        shown, or ``at``, a whole index.
        """
        seen = self.seen(name)
        place = self.place(seen, unit, at)
        parts = explain_unit(self.walker, self.step, seen, place)
        return View(f"{seen.name}{list(place)} ({seen.kind})", tuple(parts),
                    (seen.name, str(list(place))))  # fmt: skip

    def weight(self, name: str, index: Index | int | None = None) -> View:
        """One number of a parameter: its gradient in terms, the update, and the check.

        By default the one with the largest gradient.
        """
        parameter = self.parameter(name)
        place = self._index(parameter, index)
        parts = explain_weight(self.walker, self.step, parameter, place)
        parts += update_of(self.walker, self.step, parameter, place)
        if parameter.grad is not None:
            parts.append(self.check(name, place).table())
        parts.append(Text(sentence(parameter, place)))
        return View(f"{name}{list(place)}", tuple(parts), (name, str(list(place))))

    def input(self, index: Index | None = None, number: int = 0) -> View:
        """One number of an input: what arrives there, and the check."""
        if not 0 <= number < len(self.step.inputs):
            raise ConfigError(
                f"there is no input {number}", help=f"the model has {len(self.step.inputs)}"
            )
        value = self.step.inputs[number]
        if index is None and value.grad is None:
            index = (0,) * value.array.ndim
        place = _checked(index, value.array, value.grad, "the input")
        parts = explain_input(self.walker, self.step, number, place)
        if value.grad is not None:
            found = difference_at(self.walker, self.step, f"input {number}", place,
                                  float(value.grad[place]))  # fmt: skip
            parts.append(found.table())
        if self.walker.names:
            parts.append(inputs_of(self.step))
        name = value.name(place, "")
        title = f"input{list(place)}{f' {name}' if name else ''}"
        return View(f"{title} = {in_digits(float(value.array[place]))}", tuple(parts),
                    ("input", str(list(place))))  # fmt: skip

    def loss(self) -> View:
        """How the loss comes about, and what it sends back."""
        parts = loss_of(self.walker.learner.criterion.function, self.step)
        return View("the loss", tuple(parts), ("loss",))

    def check(self, name: str, index: Index | int | None = None) -> Any:
        """The finite difference of the whole loss beside the gradient; see `Difference`."""
        parameter = self.parameter(name)
        place = self._index(parameter, index)
        gradient = 0.0 if parameter.grad is None else float(parameter.grad[place])
        return difference_at(self.walker, self.step, name, place, gradient)

    def walk(self, layer: str | None = None, unit: int | None = None) -> list[View]:
        """From the network to one weight: the views that a first look takes."""
        name = layer or self._first()
        views = [self.network(), self.layer(name), self.unit(name, unit), self.loss()]
        if self.walker.names:
            views.insert(1, self.input())
        own = [p for p in self.seen(name).parameters.values() if p.grad is not None]
        return [*views, self.weight(own[0].name)] if own else views

    # -------------------------------------------------------------------------- what if

    def what_if(
        self,
        weights: Mapping[tuple[str, Index | int], float] | None = None,
        inputs: Mapping[Index, float] | None = None,
        target: Mapping[Index | int, float] | None = None,
    ) -> WhatIf:
        """The same step with some numbers changed: ``weights={("fc1.weight", (0, 1)): 0.5}``,
        ``inputs={(0, 2): 1.0}`` (row, column), ``target={0: 1}``. Nothing of the model changes."""
        overrides: dict[str, Any] = dict(self.walker.overrides)
        for (name, index), value in (weights or {}).items():
            parameter = self.parameter(name)
            array = np.array(overrides.get(name, parameter.before))
            array[self._index(parameter, index)] = value
            overrides[name] = array
        *given, goal = self.step.batch
        arrays = [np.array(a) for a in given]
        for place, value in (inputs or {}).items():
            _set(arrays[0], place, value, "the input")
        if goal is None and target:
            raise ConfigError("there is no target to change", help="give the row one: --target")
        wanted: Any = tuple(map(np.array, goal)) if isinstance(goal, tuple) else (
            None if goal is None else np.array(goal))  # fmt: skip
        for spot, value in (target or {}).items():
            array = wanted[0] if isinstance(wanted, tuple) else wanted
            _set(array, spot if isinstance(spot, tuple) else (spot,), value, "the target")
        after = Scope(
            self.walker.with_weights(overrides), (*arrays, wanted), self.title, (), self.form,
            self._reads,
        )  # fmt: skip
        return WhatIf(self, after)

    def at(self, row: str, target: str | None = None) -> Scope:
        """The same of a new example, as somebody types it. ConfigError for what is no run."""
        if self._reads is None:
            raise ConfigError("only a run reads new examples", help="pass its rows to cr.scope")
        return self._reads(row, target)

    # -------------------------------------------------------------------------- finding

    def seen(self, name: str) -> Seen:
        """A call by its name. ConfigError if there is none."""
        for call in self.step.calls:
            if call.name == name:
                return call
        inside = [n for n in self.layers if n.startswith(f"{name}.")]
        help_ = f"it is made of {', '.join(inside[:6])}" if inside else (
            f"{meant(name, self.layers)}layers: {', '.join(self.layers[:12])}")  # fmt: skip
        raise ConfigError(f"no layer {name!r} was called in the forward pass", help=help_)

    def parameter(self, name: str) -> Parameter:
        """A parameter by its name. ConfigError if there is none."""
        found = self.step.parameters.get(name)
        if found is None:
            known = list(self.step.parameters)
            raise ConfigError(
                f"there is no parameter {name!r}",
                help=f"{meant(name, known)}parameters: {', '.join(known[:12])}",
            )
        return found

    def place(self, seen: Seen, unit: int | None = None, at: Index | None = None) -> Index:
        """Where to look: ``at``, or the place of ``unit`` with the largest gradient."""
        value, grad = seen.result.array, seen.result.grad
        if at is not None:
            return _checked(at, value, grad, seen.name)
        size = np.abs(value if grad is None else grad)
        if unit is None or not value.ndim:
            return _largest(size)
        axis = self._axis(seen)
        if not 0 <= unit < value.shape[axis]:
            raise ConfigError(
                f"{seen.name} has no unit {unit}", help=f"units are 0 to {value.shape[axis] - 1}"
            )
        rest = _largest(np.take(size, unit, axis))
        spot = list(rest)
        spot.insert(axis % value.ndim, unit)
        return tuple(spot)

    def units(self, seen: Seen) -> int:
        """How many units a call has."""
        shape = seen.result.array.shape
        return int(shape[self._axis(seen)]) if shape else 1

    def _axis(self, seen: Seen) -> int:
        """Where the units of a call lie, as `Taps` has it."""
        axis = -1
        for call in self.step.calls:
            if isinstance(call.layer, CHANNELS):
                axis = 1
            elif call.parameters:
                axis = -1
            if call is seen:
                break
        return axis if seen.result.array.ndim > 1 else -1

    def _index(self, parameter: Parameter, index: Index | int | None) -> Index:
        given = (index,) if isinstance(index, int) else index
        return _checked(given, parameter.before, parameter.grad, parameter.name)

    def _first(self) -> str:
        """The layer that a first look goes to: the first one that learns."""
        for seen in self.step.calls:
            own = seen.parameters.values()
            if own if self.step.loss is None else any(p.grad is not None for p in own):
                return seen.name
        if not self.step.calls:
            raise ConfigError(
                "no layer was called in the forward pass",
                help="the microscope looks at modules: compute with layers of chainrule.nn",
            )
        return self.layers[0]

    # -------------------------------------------------------------------------- rendering

    def to_dict(self) -> dict[str, Any]:
        """The views of `walk`, for JSON."""
        return {"layers": list(self.layers), "views": [v.to_dict() for v in self.walk()]}

    def __str__(self) -> str:
        return str(self.network())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return page_of([(v.title, v.parts) for v in self.walk()])


class WhatIf:
    """A step ``before`` and ``after`` some numbers were changed; both are a `Scope`."""

    def __init__(self, before: Scope, after: Scope) -> None:
        self.before, self.after = before, after

    def view(self) -> View:
        """Loss, outputs and layers side by side."""
        a, b = self.before.step, self.after.step
        rows: list[tuple[Any, ...]] = []
        if a.loss is not None and b.loss is not None:
            rows.append(("loss", a.loss, b.loss, b.loss - a.loss))
        flat = zip(np.ravel(a.output.array), np.ravel(b.output.array), strict=True)
        for i, (before, after) in list(enumerate(flat))[:UNITS]:
            index = list(map(int, np.unravel_index(i, a.output.array.shape)))
            rows.append((f"output {index}", float(before), float(after), float(after - before)))
        layers = []
        for old, new in zip(a.calls, b.calls, strict=True):
            grads = [None if s.result.grad is None else _size(s.result.grad) for s in (old, new)]
            layers.append((old.name, _size(old.result.array), _size(new.result.array), *grads))
        heads = ("layer", "|a| before", "after", "|dL/da| before", "after")
        return View("what if", (
            Table("Loss and outputs", ("", "before", "after", "change"), tuple(rows)),
            Table("Both passes", heads, tuple(layers)),
        ))  # fmt: skip

    def __str__(self) -> str:
        return str(self.view())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.view()._repr_html_()


def _largest(size: Any) -> Index:
    if not size.size:
        raise ConfigError("the layer gave no numbers", help="pass at least one row")
    return tuple(map(int, np.unravel_index(int(np.nanargmax(size)), size.shape)))


def _checked(index: Index | None, value: Any, grad: Any, name: str) -> Index:
    """``index``, or by default the place with the largest gradient. ConfigError beyond the end."""
    if index is None:
        return _largest(np.abs(value if grad is None else grad))
    fits = len(index) == value.ndim and all(
        -n <= i < n for i, n in zip(index, value.shape, strict=True)
    )
    if not fits:
        raise ConfigError(f"{name} has no index {list(index)}", help=f"its shape is {value.shape}")
    return tuple(int(i) % n for i, n in zip(index, value.shape, strict=True))


def _set(array: Any, index: Index, value: float, name: str) -> None:
    array[_checked(index, array, None, name)] = value


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) if shape else "()"


def _size(array: Any) -> float:
    values = np.asarray(array, np.float64)
    return float(np.sqrt((values**2).mean())) if values.size else 0.0


def _rows(step: Step) -> int:
    return int(step.inputs[0].array.shape[0]) if step.inputs and step.inputs[0].array.ndim else 1
