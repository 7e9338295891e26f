"""The options that texts add to the commands."""

from __future__ import annotations

from ...runs.option import Command, Option, Options

__all__ = ["COMMANDS", "OPTIONS", "SOURCES"]

SOURCES = (
    "texts: a table with --text COLUMN, a folder with .txt files in a subfolder",
    "  for each class, a .txt file with --task language, or pairs of texts",
    "  with --task translation; bundled: austen",
)

TARGET = Option("target", "Column to predict.", "COLUMN")
QUERY = Option("query", "SELECT that picks rows and columns; the table is called data.", "SQL")
TASK = Option(
    "task", "Override the task inferred from the target.",
    choices=("binary", "multiclass", "regression", "language", "translation"),
)  # fmt: skip
TEXT = Option("text", "Column with texts. Can be repeated.", "COLUMN", several=True)
SOURCE = Option("translate", "Column to translate from.", "COLUMN", flag="--source")
PARALLEL = Option("parallel", "File whose lines translate those of DATA.", "FILE")
NETWORK = Option("network", "Of texts: bag, conv, transformer, gru, gpt.", "NAME")

PROMPT = Option("prompt", "Text to go on from.", "TEXT")
TOKENS = Option("tokens", "Number of tokens to generate.  [default: 200]", "N", read=int)
TEMPERATURE = Option(
    "temperature", "0 for the likeliest tokens, above 1 for unlikely ones.  [default: 1]", "FLOAT",
    read=float,
)  # fmt: skip
TOP_K = Option("top_k", "Draw from the likeliest K tokens alone.", "K", read=int)
TOP_P = Option(
    "top_p", "Draw from the likeliest tokens whose probabilities sum to P.", "P", read=float
)
PENALTY = Option(
    "repetition_penalty", "Above 1, what was said before becomes less likely.  [default: 1]",
    "FLOAT", read=float,
)  # fmt: skip
BEAM = Option("beam", "Beginnings of a translation to keep side by side.  [default: 1]", "N",
              read=int)  # fmt: skip
SEED = Option("seed", "Seed of the draws.  [default: 0]", "N", read=int)

COMMANDS = (
    Command(
        "generate",
        "stream",
        "Generate text with a trained language model.",
        "Go on from a prompt with the language model of RUN (a folder, the end of its name, or\n"
        "`last`). The text is printed as it is made; the same seed makes the same text.",
        ("language",),
    ),
)

COLUMNS = (TARGET, QUERY, TASK, TEXT, SOURCE, PARALLEL)

OPTIONS: Options = {
    "train": (*COLUMNS, NETWORK),
    "init": COLUMNS,
    "check": COLUMNS,
    "find-lr": COLUMNS,
    "generate": (PROMPT, TOKENS, TEMPERATURE, TOP_K, TOP_P, PENALTY, SEED),
    "predict": (QUERY, BEAM),
    "eval": (QUERY,),
}
