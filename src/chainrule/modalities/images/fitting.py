"""One fit on images: from prepared images to the predictor, in a run folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...data import Finding
from ...runs.folder import RunFolder, json_text
from ...runs.listeners import Listener
from ...runs.training import Course, generator_at
from ...tasks.evaluation import confusion
from ...train import Scores, Trainer
from .mistakes import worst_mistakes
from .network import ImageNetwork
from .pipeline import PreparedImages
from .predictor import TASK, ImagePredictor, baseline, judge
from .settings import ImageSettings
from .trainer import new_trainer

__all__ = ["ImageFitting"]


@dataclass
class ImageFitting(Course[ImageNetwork, ImagePredictor]):
    """One fit, from prepared images to the predictor."""

    prepared: PreparedImages
    settings: ImageSettings
    place: Path | None
    heard: Listener
    named: bool

    @property
    def data_name(self) -> str:
        return self.prepared.name

    @property
    def model_name(self) -> str:
        return self.settings.model.name

    @property
    def findings(self) -> Sequence[Finding]:
        return self.prepared.findings

    def untrained(self) -> tuple[ImageNetwork, Trainer]:
        prepared, settings = self.prepared, self.settings
        with generator_at(2 * settings.seed):
            model = prepared.pipeline.network(settings)
        return model, new_trainer(model, prepared.pipeline, settings, prepared.train.labels)

    def examples(self) -> tuple[Any, Any]:
        train, val = self.prepared.train, self.prepared.val
        return (train.pixels, train.labels), (val.pixels, val.labels)

    def pipeline_text(self) -> str:
        return self.prepared.pipeline.to_json()

    def facts(self) -> dict[str, Any]:
        prepared, data = self.prepared, self.settings.data
        return {
            "task": TASK,
            "classes": list(prepared.pipeline.classes),
            "data": {
                "kind": data.kind,
                "name": prepared.name,
                "path": data.path,
                "fingerprint": prepared.fingerprint,
                "rows": prepared.rows,
                "target": data.target,
            },
            "split": {
                "train": len(prepared.train),
                "validation": len(prepared.val),
                "test": len(prepared.test),
            },
        }

    def sizes(self, model: ImageNetwork) -> dict[str, Any]:
        height, width = self.prepared.pipeline.size
        colour = "grey" if self.prepared.pipeline.channels == 1 else "RGB"
        return {"name": self.settings.model.name, "images": f"{width} x {height} {colour} pixels"}

    def judged(self, model: ImageNetwork, trainer: Trainer, folder: RunFolder) -> ImagePredictor:
        prepared = self.prepared
        predictor = ImagePredictor(
            model,
            prepared.pipeline,
            self.settings,
            history=trainer.history,
            findings=prepared.findings,
            run=folder.path,
        )
        scores = predictor.scores_of(prepared.test)
        predictor.metrics = judge(prepared.test, scores)
        predictor.baseline = baseline(prepared.train, prepared.test)
        self._write_evaluation(folder, predictor, scores)
        return predictor

    def _write_evaluation(
        self, folder: RunFolder, predictor: ImagePredictor, scores: Scores
    ) -> None:
        """``evaluation.json`` as of tables (see there), with the worst ``mistakes``."""
        if folder.path is None:
            return
        test, val = self.prepared.test, self.prepared.val
        truth = test.labels.astype(np.int64)
        document = {
            "format": "chainrule.evaluation",
            "version": 1,
            "missing": {},
            "validation": judge(val, predictor.scores_of(val)),
            "test": confusion(truth, scores.labels.astype(np.int64), list(test.classes)),
            "mistakes": worst_mistakes(test, scores),
        }
        folder.write("evaluation.json", json_text(document) + "\n")
