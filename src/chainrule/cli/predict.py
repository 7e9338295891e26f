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
    from ..modalities.images.predictor import ImagePredictor
    from ..modalities.tables.predictor import Predictor

__all__ = ["predict"]


@click.command(short_help="Predict with a trained model.")
@click.argument("run")
@click.argument("data")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write csv, tsv, jsonl or parquet, by the extension.  [default: csv on stdout]",
)
@click.option("--proba", is_flag=True, help="Also write the probability of each class.")
@click.option(
    "--keep",
    multiple=True,
    metavar="COLUMN",
    help="Copy this column to the output. Can be repeated.",
)
@click.option(
    "--query", metavar="SQL", help="SELECT that picks rows and columns; the table is called data."
)
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
    """Predict DATA with the model of RUN (a folder, the end of its name, or `last`).

    The output has one row for each row of DATA, in the same order. For images, DATA is a folder,
    an image or an IDX file, and each row has the path, the prediction and its probability.
    """
    place = find_run(run, user_path(runs_dir, "--runs-dir"))
    from ..modalities.tables.opening import open_table
    from ..runs.predictions import format_of, marked, write_file, write_text

    to_stdout = output is None or str(output) == "-"
    if output is not None and not to_stdout:
        format_of(output)  # a wrong ending is told before the work
        refuse_to_replace(output, user_path(data, "the data"))
    predictor = engine(threads).load_run(place)
    from ..modalities.images.predictor import ImagePredictor

    if isinstance(predictor, ImagePredictor):
        if query is not None or keep:
            raise click.UsageError("--query and --keep work for tables only")
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
            f"text in {', '.join(names)} that a spreadsheet would run as a formula now starts "
            "with '; jsonl and parquet keep it unchanged"
        )
    if output is None or to_stdout:
        write_text(columns, "csv", sys.stdout)
        return
    write_file(columns, output)
    say(f"{len(columns[0][1])} predictions of {predictor.target} written to {output}")


def refuse_to_replace(output: Path, data: Path) -> None:
    """ConfigError when the predictions would be written over the table that they are made for."""
    if output.exists() and data.exists() and output.samefile(data):
        raise ConfigError(
            f"{output} is the input data and would be overwritten",
            help="choose another file with -o; --keep copies columns to it",
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
                f"the predictions already have a column named `{name}`",
                where="--keep",
                help="rename the column with --query",
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
