"""``python -m benchmarks.tuning``: thirty trials against the settings as they are.

Five tables of the half of `benchmarks.tables` that no preset and no space was chosen on, named
before the first of them was tuned. Each is divided by Chainrule, with seed 0; trials see training
and validation rows, and both results are of the test rows: log-loss for classes, the root of the
mean squared error for numbers.

    python -m benchmarks.tuning --json tuning.json      goes on where it was ended
    python -m benchmarks.tuning --read tuning.json      the table, as Markdown
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from benchmarks.tables.sources import CLASSES, NUMBERS, Source, half

TABLES = ("cells", "credit", "email", "computers", "houses")
TRIALS = 30
TARGET = "target"


def source_of(name: str) -> Source:
    """A table by its name."""
    return next(s for s in (*CLASSES, *NUMBERS) if s.name == name)


def measure(source: Source, folder: Path, trials: int) -> dict[str, Any]:
    """The result of a table: the metric on the test part by default and tuned, and seconds."""
    frame, target = source.load()
    frame[TARGET] = np.char.add("c", target.astype(str)) if source.classes else target
    path = folder / f"{source.name}.parquet"
    frame.to_parquet(path)
    metric = "log_loss" if source.classes else "rmse"
    usual = cr.fit_table(path, TARGET, runs_dir=None, verbose=False)
    started = time.process_time()
    tuned = cr.tune(path, TARGET, trials=trials, runs_dir=folder / "runs", verbose=False)
    assert tuned.predictor is not None
    assert tuned.best is not None
    return {
        "table": source.name,
        "rows": len(frame),
        "metric": metric,
        "default": usual.metrics[metric],
        "tuned": tuned.predictor.metrics[metric],
        "validation": [tuned.trials[0].value, tuned.best_value],
        "best": tuned.best.index + 1,
        "settings": dict(tuned.changes),
        "states": {s: sum(t.state == s for t in tuned.trials)
                   for s in ("complete", "pruned", "failed")},
        "cpu_seconds": round(time.process_time() - started, 1),
    }  # fmt: skip


def markdown(results: list[dict[str, Any]]) -> str:
    """All results as a table, and how many were won."""
    lines = ["| table | rows | metric | default | tuned | change | best trial | cut short | s |",
             "|---|---:|---|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    for r in results:
        change = r["tuned"] / r["default"] - 1
        lines.append(
            f"| {r['table']} | {r['rows']:,} | {r['metric']} | {r['default']:.4g} | "
            f"{r['tuned']:.4g} | {change:+.1%} | {r['best']} | {r['states']['pruned']} | "
            f"{r['cpu_seconds']:.0f} |"
        )
    won = sum(r["tuned"] < r["default"] for r in results)
    return "\n".join([*lines, "", f"{won} of {len(results)} tables are better after tuning."])


def main() -> None:
    """Measures what is missing in the file, or prints it."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.tuning")
    p.add_argument("--json", default="tuning.json", help="file with the results")
    p.add_argument("--read", help="print the results of a file")
    p.add_argument("--trials", type=int, default=TRIALS)
    arguments = p.parse_args()
    file = Path(arguments.read or arguments.json)
    results = json.loads(file.read_text()) if file.exists() else []
    if not arguments.read:
        for name in TABLES:
            assert half(source_of(name)) == "judging"
            if any(r["table"] == name for r in results):
                continue
            with tempfile.TemporaryDirectory() as folder:
                results.append(measure(source_of(name), Path(folder), arguments.trials))
            file.write_text(json.dumps(results, indent=1))
            print(json.dumps(results[-1]), flush=True)
    print(markdown(results))


if __name__ == "__main__":
    main()
