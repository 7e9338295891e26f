"""The command; see the package."""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tables import report
from benchmarks.tables.methods import METHODS, Method, Task, ours
from benchmarks.tables.sources import SEEDS, Source, chosen, divide, half

#: probabilities are kept this far from 0 and 1 before their logarithm is taken
SMALLEST = 1e-15


def scores(predicted: Any, truth: Any, classes: int) -> dict[str, float]:
    """What is judged: log-loss and accuracy of probabilities, RMSE of numbers."""
    if not classes:
        return {"rmse": float(np.sqrt(np.mean((predicted - truth) ** 2)))}
    own = np.clip(predicted[np.arange(len(truth)), truth], SMALLEST, 1)
    accuracy = float(np.mean(predicted.argmax(1) == truth))
    return {"log_loss": float(-np.log(own).mean()), "accuracy": accuracy}


def results(
    source: Source,
    methods: Mapping[str, Method],
    seeds: Iterable[int],
    threads: int,
    done: set[Any],
) -> Iterable[dict[str, Any]]:
    """What each method reaches on a table, for each seed."""
    wanted = [(s, n) for s in seeds for n in methods if (source.name, s, n) not in done]
    if not wanted:
        return
    rows, target = source.load()
    classes = len(np.unique(target)) if source.classes else 0
    for seed, name in wanted:
        known, test = divide(target, source.classes, seed)
        task = Task(rows.iloc[known].reset_index(drop=True), target[known],
                    rows.iloc[test].reset_index(drop=True), classes, seed, threads)  # fmt: skip
        fixed = {"table": source.name, "seed": seed, "method": name, "half": half(source),
                 "rows": len(target), "columns": rows.shape[1], "classes": classes}  # fmt: skip
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            predicted = np.asarray(methods[name](task), np.float64)
        except Exception as error:  # a peer that fails is a result
            yield {**fixed, "error": f"{type(error).__name__}: {error}"[:300]}
            continue
        seconds = {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        yield {**fixed, **scores(predicted, target[test], classes), **seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="file of lines of JSON to go on with")
    parser.add_argument("--methods", default="", help="names, with commas; by default all")
    parser.add_argument("--half", default="tuning,judging")
    parser.add_argument("--tables", default="", help="names, with commas; by default all")
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--set", nargs="*", default=[], help="settings of a method of our own")
    parser.add_argument("--name", help="what to call it")
    parser.add_argument("--table", nargs="+", type=Path, help="files to make tables of")
    options = parser.parse_args()
    if options.table:
        lines = [line for path in options.table for line in path.read_text().splitlines()]
        print(report.page([json.loads(line) for line in lines], options.half.split(",")))
        return
    warnings.filterwarnings("ignore")
    methods: dict[str, Method] = {options.name: ours(options.set)} if options.name else METHODS
    if options.methods:
        methods = {name: METHODS[name] for name in options.methods.split(",")}
    lines = options.out.read_text().splitlines() if options.out.exists() else []
    done = {(r["table"], r["seed"], r["method"]) for r in map(json.loads, lines)}
    names = set(options.tables.split(",")) if options.tables else None
    with options.out.open("a") as file:
        for source in chosen(tuple(options.half.split(","))):
            if names is not None and source.name not in names:
                continue
            for result in results(source, methods, SEEDS[: options.seeds], options.threads, done):
                file.write(json.dumps(result) + "\n")
                file.flush()


if __name__ == "__main__":
    main()
