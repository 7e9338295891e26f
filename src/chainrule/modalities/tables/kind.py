"""Tables as a kind of data: all that runs, reports and commands know about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import numpy.typing as npt

from ...data import Preprocessor
from ...nn import EnsembleLoss, Module, PinballLoss
from ...nn.members import Outputs
from ...runs.choosing import Candidates
from ...runs.modality import PARTS, Batch, Draft, Modality, Part, Words
from ...runs.settings.arguments import COMMON_ARGUMENTS
from ...runs.settings.sources import Key
from ...runs.space import Space
from ...runs.task import Task
from ...tasks import Binary, Multiclass, Quantiles, Regression
from ...tasks.labels import goal_of
from ...train import Scores
from ...train.criterion import LOSSES
from .checks import CHECKS
from .draft import draft
from .encodings import encodings
from .ensemble import bagged
from .missing import missing_counts
from .network import TableNet, build, fit_network
from .opening import complete_settings, open_table
from .options import OPTIONS, SOURCES
from .predictor import TablePredictor
from .prepare import OpenedTable, PreparedTable, transform_of
from .realmlp import RealMLP
from .recognising import recognises
from .settings import Settings
from .several import TargetsPredictor, by_target
from .sharing import readers
from .space import space_for
from .weights import check_unmixed
from .words import words_for

__all__ = ["KIND", "TABLES", "Tables"]

#: what the outputs of a network are, by the name of its task
OUTPUTS: Mapping[str, Outputs] = {
    "binary": "sigmoid", "multiclass": "softmax", "regression": "identity",
    "quantiles": "identity",
}  # fmt: skip


class Tables(Modality[Settings, TablePredictor]):
    """Rows and columns: files, data frames, arrays, dicts of columns."""

    name = "tables"
    is_default = True
    refits = True
    settings = Settings
    arguments: Mapping[str, Key] = {
        **COMMON_ARGUMENTS,
        "target": ("data", "target"),
        "also": ("data", "also"),
        "query": ("data", "query"),
        "task": ("data", "task"),
        "preset": ("preset",),
        "columns": ("data", "columns"),
        "missing": ("data", "missing"),
        "test": ("data", "test"),
        "valid": ("data", "valid"),
        "split_group": ("data", "split_group"),
        "split_time": ("data", "split_time"),
        "layers": ("model", "layers"),
        "dropout": ("model", "dropout"),
        "weight_decay": ("train", "optimizer", "weight_decay"),
        "weights": ("data", "weight"),
        "ensemble": ("model", "members"),
        "quantiles": ("data", "quantiles"),
        "transform": ("data", "transform"),
        "class_weights": ("train", "class_weights"),
    }
    sources, options = SOURCES, OPTIONS
    tasks: Mapping[str, type[Task]] = {
        t.name: t for t in (Binary, Multiclass, Regression, Quantiles)
    }
    facts: ClassVar[Mapping[str, Any]] = {"model": {"layers": [int], "columns": int}}
    predictor = TablePredictor
    checks: Sequence[Any] = CHECKS

    def recognises(self, source: object) -> float:
        return recognises(source)

    def open(self, settings: Settings, source: object, folder: Path | None) -> OpenedTable:
        origin = settings.data.path if source is None else source
        table, bundled = open_table(origin, settings.data.query or None, readers(settings))
        settings = complete_settings(settings, origin, table, bundled)
        data = settings.data
        held_out: dict[str, Any] = {
            name: open_table(path, data.query or None)[0]
            for name, path in (("valid", data.valid), ("test", data.test)) if path
        }  # fmt: skip
        return OpenedTable(table, bundled.path if bundled else origin, settings, **held_out)

    def build(self, preprocessor: Preprocessor, settings: Settings) -> TableNet | RealMLP:
        goal = goal_of(preprocessor)
        return build(preprocessor, goal.outputs, settings.model, OUTPUTS[goal.name])

    def fit_network(self, network: Module, prepared: PreparedTable) -> None:
        assert isinstance(network, TableNet | RealMLP)
        fit_network(network, prepared.parts.train)

    def loss(self, prepared: PreparedTable) -> Any:
        name = prepared.settings.train.objective
        together, levels = prepared.settings.model.together, prepared.settings.data.quantiles
        if levels:
            loss = PinballLoss(levels)
            return EnsembleLoss(loss) if together else loss
        return EnsembleLoss(LOSSES[name]()) if together else name

    def read_preprocessor(self, text: str, where: str) -> Preprocessor:
        return Preprocessor.from_json(text, where)

    def goal(self, preprocessor: Preprocessor) -> Task:
        return goal_of(preprocessor)

    def describe(self, facts: Mapping[str, Any]) -> Words:
        return words_for(facts)

    def everything(self, prepared: PreparedTable) -> Part:
        sizes = prepared.sizes
        parts = [prepared.weighted(name) for name in PARTS if sizes[name]]
        inputs, *columns = zip(*parts, strict=True)
        joined = (
            tuple(np.concatenate(column) for column in zip(*inputs, strict=True))
            if isinstance(inputs[0], tuple)
            else np.concatenate(inputs)
        )
        return cast(Part, (joined, *map(np.concatenate, columns)))

    def candidates(self, prepared: PreparedTable) -> Candidates[Settings] | None:
        asked = prepared.asked
        if asked is None or asked.train.time_limit or not prepared.sizes["validation"]:
            return None
        return encodings(asked, prepared.settings, prepared.sizes["train"])

    def untried(self, prepared: PreparedTable) -> Mapping[str, Any]:
        asked = prepared.asked
        tried = asked and encodings(asked, prepared.settings, prepared.sizes["train"])
        return {"model.trial_epochs": 0} if tried else {}

    def space(self, settings: Settings) -> Space:
        return space_for(settings)

    def transform(self, prepared: PreparedTable) -> Callable[..., Batch] | None:
        preprocessor = prepared.preprocessor
        check_unmixed(prepared.settings)
        return transform_of(preprocessor, goal_of(preprocessor), prepared.settings.train)

    def bagged(self, settings: Settings) -> Mapping[str, Sequence[Settings]]:
        return bagged(settings)

    def by_target(self, settings: Settings) -> Mapping[str, Settings]:
        return by_target(settings)

    def of_targets(self, predictors: Sequence[TablePredictor], run: Path | None) -> TablePredictor:
        return TargetsPredictor(predictors, run)

    def row_numbers(self, prepared: PreparedTable) -> npt.NDArray[np.int64]:
        return prepared.parts.val.rows

    def evaluation(self, prepared: PreparedTable, scores: Scores) -> dict[str, Any]:
        train = prepared.parts.train
        counts = missing_counts(prepared.preprocessor, train.features)
        every = train.gathering.added(np.array(list(counts.values())))
        return {"missing": dict(zip(counts, every.tolist(), strict=True))}

    def draft(self, settings: Settings, output: Path) -> Draft[Settings]:
        return draft(settings, output)


KIND = TABLES = Tables()
