"""Everything a training depends on, gathered and put back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arguments import check_state
from ..errors import StateError
from ..frontend import default_generator, no_grad
from ..frontend.apply import from_array
from .callbacks.rates import schedule_states, set_schedule_states
from .learning import Restorable
from .run import Run, check_settings

__all__ = ["check_position", "gathered", "put_back", "set_weights_of", "weights_of"]


def gathered(learner: Restorable, run: Run | None, snapshot: bool = False) -> dict[str, Any]:
    """All of it, as copies: numbers, text, lists, tuples, dicts and arrays.

    A ``snapshot`` is for going back within a training: callbacks that hold snapshots themselves are
    left out.
    """
    state: dict[str, Any] = {
        "model": dict(learner.model.state_dict()),
        "buffers": {name: buffer.numpy() for name, buffer in _transient(learner)},
        "optimizer": learner.optimizer.state_dict(),
        "schedules": schedule_states(learner.optimizer),
        "parts": {name: part.state_dict() for name, part in _parts(learner)},
        "accumulated": learner.accumulation.arrays(),
        "random": default_generator.get_state(),
        "history": learner.history.state(),
    }
    if run is not None:
        state |= {
            "settings": run.settings(learner.accumulation),
            "place": run.position(),
            "stop": learner.stop_training,
            "callbacks": run.hooks.state(snapshot),
        }
    return state


def put_back(learner: Restorable, state: Mapping[str, Any], run: Run | None) -> None:
    """Goes back to what `gathered` gave, the callbacks apart.

    Raises StateError, before anything is changed, if it belongs to another model or optimizer, or
    to a training with other settings.
    """
    _check_kind(state)
    if run is not None and "settings" in state:
        check_settings(state["settings"], run.settings(learner.accumulation))
    weights_before = learner.model.state_dict()
    learner.model.load_state_dict(state["model"])
    try:
        learner.optimizer.load_state_dict(state["optimizer"])
    except StateError:
        learner.model.load_state_dict(weights_before)
        raise
    buffers = dict(_transient(learner))
    with no_grad():
        for name, array in state["buffers"].items():
            if name in buffers:
                buffers[name].assign_(from_array(np.asarray(array)))
    set_schedule_states(learner.optimizer, state["schedules"])
    for name, part in _parts(learner):
        if name in state["parts"]:
            part.load_state_dict(state["parts"][name])
    learner.accumulation.set_arrays(state["accumulated"] or None)
    learner.history.set_state(state["history"])
    default_generator.set_state(state["random"])
    if run is not None and "place" in state:
        run.set_position(state["place"])
        learner.accumulation.begin(run.order, run.steps)
        learner.stop_training = state["stop"]


def check_position(state: Mapping[str, Any]) -> None:
    """StateError if a checkpoint does not say where in a training it was written."""
    missing = sorted({"place", "settings", "stop", "callbacks"} - set(state))
    if missing:
        raise StateError(
            f"this is not the state of a training: missing {', '.join(missing)}",
            help="use an earlier checkpoint; the latest intact one is chosen automatically",
        )


def weights_of(learner: Restorable) -> dict[str, Any]:
    """Copies of the model's weights, and of the averaged ones if there is an average."""
    weights: dict[str, Any] = {"model": dict(learner.model.state_dict())}
    average = [part.state_dict() for name, part in _parts(learner) if name == "average"]
    return weights | ({"average": average[0]} if average else {})


def set_weights_of(learner: Restorable, weights: Mapping[str, Any]) -> None:
    """Takes over what `weights_of` gave."""
    check_state(weights, "a model and its average", "trainer.weights()")
    if "model" not in weights:
        raise StateError(
            "these are not the weights of a trainer: `model` is missing",
            help="pass what trainer.weights() returned; for a model's own weights use "
            "model.load_state_dict",
        )
    learner.model.load_state_dict(weights["model"])
    for name, part in _parts(learner):
        if name == "average" and name in weights:
            part.load_state_dict(weights[name])


def _check_kind(state: Mapping[str, Any]) -> None:
    check_state(state, "a trainer", "trainer.state()")
    required = {"model", "optimizer", "schedules", "random", "history", "accumulated", "parts"}
    missing = sorted(required - set(state))
    if missing:
        raise StateError(
            f"this is not the state of a trainer: missing {', '.join(missing)}",
            help="pass what trainer.state() returned; for weights alone use model.load_state_dict",
        )


def _transient(learner: Restorable) -> list[tuple[str, Any]]:
    """Buffers that a state dict leaves out: a training goes on from their values all the same."""
    saved = set(learner.model.state_dict())
    return [(name, b) for name, b in learner.model.named_buffers() if name not in saved]


def _parts(learner: Restorable) -> list[tuple[str, Any]]:
    """The arguments of the trainer that have a state of their own."""
    parts = {
        "average": learner.average,
        "clip": learner.clip,
        "penalty": learner.penalty,
        "constraint": learner.constraint,
        "transform": learner.transform,
    }
    return [(name, p) for name, p in parts.items() if callable(getattr(p, "state_dict", None))]
