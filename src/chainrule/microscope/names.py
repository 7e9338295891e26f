"""What the numbers of a step are called: those of inputs by the columns or tokens that they are,
those of arguments by the numbers that they were moved from.

A network for tables joins its columns with vectors of categories: which is which is not guessed
from the order, but followed through the graph (`Recording.origins`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .. import nn
from .recording import Call, Recording
from .values import Label, Value

__all__ = ["Name", "columns", "named"]

#: what a number of an input is called: its index, and the number
Name = Callable[[tuple[int, ...], float], str]


def columns(names: Sequence[str]) -> Name:
    """By the column that a number is in, along the last axis."""
    return lambda index, value: names[index[-1]] if index[-1] < len(names) else ""


def named(recording: Recording, values: Sequence[Value], names: Sequence[Name]) -> None:
    """Labels the values of a step, as far as they are numbers of inputs that have names."""
    for number, name in zip(recording.inputs, names, strict=False):
        values[number].label = _of_input(values[number], name)
    for call in recording.calls:
        for number in call.arguments:
            if values[number].label is None:
                values[number].label = _moved(recording, values, number)
        if isinstance(call.layer, nn.Embedding):
            _label_vectors(call, values)


def _of_input(value: Value, name: Name) -> Label:
    return lambda index: name(index, float(value.array[index]))


def _moved(recording: Recording, values: Sequence[Value], number: int) -> Label | None:
    """By where each number was moved from; None unless some of them have a name there."""
    origins = recording.origins(number)
    if origins is None or not any(
        values[source].label for source in np.unique(origins[..., 0]).tolist()
    ):
        return None
    makers = {n: call.name for call in recording.calls for n in call.results}

    def label(index: tuple[int, ...]) -> str:
        source, place = map(int, origins[index])
        there = tuple(map(int, np.unravel_index(place, values[source].array.shape)))
        own = values[source].label
        return own(there) if own else f"{makers.get(source, 'input')}{list(there[1:])}"

    return label


def _label_vectors(call: Call, values: Sequence[Value]) -> None:
    """The numbers of a vector are called as what it stands for."""
    given, result = values[call.arguments[0]], values[call.results[0]]
    own = given.label
    if own is not None and result.label is None:
        result.label = lambda index: f"{own(index[:-1])} [{index[-1]}]"
