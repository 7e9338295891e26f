"""``chainrule scope`` at a terminal: it serves, beside another one, until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN = ROOT / "tests" / "reference" / "runs2" / "table"
HANGS = 120


class Terminal:
    """A process at a terminal of its own, with what it wrote there."""

    def __init__(self, *arguments: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "BROWSER": "true"}
        command = [sys.executable, "-m", "chainrule", *arguments]
        self.pid, self.handle = pty.fork()
        if self.pid == 0:
            os.execve(sys.executable, command, environment)
        self.said = ""

    def read_until(self, pattern: str) -> str:
        """The part of what it writes that matches."""
        end = time.monotonic() + HANGS
        while not (match := re.search(pattern, self.said)):
            assert time.monotonic() < end, self.said
            self.said += os.read(self.handle, 4096).decode()
        return match[0]

    def interrupted(self) -> int:
        """Ctrl-C, and its exit code."""
        os.write(self.handle, b"\x03")
        try:
            while piece := os.read(self.handle, 4096):
                self.said += piece.decode()
        except OSError:  # the terminal is gone
            pass
        os.close(self.handle)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def children(self) -> list[int]:
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in text.split()]


def ask(address: str, host: str | None = None) -> int:
    """The status of an answer."""
    request = urllib.request.Request(address, headers={"Host": host} if host else {})
    try:
        return int(urllib.request.urlopen(request, timeout=HANGS).status)
    except urllib.error.HTTPError as error:
        return error.code


def test_two_scopes_side_by_side_end_in_words() -> None:
    first, second = (Terminal("scope", str(RUN), "--example", "3") for _ in range(2))
    pages = [each.read_until(r"http://\S+scope\?example=3") for each in (first, second)]
    assert pages[0] != pages[1]
    for page in pages:
        address = page.partition("#")[0]
        end = time.monotonic() + HANGS
        while (status := ask(f"{address}api/state")) != 200:
            assert time.monotonic() < end, status
        assert ask(f"{address}api/state", host="evil.example") == 421
    # Also while the engine computes a step that a page has asked for.
    address = f"{pages[0].partition('#')[0]}api/runs/table/scope"
    asking = threading.Thread(target=lambda: _quietly(address), daemon=True)
    asking.start()
    end = time.monotonic() + HANGS
    while not (looking := first.children()):
        assert time.monotonic() < end
        time.sleep(0.02)
    for each in (first, second):
        assert each.interrupted() == 0
        assert each.said.rstrip().endswith("ended")
        assert "Traceback" not in each.said
    asking.join(HANGS)
    assert not any(Path(f"/proc/{pid}").exists() for pid in looking)


def _quietly(address: str) -> None:
    with contextlib.suppress(OSError):
        ask(address)
