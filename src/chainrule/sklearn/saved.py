"""A network for a table, or an ensemble of them, as text and arrays, and back."""

from __future__ import annotations

from typing import Any

from ..errors import StateError
from ..modalities.tables import TABLES, TablePredictor
from ..nn.init import spared
from ..runs.mixture import Mixture
from ..runs.settings.sources import from_text, gather

__all__ = ["saved_model", "unsaved_model"]

ALONE = {"settings", "preprocessor", "weights"}
TOGETHER = {"members", "shares", "temperature", "facts"}


def saved_model(predictor: TablePredictor) -> dict[str, Any]:
    """What is needed to predict: what a run folder holds in run.toml, pipeline.json and
    model.safetensors; of an ensemble, what those of all its networks hold, and their shares."""
    if not predictor.members:
        return _saved(predictor)
    return {
        "members": [_saved(member) for member in predictor.members],
        "shares": predictor.mixture.weights,
        "temperature": predictor.mixture.temperature,
        "facts": dict(predictor.group_facts),
    }


def _saved(predictor: TablePredictor) -> dict[str, Any]:
    return {
        "settings": predictor.settings.to_toml(),
        "preprocessor": predictor.preprocessor.to_json(),
        "weights": dict(predictor.model.state_dict()),
    }


def unsaved_model(saved: dict[str, Any]) -> TablePredictor:
    """The predictor of which `saved_model` was taken. StateError if it is damaged."""
    if set(saved) == TOGETHER:
        members = [_unsaved(member) for member in saved["members"]]
        mixture = Mixture(saved["shares"], saved["temperature"])
        return members[0].answer_for(members, saved["facts"], mixture)
    return _unsaved(saved)


def _unsaved(saved: dict[str, Any]) -> TablePredictor:
    if set(saved) != ALONE:
        raise StateError("this estimator holds no network", help="fit it again")
    settings = gather([from_text(saved["settings"], "settings")], TABLES.settings).settings
    preprocessor = TABLES.read_preprocessor(saved["preprocessor"], "preprocessor")
    with spared():
        model = TABLES.build(preprocessor, settings)
    model.load_state_dict(saved["weights"])
    return TablePredictor(model, preprocessor, settings, TABLES.goal(preprocessor))
