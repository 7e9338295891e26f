"""A predictor from the folder of a run on a table. Nothing in the folder is ever run."""

from __future__ import annotations

import os
from pathlib import Path

from ...arguments import user_path
from ...data import Preprocessor
from ...errors import StateError
from ...runs.loading import check_settings, read_facts, saved_run, text_of
from ...runs.settings.sources import from_text, gather
from ...train import load
from .network import build
from .predictor import Predictor
from .settings import Settings

__all__ = ["load_run", "read_settings"]


def load_run(path: str | os.PathLike[str]) -> Predictor:
    """The predictor of a run folder that ``fit`` or the command line wrote.

    Raises StateError with file and place when the folder is not one, is unfinished, or when a file
    was changed, cut off or belongs to another run.
    """
    folder = user_path(path, "the run folder")
    facts = read_facts(folder)
    saved = saved_run(folder, facts)
    settings = read_settings(folder)
    check_settings(facts, settings, folder)
    pipeline = Preprocessor.from_json(
        text_of(folder, "pipeline.json"), str(folder / "pipeline.json")
    )
    target = pipeline.schema.target
    if target is None or target.name != settings.data.target or target.task != facts["task"]:
        raise StateError(
            "pipeline.json and run.toml do not belong together",
            where=str(folder),
            help="copy the whole folder again",
        )
    model = build(pipeline, settings.model)
    model.load_state_dict(load(folder / "model.safetensors"))
    return Predictor(model, pipeline, settings, **saved)


def read_settings(folder: Path) -> Settings:
    """``run.toml``, which leaves nothing to decide."""
    where = str(folder / "run.toml")
    settings = gather([from_text(text_of(folder, "run.toml"), where)], Settings).settings
    if "auto" in (settings.model.layers, settings.model.dropout, settings.train.loss):
        raise StateError(
            "the settings of the run are not complete",
            where=where,
            help="it was changed by hand; copy it again or train again",
        )
    return settings
