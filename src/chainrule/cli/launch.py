"""``chainrule launch -n N -- train ...``."""

from __future__ import annotations

import click

from .options import common
from .terminal import print_error

__all__ = ["launch"]


@click.command(
    short_help="Share a training among several processes.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.option(
    "-n", "--workers", type=click.IntRange(1, 1024), required=True, help="Number of processes."
)
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND...")
@common
def launch(workers: int, command: tuple[str, ...]) -> int:
    """Run `chainrule COMMAND` (`train` or `resume`) in several processes, which share the training.

    A shorthand for `mpiexec -n N chainrule COMMAND` with the mpiexec of the `mpi` extra. The number
    of processes does not change the result. On a cluster, use its own mpiexec or srun.
    """
    from ..distributed.launching import killed
    from ..distributed.launching import launch as start

    if command[0] not in ("train", "resume"):
        raise click.UsageError(f"{command[0]} is not a training; launch takes train or resume")
    code = start(workers, command)
    if killed(code):
        print_error(
            "a worker was killed, and the others were ended with it: perhaps its machine ran out "
            "of memory\n  help:  the last checkpoint is whole: chainrule launch "
            f"-n {workers} -- resume last"
        )
        return 3
    return code
