"""Options of the test run, and what holds for every test."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from browsers import BROWSER, NAMES, keep_screenshots, without_browser
from hasty import cheap_programs, hasty, surrounds_trainings, uses_programs

#: of compiled programs
CACHE = Path(__file__).parent.parent / ".pytest_cache" / "programs"

# How long an example takes says something of the machine alone.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update-golden`` writes expected texts anew, to be read in the diff."""
    parser.addoption("--update-golden", action="store_true", help="write golden files anew")
    parser.addoption("--screenshots", metavar="DIR", help="keep pictures of the pages in DIR")
    parser.addoption("--require-browser", action="store_true", help="fail if there is no browser")


def pytest_report_header() -> str:
    """Whether the dashboard is tested in a browser."""
    if BROWSER is not None:
        return f"browser: {BROWSER}"
    return f"browser: none of {', '.join(NAMES)}; tests of the dashboard's pages are deselected"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    without_browser(config, items)


def pytest_configure(config: pytest.Config) -> None:
    """Every program that a test compiles, in any process, is proved to read what it has stored.

    So tests have a cache of their own, without programs that were compiled elsewhere unproved; what
    tests the compiler does without it. And Ctrl-C interrupts, also where tests run in the
    background of a shell: that hands down that SIGINT is ignored, to all processes that tests
    start. Programs, and NumPy, which is not loaded yet, run on one thread unless a test asks for
    more: more of them wait for one another, on processors that other tests use.
    """
    keep_screenshots(config)
    os.environ.setdefault("CHAINRULE_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if os.environ.setdefault("CHAINRULE_VERIFY", "1") == "1":
        os.environ.setdefault("CHAINRULE_CACHE_DIR", str(CACHE))
    # Tests make many objects that stay; looking through all of them over and over finds no circles.
    gc.set_threshold(20_000, 20, 20)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    """Fixtures included: some are trainings that a folder shares."""
    if surrounds_trainings(item.path):
        with hasty():
            return (yield)
    if uses_programs(item.path):
        with cheap_programs():
            return (yield)
    return (yield)
