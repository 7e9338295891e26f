"""``chainrule dash [RUNS_DIR]``."""

from __future__ import annotations

import click

from ..arguments import user_path
from ..errors import StateError
from .options import common
from .terminal import print_path, say

__all__ = ["dash"]


@click.command(short_help="Watch trainings in the browser.")
@click.argument("runs_dir", metavar="[RUNS_DIR]", default="runs")
@click.option(
    "--port", type=click.IntRange(0, 65535),
    help="Port to listen on.  [default: 8642, or the next that is free]",
)  # fmt: skip
@click.option(
    "--host", default="127.0.0.1", show_default=True,
    help="Address to listen on; anything but this machine asks browsers for a token.",
)  # fmt: skip
@click.option("--control", is_flag=True, help="Let the browser pause and stop trainings.")
@click.option("--open", "open_browser", is_flag=True, help="Open the browser.")
@click.option("--socket", "descriptors", hidden=True, default="")
@common
def dash(
    runs_dir: str, port: int | None, host: str, control: bool, open_browser: bool, descriptors: str
) -> None:
    """Show all runs in RUNS_DIR in the browser while they train and afterwards: curves, layers,
    predictions, settings, comparisons, and what the doctor finds.

    The address is printed on stdout. The server only reads run folders; with --control it also
    passes on what the browser asks of a training. Nothing leaves this machine.
    """
    folder = user_path(runs_dir, "RUNS_DIR")
    if not folder.is_dir() and not descriptors:
        raise StateError(
            f"there is no folder {folder}",
            help="train something first, or give the folder that holds the runs",
        )
    import webbrowser

    from ..dash.listening import inherited, listen
    from ..dash.server import serve

    if descriptors:
        listening, companion = inherited(descriptors, control)
        serve(folder, listening, companion=companion)
        return
    run = f"#/run/{folder.name}" if (folder / "run.json").is_file() else ""
    listening = listen(host, port, control)
    address = f"{listening.address}{run}"
    print_path(address)
    if listening.access.token:
        say("whoever has this address can see all runs in the folder")

    def ready() -> None:
        if open_browser and not webbrowser.open(address):
            say(f"no browser could be opened; open {address}")

    serve(folder.absolute().parent if run else folder, listening, ready)
    say("ended")
