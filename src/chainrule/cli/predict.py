"""``chainrule predict RUN DATA -o out.csv``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ..arguments import user_path
from ..errors import ConfigError
from .kind_options import KindCommand
from .loading import load_predictor
from .options import common, runs_dir_option, threads_option
from .run_lookup import find_run
from .terminal import say, warn

__all__ = ["predict"]


@click.command(cls=KindCommand, short_help="Predict with a trained model.")
@click.argument("run")
@click.argument("data", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write csv, tsv, jsonl or parquet, by the extension.  [default: csv on stdout]",
)
@click.option("--proba", is_flag=True, help="Also write the probability of each class.")
@runs_dir_option
@threads_option
@common
def predict(
    run: str,
    data: str | None,
    output: Path | None,
    proba: bool,
    runs_dir: str,
    threads: int | None,
    **options: Any,
) -> None:
    """Predict DATA with the model of RUN (a folder, the end of its name, or `last`).

    A group made by --seeds or --folds predicts what its models say on average.

    The output has one line per example of DATA, in the same order: the prediction, and
    for some kinds of data also the path and the probability.
    """
    folder = find_run(run, user_path(runs_dir, "--runs-dir"))
    from ..runs.predictions import escaped_columns, file_format, write_file, write_text

    to_stdout = output is None or str(output) == "-"
    if output is not None and not to_stdout:
        file_format(output)  # reports a wrong extension before any work
        if data is not None:
            refuse_to_overwrite(output, user_path(data, "the data"))
    predictor, kind_options = load_predictor("predict", folder, threads, options)
    if data is None and not predictor.goes_on:
        raise click.UsageError("Missing argument 'DATA'.")
    columns = predictor.columns(data, proba, **kind_options)
    for finding in predictor.last_findings:
        warn(str(finding))
    format = "csv" if output is None or to_stdout else file_format(output)[0]
    if format in ("csv", "tsv") and (names := escaped_columns(columns)):
        warn(
            f"cells of {', '.join(names)} that a spreadsheet would run as a formula now start "
            "with '; jsonl and parquet keep them unchanged"
        )
    if output is None or to_stdout:
        write_text(columns, "csv", sys.stdout)
        return
    write_file(columns, output)
    say(f"{len(columns[0][1])} predictions of {predictor.target} written to {output}")


def refuse_to_overwrite(output: Path, data: Path) -> None:
    """ConfigError if the predictions would overwrite the data that they are made for."""
    if output.exists() and data.exists() and output.samefile(data):
        raise ConfigError(
            f"{output} is the input data and would be overwritten",
            help="choose another file with -o; --keep copies columns to it",
        )
