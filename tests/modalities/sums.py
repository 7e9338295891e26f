"""Sums, one on each line of a ``.sums`` file (``1.5 + 2 = 3.5``), as a kind of data of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from chainrule import nn
from chainrule.arguments import user_path
from chainrule.errors import DataError
from chainrule.records import check_shape, parsed, sha256_of
from chainrule.runs.checks.result import Check, check
from chainrule.runs.dry_run import PreparedRun
from chainrule.runs.modality import Modality, PartName, Words
from chainrule.runs.option import Option, Options
from chainrule.runs.predictor import Column, Predictor
from chainrule.runs.settings.arguments import COMMON_ARGUMENTS
from chainrule.runs.settings.document import RunSettings
from chainrule.runs.settings.fields import About, Within
from chainrule.runs.settings.section import Section
from chainrule.runs.settings.sections import (
    DataSettings,
    Fold,
    ObserveSettings,
    OutputSettings,
    Seed,
    Split,
)
from chainrule.runs.settings.training import TrainSettings
from chainrule.tasks import Regression, Task

Floats = npt.NDArray[np.float64]
LINE = re.compile(r"\s*(\S+)\s*\+\s*(\S+)\s*=\s*(\S+)\s*")


@dataclass(frozen=True)
class SumsData(DataSettings):
    """The sums, and how to split them."""

    kind: Annotated[Literal["sums"], About("marks a run on sums")] = "sums"
    path: Annotated[str, About("a file of sums")] = ""
    target: Annotated[str, About("what the sum is called")] = "sum"
    split: Split = (0.7, 0.15, 0.15)
    fold: Fold = ()


@dataclass(frozen=True)
class SumsModel(Section):
    """One hidden layer."""

    TABLE: ClassVar[str] = "model"
    width: Annotated[Annotated[int, Within(1, 512)], About("units of the hidden layer")] = 16


@dataclass(frozen=True)
class SumsSettings(RunSettings):
    """The settings of a run on sums."""

    name: Annotated[str, About("name for the run folder")] = ""
    seed: Annotated[Seed, About("seed")] = 0
    data: SumsData = field(default_factory=SumsData)
    model: SumsModel = field(default_factory=SumsModel)
    train: TrainSettings = field(default_factory=TrainSettings)
    observe: ObserveSettings = field(default_factory=ObserveSettings)
    output: OutputSettings = field(default_factory=OutputSettings)


def read_sums(source: object) -> Floats:
    """Three columns: two numbers and their sum. DataError, naming the line, for anything else."""
    path = user_path(source, "the sums")  # type: ignore[arg-type]
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            rows.append([float(text) for text in LINE.fullmatch(line).groups()])  # type: ignore[union-attr]
        except (AttributeError, ValueError):
            where = f"{path}:{number}"
            raise DataError(f"{line!r} is no sum", where=where, help="write 1 + 2 = 3") from None
    return np.array(rows).reshape(-1, 3)


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of the sums, by which terms are scaled, too."""

    mean: float
    std: float

    def encode(self, rows: Floats) -> tuple[Any, Any]:
        scaled = ((rows - self.mean) / self.std).astype(np.float32)
        return scaled[:, :2], scaled[:, 2]

    def to_json(self) -> str:
        return json.dumps(asdict(self)) + "\n"


@dataclass(frozen=True)
class OpenedSums:
    settings: SumsSettings
    rows: Floats
    fingerprint: str

    def training_rows(self) -> int:
        return self.settings.data.training_rows(len(self.rows))

    def divide(self, settings: SumsSettings) -> None:
        settings.data.divide(len(self.rows), settings.seed, unit="sum")

    def prepare(self, settings: SumsSettings, folder: Path | None) -> PreparedSums:
        split = settings.data.divide(len(self.rows), settings.seed, unit="sum")
        train = self.rows[split.train]
        scaling = Scaling(float(train[:, 2].mean()), float(train[:, 2].std()))
        parts = {"train": train, "validation": self.rows[split.val], "test": self.rows[split.test]}
        chosen = settings.train.resolved(len(train), Regression)
        return PreparedSums(settings.changed(train=chosen), parts, scaling, self.fingerprint)


