"""Options of the test run, and what holds for every test."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# How long an example takes says something of the machine alone.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update-golden`` writes expected texts anew, to be read in the diff."""
    parser.addoption("--update-golden", action="store_true", help="write golden files anew")


def pytest_configure() -> None:
    """Every program that a test compiles, in any process, is proved to read what it has stored."""
    os.environ.setdefault("CHAINRULE_VERIFY", "1")
