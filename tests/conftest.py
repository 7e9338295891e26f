"""Options of the test run."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update-golden`` writes expected texts anew, to be read in the diff."""
    parser.addoption("--update-golden", action="store_true", help="write golden files anew")