@dataclass(frozen=True)
class PreparedSums:
    settings: SumsSettings
    parts: Mapping[str, Floats]
    preprocessor: Scaling
    fingerprint: str
    name: str = "sums"
    model_name: str = "adder"
    findings: tuple[Any, ...] = ()

    train = property(lambda self: self.preprocessor.encode(self.parts["train"]))
    validation = property(lambda self: self.preprocessor.encode(self.parts["validation"]))
    test = property(lambda self: self.preprocessor.encode(self.parts["test"]))
    truth = property(lambda self: self.parts["test"][:, 2])
    sizes = property(lambda self: {name: len(rows) for name, rows in self.parts.items()})

    def target(self, part: PartName) -> Any:
        return self.preprocessor.encode(self.parts[part])[1]

    def with_settings(self, settings: SumsSettings) -> PreparedSums:
        return replace(self, settings=settings)

    def data_facts(self) -> dict[str, Any]:
        return {"rows": sum(map(len, self.parts.values()))}

    def model_facts(self) -> dict[str, Any]:
        return {"width": self.settings.model.width}


class SumsPredictor(Predictor[nn.Module, Scaling, SumsSettings]):
    def evaluate(self, source: object) -> dict[str, float]:
        return self.goal.compute_metrics(read_sums(source)[:, 2], self.scores(source))

    def inputs(self, source: object) -> Any:
        return self.preprocessor.encode(read_sums(source))[0]

    def columns(self, source: object, proba: bool = False) -> list[Column]:
        return [("prediction", self.predict(source))]


def looks_right(run: PreparedRun[SumsSettings]) -> Check:
    """Whether the sums are sums."""
    rows = np.concatenate(list(run.prepared.parts.values()))  # type: ignore[attr-defined]
    wrong = int(np.sum(np.abs(rows[:, 0] + rows[:, 1] - rows[:, 2]) > 1e-9))
    return check("sums", "warning" if wrong else "ok", f"{wrong} of {len(rows)} are wrong")


class Sums(Modality[SumsSettings, SumsPredictor]):
    name = "sums"
    settings = SumsSettings
    arguments: Mapping[str, tuple[str, ...]] = {**COMMON_ARGUMENTS, "width": ("model", "width")}
    sources = ("sums: a .sums file with one on each line, such as 1 + 2 = 3",)
    options: ClassVar[Options] = {"train": (Option("width", "Hidden units.", "N", read=int),)}
    tasks: Mapping[str, type[Task]] = {Regression.name: Regression}
    facts: ClassVar[Mapping[str, Any]] = {"model": {"width": int}}
    predictor = SumsPredictor
    checks = (looks_right,)

    def recognises(self, source: object) -> float:
        return 1.0 if str(source).endswith(".sums") else 0.0

    def open(self, settings: SumsSettings, source: Any, folder: Path | None) -> OpenedSums:
        path = user_path(settings.data.path if source is None else source, "the sums").absolute()
        data = replace(settings.data, path=str(path))
        named = replace(settings, data=data).named(path.stem)
        return OpenedSums(named, read_sums(path), sha256_of(path))

    def build(self, preprocessor: Scaling, settings: SumsSettings) -> nn.Module:
        width = settings.model.width
        return nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, 1))

    def read_preprocessor(self, text: str, where: str) -> Scaling:
        document = parsed(text, "pipeline.json", where)
        check_shape(document, {"mean": float, "std": float}, where)
        return Scaling(document["mean"], document["std"])

    def goal(self, preprocessor: Scaling) -> Task:
        return Regression(preprocessor.mean, preprocessor.std)

    def describe(self, facts: Mapping[str, Any]) -> Words:
        counted = f"{facts.get('data', {}).get('rows')} sums"
        return Words("sum", "sums", counted, "adder", "a network that adds", "a.sums", "b.sums")
