"""The table of environment variables: its values, its errors, its documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chainrule import config
from chainrule.errors import ConfigError

ROOT = Path(__file__).parent.parent


def test_documentation_is_generated_from_the_table() -> None:
    assert (ROOT / "docs/env.md").read_text(encoding="utf-8") == config.markdown(), "run: make docs"


def test_no_other_module_reads_a_chainrule_variable() -> None:
    known = {v.name for v in config.TABLE}
    for path in (ROOT / "src/chainrule").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"\bCHAINRULE_[A-Z_]+\b", text)) <= known, path
        if path.name != "config.py":
            assert not re.search(r"(environ|getenv)\W+\w*\W*CHAINRULE_", text), path


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [v.name for v in config.TABLE] + ["NO_COLOR", "XDG_CACHE_HOME"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    assert config.CACHE.read() is True
    assert config.CACHE_DIR.read() == Path("/home/ada/.cache/chainrule")
    assert config.DUMP.read() is None
    assert config.NO_COLOR.read() is False
    assert config.NUM_THREADS.read() is None


def test_values_are_read_on_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "3")
    assert config.NUM_THREADS.read() == 3
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", " 5 ")
    assert config.NUM_THREADS.read() == 5
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "")
    assert config.NUM_THREADS.read() is None
    monkeypatch.setenv("CHAINRULE_CACHE", "off")
    assert config.CACHE.read() is False
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("CHAINRULE_DUMP", "~/dump")
    assert config.DUMP.read() == Path("/home/ada/dump")


def test_standard_variables_give_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAINRULE_NO_COLOR", raising=False)
    monkeypatch.delenv("CHAINRULE_CACHE_DIR", raising=False)
    monkeypatch.setenv("NO_COLOR", "yes")
    assert config.NO_COLOR.read() is True
    monkeypatch.setenv("CHAINRULE_NO_COLOR", "0")
    assert config.NO_COLOR.read() is False
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/ada")
    assert config.CACHE_DIR.read() == Path("/var/cache/ada/chainrule")


@pytest.mark.parametrize(
    ("variable", "text"),
    [(config.NUM_THREADS, "0"), (config.NUM_THREADS, "two"), (config.CACHE, "maybe")],
)
def test_a_wrong_value_names_the_variable(
    variable: config.Variable[object], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable.name, text)
    with pytest.raises(ConfigError, match=f"{variable.name} is '{text}'"):
        variable.read()
