"""Steps that are walked here are interpreted: what is compiled is compared elsewhere, and once in
`test_walk.py`. A program for each module would cost half a minute of every run of the tests."""

from __future__ import annotations

import pytest

import chainrule as cr
from chainrule.frontend.compiled import engine
from chainrule.frontend.interpreted import interpreter_backend


@pytest.fixture(autouse=True)
def interpreted(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Unless a test is marked ``compiled``."""
    cr.manual_seed(0)
    assert cr.compile  # from here on functions would run natively
    if "natively" not in request.fixturenames:
        monkeypatch.setattr(engine, "backend", interpreter_backend)


@pytest.fixture
def natively() -> None:
    """Asks for the compiled step."""
