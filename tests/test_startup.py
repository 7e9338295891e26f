"""What the first step of a process loads and does, which is what it takes."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from chainrule.cli.app import app
from chainrule.runs.registry import default, kinds, lookup
from interpreting import interpreting

ROOT = Path(__file__).parent.parent


def run(text: str, cache: Path) -> str:
    """What a fresh process prints that runs ``text``."""
    done = subprocess.run(
        [sys.executable, "-c", text],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "CHAINRULE_CACHE_DIR": str(cache)},
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


_LOADED = """
import sys
import chainrule as cr
before = "numpy" in sys.modules
from chainrule import nn
cr.compile, nn.Linear
print(before, *sorted(sys.modules))
"""


def test_the_engine_loads_nothing_that_a_step_does_not_need(tmp_path: Path) -> None:
    numpy_before, *loaded = run(_LOADED, tmp_path).split()
    assert numpy_before == "False"
    assert "chainrule.driver" in loaded
    # Each would cost some milliseconds at every start.
    needless = {
        "numpy.random", "secrets", "asyncio", "click", "duckdb", "rich", "safetensors",
        "chainrule.codegen.emit", "chainrule.passes", "chainrule.schedule.build",
        "chainrule.ir.parse", "chainrule.optim", "chainrule.modalities.tables", "chainrule.train",
    }  # fmt: skip
    assert needless & set(loaded) == set()


_ONE_OF_EACH = """
import sys
from chainrule.data import Finding
from chainrule.tasks import Language
from chainrule.train import Scores
from chainrule.train.callbacks import TimeLimit
print(*sorted(sys.modules))
"""


def test_one_of_many_brings_none_of_the_others(tmp_path: Path) -> None:
    loaded = set(run(_ONE_OF_EACH, tmp_path).split())
    assert {"chainrule.tasks.language", "chainrule.train.callbacks.stopping"} <= loaded
    needless = {
        "decimal", "chainrule.data.series", "chainrule.data.tables", "chainrule.tasks.forecasting",
        "chainrule.train.trainer", "chainrule.train.callbacks.guard", "chainrule.train.observation",
    }  # fmt: skip
    assert needless & loaded == set()


_COMMAND = """
import atexit, sys
atexit.register(lambda: print(*sorted(sys.modules), file=open("loaded", "w")))
from chainrule.cli import main
main()
"""
RUNS = ROOT / "tests" / "reference" / "runs"
#: what the compiler is made of, and what compiles nothing may do without
COMPILER = {"chainrule.codegen.emit", "chainrule.passes", "chainrule.schedule.build"}
#: libraries that are used by some commands alone
LIBRARIES = {"asyncio", "duckdb", "numpy.random", "rich", "safetensors", "tokenizers"}
TRAINING = {
    "chainrule.runs.dry_run", "chainrule.train.callbacks.rates", "chainrule.train.learner",
    "chainrule.train.observation", "chainrule.train.trainer",
}  # fmt: skip


def loaded_by(*words: object, folder: Path) -> set[str]:
    """The modules that a command has loaded when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND, *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "CHAINRULE_CACHE_DIR": str(folder)},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set((folder / "loaded").read_text().split())


def test_help_loads_no_library_and_nothing_that_works(tmp_path: Path) -> None:
    loaded = loaded_by("train", "--help", folder=tmp_path)
    assert "chainrule.modalities.text.options" in loaded
    needless = LIBRARIES | {"numpy", "llvmlite", "chainrule.frontend", "chainrule.records"}
    assert needless & loaded == set()


def test_a_list_of_runs_loads_no_compiler_and_no_layer(tmp_path: Path) -> None:
    loaded = loaded_by("runs", "ls", "--runs-dir", RUNS, folder=tmp_path)
    assert "chainrule.modalities.images.kind" in loaded
    layers = {"chainrule.nn.transformer", "chainrule.nn.cells", "chainrule.nn.decoding"}
    needless = COMPILER | LIBRARIES | TRAINING | layers | {"chainrule.driver", "llvmlite"}
    assert needless & loaded == set()


