"""Run folders, compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["contents"]


def contents(runs: Path) -> dict[str, Any]:
    """Everything in a run folder that says nothing of clocks and machines."""
    (folder,) = runs.iterdir()
    facts = json.loads((folder / "run.json").read_text())
    del facts["settings"]["output"]
    kept = ("metrics", "baseline", "findings", "split", "data", "best", "task", "classes", "model",
            "settings", "epochs", "words")  # fmt: skip
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return {
        "weights": (folder / "model.safetensors").read_bytes(),
        "preprocessor": (folder / "pipeline.json").read_text(),
        "evaluation": (folder / "evaluation.json").read_text(),
        "history": [
            {k: v for k, v in json.loads(line).items() if k == "loss" or k.startswith("val_")}
            for line in lines
        ],
        **{name: facts[name] for name in kept},
    }
