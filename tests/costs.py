"""What the tests cost, in processor seconds of their processes and of those that they start.

``PYTHONPATH=tests python -m costs tests/nn`` runs tests as pytest does, with any of its options,
and lists the costliest folders, files and tests. A test is charged for the fixtures that it is the
first to ask for. Unlike durations, these say the same on a busy machine.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

#: of files and of tests that are listed
SHOWN = 40
#: what a report calls its cost, on its way from the process of a test to the one that sums up
COST = "processor seconds"


def spent() -> float:
    """Processor seconds of this process, and of others that it has started and waited for."""
    return sum(os.times()[:4])


class Costs:
    """A plugin of pytest, also in the processes of pytest-xdist."""

    def __init__(self) -> None:
        self._begun = spent()
        self._tests: Counter[str] = Counter()

    def pytest_runtest_logstart(self) -> None:
        self._begun = spent()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Iterator[None]:
        report = yield
        begun, self._begun = self._begun, spent()
        report.user_properties.append((COST, self._begun - begun))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        costs = dict(report.user_properties)
        self._tests[report.nodeid] += costs.get(COST, 0.0)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        files: Counter[str] = Counter()
        folders: Counter[str] = Counter()
        for name, cost in self._tests.items():
            file = name.partition("::")[0]
            files[file] += cost
            folders[os.path.dirname(file)] += cost
        for what, costs in (("tests", self._tests), ("files", files), ("folders", folders)):
            terminalreporter.section(f"processor seconds of {what}")
            for name, cost in costs.most_common(SHOWN):
                terminalreporter.line(f"{cost:8.1f}  {name}")
        terminalreporter.line(f"{self._tests.total():8.1f}  in all")


def pytest_configure(config: pytest.Config) -> None:
    """As a plugin by name, which processes of pytest-xdist load, too."""
    config.pluginmanager.register(Costs(), "costs of tests")


if __name__ == "__main__":
    sys.exit(pytest.main(["-p", "costs", *sys.argv[1:]]))
