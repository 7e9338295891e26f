"""Gathers the evidence: from a trainer that has trained, or from the folder of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import ChainruleError, StateError
from ..records import file_text, parsed
from ..runs.folder import WEIGHTS_FILE, has_weights
from ..runs.loading import read_facts, read_settings
from ..runs.preparation import new_trainer, open_data, prepare_data, seeded_generator
from ..runs.recognition import kind_of_run
from ..runs.trainer import make_callbacks
from ..runtime.processors import available, get_num_threads
from ..train import Trainer, load
from ..train.callback import CallbackList
from ..train.diagnosis.examination import Examination, examine
from ..train.observation import LayerStatistics, Observation
from ..train.order import Order
from ..train.run import Run
from ..unverified import table, whole
from .evidence import Evidence

__all__ = ["evidence_of", "evidence_of_run"]


def evidence_of(trainer: Trainer, failure: str = "") -> Evidence:
    """Of a trainer after `fit`; ``failure`` is the error that ended it, if one did."""
    history = {name: tuple(values) for name, values in trainer.history.items()}
    return Evidence(
        history, trainer.observations, examine(trainer, bool(failure)), failure=failure,
        threads=get_num_threads(), processors=available(),
    )  # fmt: skip


def evidence_of_run(run: Path) -> Evidence:
    """Of the folder of a run: what it says, and, where its data still is, a look at both."""
    facts = read_facts(run)
    lines = [line for line in _lines(run / "metrics.jsonl") if "epoch" in line]
    names = dict.fromkeys(n for line in lines for n in line if n not in ("epoch", "seconds"))
    history = {
        name: tuple(float(v) if (v := line.get(name)) is not None else float("nan")
                    for line in lines)
        for name in names
    }  # fmt: skip
    failure = str(facts.get("error", "")) if facts["status"] == "failed" else ""
    return Evidence(
        history,
        tuple(_observation(line) for line in _lines(run / "layers.jsonl")),
        _examined(run, facts, failure, len(lines)),
        frozenset(str(f["code"]) for f in facts["findings"]),
        dict(_flat(facts.get("settings", {}))),
        failure,
        *(whole(table(facts.get("machine")).get(name)) or 0 for name in ("threads", "processors")),
    )


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings by their dotted keys."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _lines(file: Path) -> Iterator[Mapping[str, Any]]:
    """The objects in a file of lines; one that is cut off is left out."""
    if not file.is_file():
        return
    for line in file_text(file).splitlines():
        try:
            values = parsed(line, file.name, str(file.parent))
        except StateError:
            continue
        if isinstance(values, dict):
            yield values


def _layer(line: Mapping[str, Any]) -> LayerStatistics:
    """What is known of a layer; what a later release may add is left out."""
    known: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in line.items()
        if name in LayerStatistics.__dataclass_fields__
    }
    return LayerStatistics(**known)


def _observation(line: Mapping[str, Any]) -> Observation:
    layers = {path: _layer(layer) for path, layer in line.get("layers", {}).items()}
    return Observation(
        int(line.get("step", 1)) - 1,
        int(line.get("epoch", 1)) - 1,
        float(line["loss"]) if line.get("loss") is not None else float("nan"),
        tuple(line.get("rates", ())),
        layers,
        int(line.get("batch", 0)),
    )


def _examined(run: Path, facts: Mapping[str, Any], failure: str, epochs: int) -> Examination | None:
    """A look at the data of a run and at its model; None if the data is gone."""
    try:
        kind = kind_of_run(facts)
        settings = read_settings(kind, run)
        prepared = prepare_data(open_data(kind, settings, None, None), settings, None)
        with seeded_generator(0):
            trainer = new_trainer(kind, prepared)
            if has_weights(run):
                trainer.model.load_state_dict(load(run / WEIGHTS_FILE))
            train, held = trainer.read(prepared.train, prepared.validation)
            own = settings.train
            order = Order.of(train.rows, own.batch, settings.seed, True)
            hooks = CallbackList(make_callbacks(own), trainer)
            trainer.run = Run(train, held, order, own.epochs, hooks, epoch=epochs)
            trainer.run.clock.update(facts.get("clock", {}))
            return examine(trainer, bool(failure))
    except (ChainruleError, OSError):
        return None
