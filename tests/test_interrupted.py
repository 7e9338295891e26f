"""Signals that come while something would put another error in the place of theirs."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import chainrule
from chainrule.cli.app import app
from chainrule.cli.terminal import Terminated, graceful_signals
from chainrule.interrupted import held_off, interruption
from chainrule.lazily import Lazy, import_whole, loaded

#: interrupts itself where Python makes a RuntimeError of it, and goes on if nothing is raised
STRUCK = """
import os, signal

class Striking:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass  # the handler runs here

class Struck:
    part = Striking()

WHOLE = True
"""


@pytest.fixture
def struck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module that is interrupted while it is loaded."""
    package = tmp_path / "struck_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "struck.py").write_text(STRUCK)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "struck_package.struck"
    for name in ("struck_package", "struck_package.struck"):
        sys.modules.pop(name, None)


def test_what_python_makes_of_an_interrupt(struck: str) -> None:
    """The reason for all this."""
    with pytest.raises((RuntimeError, KeyboardInterrupt)) as raised:
        importlib.import_module(struck)
    assert isinstance(interruption(raised.value), KeyboardInterrupt)
    assert struck not in sys.modules


@pytest.mark.parametrize("way", ["import_whole", "loaded", "Lazy"])
def test_a_module_is_loaded_whole_before_an_interrupt(struck: str, way: str) -> None:
    package, _, home = struck.partition(".")
    ways: dict[str, Callable[[], Any]] = {
        "import_whole": lambda: import_whole(struck),
        "loaded": lambda: loaded("WHOLE", {"WHOLE": home}, package),
        "Lazy": lambda: Lazy(struck).WHOLE,
    }
    with pytest.raises(KeyboardInterrupt):
        ways[way]()
    assert sys.modules[struck].WHOLE is True
    assert Lazy(struck).WHOLE is True


def test_handlers_come_back(struck: str) -> None:
    before = {n: signal.getsignal(n) for n in signal.valid_signals()}
    with pytest.raises(KeyboardInterrupt):
        import_whole(struck)
    assert {n: signal.getsignal(n) for n in signal.valid_signals()} == before


def test_a_signal_of_the_command_line_is_its_own() -> None:
    held = []

    def to_the_end() -> None:
        with graceful_signals(), held_off():
            os.kill(os.getpid(), signal.SIGTERM)
            held.append("to the end")

    with pytest.raises(Terminated):
        to_the_end()
    assert held == ["to the end"]


def test_an_error_inside_is_raised_where_no_signal_came() -> None:
    with pytest.raises(ZeroDivisionError), held_off():
        _ = 1 / 0


def test_threads_have_nothing_to_hold_off() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def work() -> None:
        with held_off():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [(KeyboardInterrupt, 130, "interrupted"), (Terminated, 143, "terminated by a signal")],
)
def test_commands_tell_the_interrupt_behind_an_error(
    kind: type[BaseException], code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replaced(**options: object) -> None:
        try:
            raise kind
        except kind as interrupt:
            raise RuntimeError("Error calling __set_name__") from interrupt

    monkeypatch.setattr(app.commands["info"], "callback", replaced)
    result = CliRunner().invoke(app, ["info"])
    assert (result.exit_code, result.stderr.strip()) == (code, said)


def test_no_public_name_is_hidden() -> None:
    """What the package imports for itself must not stand before what it offers lazily."""
    for name in set(chainrule.__all__) & set(vars(chainrule)):
        home = vars(chainrule)[name]
        where = getattr(home, "__module__", None) or getattr(home, "__name__", "")
        assert where != "chainrule.lazily", name
    assert chainrule.load.__module__ == "chainrule.train.checkpoints.weights_file"
