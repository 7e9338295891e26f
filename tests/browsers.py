"""Whether there is a browser for the tests of the dashboard.

Without one they are deselected, and the summary says so: a clone is tested without it, and one more
command brings it. ``--require-browser`` makes its absence an error; ``--screenshots DIR`` keeps
pictures of the pages that tests have looked at.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

__all__ = ["BROWSER", "NAMES", "drawn_text", "keep", "keep_screenshots", "without_browser"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
#: where pictures of pages go
_kept: list[Path] = []


def keep_screenshots(config: pytest.Config) -> None:
    """Makes `keep` write, if that was asked for."""
    if folder := config.getoption("--screenshots"):
        _kept[:] = [Path(folder).absolute()]


def keep(page: Any, name: str) -> None:
    """A picture of a whole page, as ``name``, where pictures are kept."""
    for folder in _kept:
        folder.mkdir(parents=True, exist_ok=True)
        page.evaluate("scrollTo(0, 0)")  # what sticks to the window would be in its middle
        page.screenshot(path=folder / f"{name}.png", full_page=True)


def drawn_text(element: Any) -> str:
    """What an element shows once all that has been pressed so far is drawn: two frames later."""
    frame = "requestAnimationFrame"
    element.page.evaluate(f"() => new Promise(done => {frame}(() => {frame}(done)))")
    text: str = element.inner_text()
    return text


def without_browser(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Takes the tests marked ``browser`` out of ``items`` if there is none."""
    if BROWSER is not None:
        return
    if config.getoption("--require-browser"):
        raise pytest.UsageError(f"no browser: none of {', '.join(NAMES)} is installed")
    left_out = [item for item in items if item.get_closest_marker("browser")]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
