"""Every test of the runtime has a cache folder of its own, and subprocesses find the package."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chainrule.runtime.processors import set_num_threads

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache") / "chainrule"
    monkeypatch.setenv("CHAINRULE_CACHE_DIR", str(folder))
    return folder


@pytest.fixture(autouse=True)
def default_threads() -> Iterator[None]:
    yield
    set_num_threads(None)


@pytest.fixture
def python_path(own_cache: Path) -> dict[str, str]:
    """An environment for a Python subprocess that imports the package and the tests."""
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}"}
