"""How runs on sound describe themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...runs.modality import Words
from ...unverified import table, text

__all__ = ["words_for"]


def words_for(facts: Mapping[str, Any]) -> Words:
    """The words for a run, from the contents of ``run.json``."""
    data, model = table(facts.get("data")), table(facts.get("model"))
    details = [detail for key in ("name", "features") if (detail := text(model.get(key)))]
    kind = "recurrent" if model.get("name") == "gru" else "convolutional"
    network = f"a {kind} network" + (f" ({', '.join(details)})" if details else "")
    return Words(
        unit="recording",
        units="recordings",
        source=f"{text(data.get('rows'))} recordings of {text(model.get('clips'))}",
        network=text(model.get("name")),
        model=network,
        new="recordings",
        labelled="labelled",
    )
