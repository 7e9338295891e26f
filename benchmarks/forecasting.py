"""Forecasting networks against each other and against forecasts that need no training.

    python -m benchmarks.forecasting --data FOLDER --write
    python -m benchmarks.forecasting --data FOLDER [--networks dlinear,tcn] [--set KEY=VALUE]
    python -m benchmarks.forecasting --data FOLDER --statistical      # AutoETS and AutoTheta
    python -m benchmarks.forecasting --table FILE [FILE ...]          # of the lines of the others

Data sets come with Chainrule, statsmodels and pmdarima; ``--write`` makes csv files of those of the
packages in FOLDER. A line of JSON for each data set: what is chosen, is chosen by ``validation``.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.modalities.series import NETWORKS, SERIES
from chainrule.runs.preparation import new_trainer, open_data, prepare_data, seeded_generator
from chainrule.runs.settings.arguments import from_arguments
from chainrule.runs.settings.sources import from_overrides, gather
from chainrule.runs.trainer import make_callbacks

SEASONAL, NAIVE = "seasonal naive", "naive"


@dataclass(frozen=True)
class DataSet:
    """Series in a csv file in long form, and how far to forecast."""

    name: str
    source: str
    arguments: dict[str, Any]


def bundled() -> list[DataSet]:
    return [DataSet("macrodata", "macrodata", {}), DataSet("stocks", "stocks", {})]


#: monthly and quarterly, then the others
NAMES = ("airpassengers", "co2", "elec_equip", "elnino", "wineind", "sunspots_monthly", "ausbeer",
         "austres", "danish", "interest_inflation", "woolyrnq", "lynx", "nile",
         "sunspots", "taylor")  # fmt: skip


def write_data(folder: Path) -> None:
    """The data sets of statsmodels and pmdarima as csv files."""
    others = importlib.import_module("pmdarima.datasets")

    def write(name: str, rows: Iterable[tuple[str, str, float]]) -> None:
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("series", "time", "value"))
            writer.writerows(rows)

    def frame(name: str) -> Any:
        return importlib.import_module(f"statsmodels.datasets.{name}").load_pandas().data

    def months(year: int, values: Iterable[float]) -> list[tuple[str, str, float]]:
        return [("value", f"{year + i // 12}-{i % 12 + 1:02d}", float(v))
                for i, v in enumerate(values)]  # fmt: skip

    def quarters(name: str, year: int, quarter: int, values: Iterable[float]) -> Any:
        return [(name, f"{year + (quarter - 1 + i) // 4}Q{(quarter - 1 + i) % 4 + 1}", float(v))
                for i, v in enumerate(values)]  # fmt: skip

    def numbered(values: Iterable[float], first: int = 1) -> list[tuple[str, str, float]]:
        return [("value", str(first + i), float(v)) for i, v in enumerate(values)]

    co2 = frame("co2").co2.resample("MS").mean()
    write("co2", [("value", f"{t:%Y-%m}", v) for t, v in co2.items() if np.isfinite(v)])
    equipment = frame("elec_equip")
    write("elec_equip", months(1995, equipment.iloc[:, -1]))
    pacific = frame("elnino")
    write("elnino", months(1950, pacific.to_numpy()[:, 1:].reshape(-1)))
    write("sunspots", numbered(frame("sunspots").SUNACTIVITY, 1700))
    write("nile", numbered(frame("nile").volume, 1871))
    danish = frame("danish_data")
    columns = ("lrm", "lry", "lpy", "ibo", "ide")
    write("danish", [r for c in columns for r in quarters(c, 1974, 1, danish[c])])
    german = frame("interest_inflation")
    write("interest_inflation", [r for c in ("Dp", "R") for r in quarters(c, 1972, 2, german[c])])
    write("airpassengers", months(1949, others.load_airpassengers()))
    write("wineind", months(1980, others.load_wineind()))
    write("sunspots_monthly", months(1749, others.load_sunspots()))
    for name, year, quarter in (("ausbeer", 1956, 1), ("austres", 1971, 2), ("woolyrnq", 1965, 1)):
        values = getattr(others, f"load_{name}")()
        known = [v for v in values if np.isfinite(v)]
        write(name, quarters("value", year, quarter, known))
    write("lynx", numbered(others.load_lynx(), 1821))
    halves = np.datetime64("2000-06-05T00:00") + 30 * np.arange(len(others.load_taylor()))
    taylor = zip(halves, others.load_taylor(), strict=True)
    write("taylor", [("value", str(t).replace("T", " "), float(v)) for t, v in taylor])


def prepared_of(data: DataSet, network: str, settings: list[str], seed: int) -> Any:
    values = {"path": data.source, "seed": seed, "network": network, **data.arguments}
    sources = [from_arguments(values, SERIES.arguments), from_overrides(settings, "settings")]
    chosen = gather(sources, SERIES.settings).settings
    return prepare_data(open_data(SERIES, chosen, None, None), None, None)


def trained(prepared: Any) -> Any:
    """A trainer that has been trained as a run would be."""
    settings = prepared.settings
    trainer = new_trainer(SERIES, prepared)
    with seeded_generator(2 * settings.seed + 1):
        trainer.fit(
            prepared.train,
            validation=prepared.validation,
            epochs=settings.train.epochs,
            batch_size=settings.train.batch,
            callbacks=make_callbacks(settings.train),
            seed=settings.seed,
            verbose=False,
        )
    return trainer


def by_series(truth: Any, point: Any, names: Sequence[str]) -> dict[str, float]:
    """MASE of each series."""
    errors = {}
    for s in np.unique(truth["series"]).tolist():
        own = truth["series"] == s
        scale = truth["error"][own][0]
        distance = np.abs(truth["value"][own] - point[own])
        known = np.isfinite(distance)
        if scale > 0 and known.any():
            errors[names[s]] = float(distance[known].mean() / scale)
    return errors


def averaged(each: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: statistics.fmean(e[name] for e in each) for name in each[0]}


def run(data: DataSet, networks: list[str], settings: list[str], seeds: int) -> Any:
    """MASE by series of each network, averaged over seeds, and of the naive forecasts; on the
    validation part, on which alone choices are made, and on the test part."""
    result: dict[str, Any] = {"data": data.name}
    for network in networks:
        errors: dict[str, list[dict[str, float]]] = {"validation": [], "test": []}
        metrics: list[dict[str, float]] = []
        for seed in range(seeds):
            prepared = prepared_of(data, network, settings, seed)
            trainer, names = trained(prepared), prepared.preprocessor.names
            goal: Any = SERIES.goal(prepared.preprocessor)
            for part, found in errors.items():
                truth, scores = prepared.target(part), trainer.scores(getattr(prepared, part))
                point = goal.forecasts(truth, scores)[..., goal.middle]
                found.append(by_series(truth, point, names))
                result.setdefault(part, {}).setdefault(network, {})
                for rival in (NAIVE, SEASONAL):
                    result[part][rival] = by_series(truth, truth[rival], names)
            metrics.append(goal.compute_metrics(truth, scores))
        for part, found in errors.items():
            result[part][network] = averaged(found)
        layout = prepared.preprocessor.layout
        result.setdefault("metrics", {})[network] = averaged(metrics)
        result |= {"horizon": layout.horizon, "window": layout.window}
        result["frequency"] = prepared.opened.panel.frequency.name
    return result


def statistical(data: DataSet, part: str) -> dict[str, dict[str, float]]:
    """AutoETS and AutoTheta of statsforecast, fitted once to what is before the part."""
    models = importlib.import_module("statsforecast.models")
    prepared = prepared_of(data, "dlinear", [], 0)
    truth, encoded, season = prepared.target(part), prepared.encoded, prepared.preprocessor.season
    horizon, results = prepared.preprocessor.horizon, {}
    for name in ("AutoETS", "AutoTheta"):
        point = np.full(truth["value"].shape, np.nan)
        for s in np.unique(truth["series"]).tolist():
            start, first = int(encoded.begin[s]), int(encoded.first[s])
            origins = np.flatnonzero(truth["series"] == s)
            stop = start + int(truth["step"][origins].min()) - first
            model = getattr(models, name)(season_length=season).fit(encoded.levels[start:stop])
            for i in origins:
                known = encoded.levels[start : start + int(truth["step"][i]) - first]
                point[i] = model.forward(known, h=horizon)["mean"]
        results[name] = by_series(truth, point, prepared.preprocessor.names)
    return results


def merged(files: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """What all lines say of each data set."""
    results: dict[str, dict[str, Any]] = {}
    for line in (line for file in files for line in file.read_text().splitlines()):
        said = json.loads(line)
        known = results.setdefault(said["data"], {"validation": {}, "test": {}})
        for part in ("validation", "test"):
            known[part] |= said.pop(part)
        known |= said
    return results


def print_table(results: Mapping[str, Any], part: str) -> None:
    """MASE of every series as rows of Markdown, the lowest bold, data sets in order."""
    methods = dict.fromkeys(m for r in results.values() for m in r[part])
    print("| Data | series |", " | ".join(methods), "|")
    print("|---" * (2 + len(methods)), "|", sep="")
    for data, result in results.items():
        for name in result[part][NAIVE]:
            errors = {m: each[name] for m, each in result[part].items() if name in each}
            cells = [
                "" if m not in errors
                else f"**{errors[m]:.3f}**" if errors[m] == min(errors.values())
                else f"{errors[m]:.3f}"
                for m in methods
            ]  # fmt: skip
            print(f"| {data} | {name} |", " | ".join(cells), "|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("sets"))
    parser.add_argument("--table", type=Path, nargs="+", help="print what files of lines say")
    parser.add_argument("--sets", default="")
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--statistical", action="store_true")
    parser.add_argument("--write", action="store_true", help="write the csv files and stop")
    options = parser.parse_args()
    if options.table:
        for part in ("validation", "test"):
            print(f"\n{part}\n")
            print_table(merged(options.table), part)
        return
    options.data.mkdir(parents=True, exist_ok=True)
    if options.write:
        write_data(options.data)
        return
    chosen = options.sets.split(",") if options.sets else []
    sets = [*bundled(), *(DataSet(n, str(options.data / f"{n}.csv"), {"task": "forecasting"})
                          for n in NAMES if (options.data / f"{n}.csv").exists())]  # fmt: skip
    for data in sets:
        if chosen and data.name not in chosen:
            continue
        if options.statistical:
            parts = {part: statistical(data, part) for part in ("validation", "test")}
            print(json.dumps({"data": data.name, **parts}), flush=True)
            continue
        result = run(data, options.networks.split(","), options.settings, options.seeds)
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
