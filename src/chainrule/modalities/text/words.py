"""How runs on text describe themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...runs.modality import Words
from ...unverified import table, text
from .networks import NETWORKS

__all__ = ["words_for"]

#: what an example is called: one, several
UNITS = {"language": ("stretch", "stretches"), "translation": ("pair", "pairs")}


def words_for(facts: Mapping[str, Any]) -> Words:
    """The words for a run, from the contents of ``run.json``."""
    data, model = table(facts.get("data")), table(facts.get("model"))
    task, name = text(facts.get("task")) or text(data.get("task")), text(model.get("name"))
    unit, units = UNITS.get(task, ("text", "texts"))
    tokens = text(model.get("tokens"))
    known = NETWORKS.get(name)
    network = known.words if known else "a network"
    counted = f"{text(data.get('rows'))} {units}"
    if task == "language":
        counted = f"{text(data.get('characters'))} characters"
    return Words(
        unit=unit,
        units=units,
        source=f"{counted}, {tokens}" if tokens else counted,
        network=name,
        model=f"{network} ({tokens})" if tokens else network,
        new="new.txt" if task == "language" else "new.tsv",
        labelled="other.txt" if task == "language" else "labelled.tsv",
    )
