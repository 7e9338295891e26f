"""How runs on tables describe themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...phrasing import listed
from ...runs.modality import Words
from ...unverified import items, number, table, text

__all__ = ["words_for"]


def words_for(facts: Mapping[str, Any]) -> Words:
    """The words for a run, from the contents of ``run.json``."""
    data, model = table(facts.get("data")), table(facts.get("model"))
    layers = "-".join(text(width) for width in items(model.get("layers")))
    members = number(model.get("members")) or 1
    several = f"{members:g} x " if members > 1 else ""
    name = text(model.get("network")) or "mlp"
    return Words(
        unit="row",
        units="rows",
        source=f"{text(data.get('rows'))} rows, {text(model.get('columns'))} columns",
        network=several + (f"{name} {layers}" if layers else "linear"),
        model=_network(model.get("layers"), members),
        new="new.csv",
        labelled="labelled.csv",
    )


def _network(widths: object, members: float) -> str:
    """``a network with hidden layers of 64 and 64 units``."""
    if not isinstance(widths, list):
        return "a model"
    start = f"an ensemble of {members:g} networks" if members > 1 else "a network"
    if not widths:
        return f"{start} without hidden layers" if members > 1 else "a linear model"
    kind = "a hidden layer" if len(widths) == 1 else "hidden layers"
    return f"{start} with {kind} of {listed([text(w) for w in widths])} units"
