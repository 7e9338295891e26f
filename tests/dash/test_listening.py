"""Ports, and the dashboard that comes with a training."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from chainrule.cli.app import app
from chainrule.dash import listening as module
from chainrule.dash.listening import inherited, listen, start_beside
from chainrule.errors import ConfigError

DEADLINE = 60.0


def test_a_port_that_is_taken_is_refused_and_the_next_free_one_offered() -> None:
    first = listen("127.0.0.1", 0, control=False)
    with pytest.raises(ConfigError, match=f"port {first.port} is in use") as caught:
        listen("127.0.0.1", first.port, control=False)
    offered = int(caught.value.help.rpartition(" ")[2])
    second = listen("127.0.0.1", offered, control=False)
    assert second.port == offered > first.port
    first.socket.close()
    second.socket.close()


def test_without_a_port_the_next_free_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = listen("127.0.0.1", 0, control=False)
    monkeypatch.setattr(module, "PORT", taken.port)
    beside = listen("127.0.0.1", None, control=False)
    assert taken.port < beside.port < taken.port + module.NEARBY
    assert beside.address == f"http://127.0.0.1:{beside.port}/"
    beside.socket.close()
    monkeypatch.setattr(module, "NEARBY", 1)
    with pytest.raises(ConfigError, match="are in use"):
        listen("127.0.0.1", None, control=False)
    taken.socket.close()


def test_another_host_has_a_token() -> None:
    everywhere = listen("0.0.0.0", 0, control=True)
    assert f"?token={everywhere.access.token}" in everywhere.address
    assert len(everywhere.access.token) > 30
    everywhere.socket.close()
    for host in ("nowhere.invalid", "192.0.2.1"):
        with pytest.raises(ConfigError, match="is not an address of this machine"):
            listen(host, None, control=False)
        with pytest.raises(ConfigError, match="is not an address of this machine"):
            listen(host, 8642, control=False)


@pytest.mark.parametrize("descriptors", ["", "x,y", "1", "99998,99999"])
def test_only_a_training_hands_down_a_socket(descriptors: str) -> None:
    with pytest.raises(ConfigError, match="train --dash"):
        inherited(descriptors, control=False)


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    missing = CliRunner().invoke(app, ["dash", str(tmp_path / "none")])
    assert (missing.exit_code, "there is no folder" in missing.output) == (2, True)
    taken = listen("127.0.0.1", 0, control=False)
    result = CliRunner().invoke(app, ["dash", str(tmp_path), "--port", str(taken.port)])
    assert (result.exit_code, "--port" in result.output) == (2, True)
    taken.socket.close()


def ends(port: int) -> None:
    """Waits until nobody listens."""
    end = time.monotonic() + DEADLINE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return
        assert time.monotonic() < end, "it still listens"
        time.sleep(0.1)


def test_a_dashboard_beside_a_training_answers_and_ends_with_it(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waited for it: the socket listens before the server has started."""
    source = Path(module.__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", str(source))
    address = start_beside(runs, control=False)
    port = int(address.removesuffix("/").rpartition(":")[2])
    server, pipe = module._held.pop()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    connection.request("GET", "/api/state")
    answer = connection.getresponse()
    assert (answer.status, str(runs) in answer.read().decode()) == (200, True)
    connection.close()
    os.close(pipe)  # as at the end of the process, however it ends
    assert server.wait(DEADLINE) == 0
    ends(port)


def test_listening_loads_no_server() -> None:
    text = "import sys, chainrule.dash.listening; print('starlette' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(module.__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_a_training_says_where_it_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Path, bool]] = []

    def start(root: Path, control: bool) -> str:
        asked.append((root, control))
        return "http://127.0.0.1:8642/"

    monkeypatch.setattr(module, "start_beside", start)
    monkeypatch.chdir(tmp_path)
    line = ["train", "heart", "--epochs", "1", "--dash", "model.layers=[2]", "observe=off"]
    result = CliRunner().invoke(app, line)
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("dashboard: http://127.0.0.1:8642/\n")
    assert asked == [(Path("runs"), False)]
    nothing = CliRunner().invoke(app, [*line, "output.runs_dir="])
    assert (nothing.exit_code, "none is written" in nothing.output) == (2, True)
