"""``chainrule predict RUN DATA -o out.csv``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..arguments import user_path
from ..errors import ConfigError
from .engine import engine
from .finding import find_run
from .options import common, runs_dir_option, threads_option
from .terminal import say, warn

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..data import Table
    from ..images import ImagePredictor
    from ..table import Predictor

__all__ = ["predict"]


@click.command(short_help="Predict the rows of a table, or recognise images.")
@click.argument("run")
@click.argument("data")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="csv, tsv, jsonl or parquet by its ending; without it, csv on stdout.",
)
@click.option("--proba", is_flag=True, help="Also the probability of each class.")
@click.option("--keep", multiple=True, metavar="COLUMN", help="Copy this column. May be repeated.")
@click.option("--query", metavar="SQL", help="One SELECT on the table, which is called data.")
@runs_dir_option
@threads_option
@common
def predict(
    run: str,
    data: str,
    output: Path | None,
    proba: bool,
    keep: tuple[str, ...],
    query: str | None,
    runs_dir: str,
    threads: int | None,
) -> None:
    """Predict every row of DATA with RUN: a folder, the end of its name, or `last`.

    One row comes out for each row that went in, in the same order. Of a run on images, DATA is a
    folder, an image or an IDX file; each row has path, prediction and its probability.
    """
    place = find_run(run, user_path(runs_dir, "--runs-dir"))
    from ..table import open_table
    from ..table.writing import format_of, marked, write_file, write_text

    to_stdout = output is None or str(output) == "-"
    if output is not None and not to_stdout:
        format_of(output)  # a wrong ending is told before the work
        refuse_to_replace(output, user_path(data, "the data"))
    predictor = engine(threads).load_run(place)
    from ..images import ImagePredictor

    if isinstance(predictor, ImagePredictor):
        if query is not None or keep:
            raise click.UsageError("--query and --keep are for tables")
        columns = recognised(predictor, data, proba)
    else:
        table = open_table(data, query)[0]
        columns = kept(table, keep, made_names(predictor, proba))
        columns += predicted(predictor, table, proba)
    for finding in predictor.last_findings:
        warn(str(finding))
    format = "csv" if output is None or to_stdout else format_of(output)[0]
    if format in ("csv", "tsv") and (names := marked(columns)):
        warn(
            f"texts that a spreadsheet would run as a formula begin with ' in {', '.join(names)}; "
            "jsonl and parquet keep them as they are"
        )
    if output is None or to_stdout:
        write_text(columns, "csv", sys.stdout)
        return
    write_file(columns, output)
    say(f"{len(columns[0][1])} predictions of {predictor.target} in {output}")


def refuse_to_replace(output: Path, data: Path) -> None:
    """ConfigError when the predictions would be written over the table that they are made for."""
    if output.exists() and data.exists() and output.samefile(data):
        raise ConfigError(
            f"{output} is the table to predict, and would be lost",
            help="write to another file with -o; --keep copies columns into it",
        )


def kept(
    table: Table, wanted: tuple[str, ...], made: list[str]
) -> list[tuple[str, npt.NDArray[Any]]]:
    """The wanted columns of the table, as text. ConfigError for one that is ``made`` as well."""
    import numpy as np

    names = tuple(dict.fromkeys(wanted))
    for name in names:
        table.index(name)
        if name in made:
            raise ConfigError(
                f"`{name}` is also what a column of the predictions is called",
                where="--keep",
                help="give it another name with --query",
            )
    chunks: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in names}
    if names:
        for _, chunk in table.read(dict.fromkeys(names, "text")):
            for name in names:
                chunks[name].append(chunk[name])
    return [(name, np.concatenate(parts)) for name, parts in chunks.items()]


def recognised(
    predictor: ImagePredictor, data: str, proba: bool
) -> list[tuple[str, npt.NDArray[Any]]]:
    """The path of each image, its class, and how probable that is."""
    import numpy as np

    images = predictor.images(data)
    scores = predictor.scores_of(images)
    shares = scores.probabilities
    columns: list[tuple[str, npt.NDArray[Any]]] = [
        ("path", np.array(images.paths, object)),
        ("prediction", predictor.decode(scores)),
        ("probability", shares.max(axis=1)),
    ]
    if proba:
        names = predictor.classes
        columns += [(f"probability_{name}", shares[:, i]) for i, name in enumerate(names)]
    return columns


def made_names(predictor: Predictor, proba: bool) -> list[str]:
    """The columns of the predictions."""
    if not proba:
        return ["prediction"]
    labels = (str(c).lower() if isinstance(c, bool) else c for c in predictor.classes)
    return ["prediction", *(f"probability_{label}" for label in labels)]


def predicted(
    predictor: Predictor, table: Table, proba: bool
) -> list[tuple[str, npt.NDArray[Any]]]:
    """The prediction and, if wanted, ``probability_<class>`` for each class."""
    scores = predictor.scores(table)
    values = [predictor.decode(scores)]
    if proba:
        values += list(predictor.probabilities(scores).T)
    return list(zip(made_names(predictor, proba), values, strict=True))
