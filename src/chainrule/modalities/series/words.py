"""How runs on series describe themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...runs.modality import Words
from ...unverified import table, text

__all__ = ["words_for"]


def words_for(facts: Mapping[str, Any]) -> Words:
    """The words for a run, from the contents of ``run.json``."""
    data, model = table(facts.get("data")), table(facts.get("model"))
    frequency, name = text(data.get("frequency")), text(model.get("name"))
    shape = f"{text(model.get('window'))} steps to {text(model.get('horizon'))}"
    return Words(
        unit="window",
        units="windows",
        source=f"{text(data.get('series'))} series, {text(data.get('steps'))} steps, {frequency}",
        network=f"{name}, {shape}",
        model=f"a network ({name}, from {shape})" if name else "a network",
        new="newer.csv",
        labelled="newer.csv",
    )