def test_a_language_model_writes_with_its_own_layers_alone(tmp_path: Path) -> None:
    novel = tmp_path / "novel.txt"
    novel.write_text("\n\n".join(f"the cat sat on mat {i % 7}." for i in range(400)))
    small = ("model.width=8", "model.layers=1", "model.heads=1", "tokenizer.length=8",
             "data.windows=64", "train.epochs=1", "--quiet", "--runs-dir", tmp_path)  # fmt: skip
    with interpreting():
        done = CliRunner().invoke(
            app, list(map(str, ("train", novel, "--task", "language", *small)))
        )
    assert done.exit_code == 0, done.output
    words = ("generate", "last", "--tokens", 1, "--runs-dir", tmp_path)
    assert loaded_by(*words, folder=tmp_path) >= COMPILER
    loaded = loaded_by(*words, folder=tmp_path)  # the program is in the cache
    assert {"chainrule.driver", "chainrule.nn.attention", "safetensors"} <= loaded
    layers = {"chainrule.nn.conv", "chainrule.nn.loss", "chainrule.nn.models.vgg"}
    needless = COMPILER | TRAINING | layers | LIBRARIES - {"safetensors"}
    assert needless & loaded == set()


_KIND = """
import sys
from chainrule.runs.recognition import kind_of_source
kind = kind_of_source({source!r})
print(*sorted(name for name in sys.modules
              if name.startswith("chainrule.modalities.") and name.endswith(".kind")))
print("chainrule.data.tables.encode" in sys.modules)
"""


@pytest.mark.parametrize(("source", "kind"), [("heart", "tables"), ("fashion", "images")])
def test_only_the_kind_that_data_is_of_is_loaded(source: str, kind: str, tmp_path: Path) -> None:
    loaded, encodes_tables = run(_KIND.format(source=source), tmp_path).splitlines()
    assert loaded == f"chainrule.modalities.{kind}.kind"
    assert encodes_tables == str(kind == "tables")


def test_the_default_kind_says_that_it_is() -> None:
    assert [kind.name for kind in kinds() if kind.is_default] == [default()]
    assert lookup(None).name == default()


def told(package: Path) -> list[ast.ImportFrom]:
    """What type checkers read, instead of running ``__getattr__``."""
    stub = package.with_suffix(".pyi")
    if stub.exists():
        body = ast.parse(stub.read_text(encoding="utf-8")).body
        return [node for node in body if isinstance(node, ast.ImportFrom)]
    for node in ast.parse(package.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            assert all(isinstance(given, ast.ImportFrom) for given in node.body)
            return [given for given in node.body if isinstance(given, ast.ImportFrom)]
    return []


LAZY = [
    p for p in sorted((ROOT / "src").rglob("__init__.py")) if "loaded(name, _HOMES" in p.read_text()
]


@pytest.mark.parametrize("package", LAZY, ids=lambda package: package.parent.name)
def test_type_checkers_find_names_where_they_are_loaded_from(package: Path) -> None:
    name = ".".join(package.parent.relative_to(ROOT / "src").parts)
    seen: dict[str, str] = {}
    for given in told(package):
        below = (given.module or "").removeprefix("chainrule.data.")
        below = below.removeprefix(f"{package.parent.name}.")
        seen.update({a.name: below or a.name for a in given.names})
    assert seen == importlib.import_module(name)._HOMES


_STEP = """
import numpy as np
import chainrule as cr
import chainrule.driver, chainrule.runtime.threads
from chainrule import nn, optim
from chainrule.train.examples import Examples
from chainrule.train.loop import LoopStepper

made = []
for module in (chainrule.driver, chainrule.runtime.threads):
    def counted(texts, *how, emit=module.emit_objects):
        made.append(len(texts))
        return emit(texts, *how)
    module.emit_objects = counted

cr.manual_seed(0)
model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 1))
opt = optim.Adam(model.parameters(), lr=0.1)

def step(x, y):
    opt.zero_grad()
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()
    opt.step()
    return loss

x, y = np.ones((4, 3), np.float32), np.ones((4, 1), np.float32)
losses = [cr.compile(step)(x, y).item()]
losses += LoopStepper(step).run(Examples((x, y)), np.zeros((2, 4), np.int32)).tolist()
print(len(made), *losses)
"""


@pytest.mark.parametrize("threads", ["1", "3"])
def test_a_warm_start_compiles_nothing_and_gives_the_same_bits(
    threads: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", threads)
    cold, warm = run(_STEP, tmp_path).split(), run(_STEP, tmp_path).split()
    assert int(cold[0]) >= 2
    assert warm[0] == "0"
    assert warm[1:] == cold[1:]
