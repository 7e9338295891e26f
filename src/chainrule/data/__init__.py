"""Tables: reading, inferring, splitting, preprocessing. Independent of the engine.

table = read_table("heart.csv")
data = prepare(table, "disease", missing={"chol": [0]})
data.train.features.numeric, data.train.target, data.pipeline.to_json()
"""

from chainrule.data.bundles import BUNDLED, Bundled, bundled, resolve_source
from chainrule.data.findings import CODES, Finding, Setting
from chainrule.data.fit import FitOptions
from chainrule.data.prepare import Prepared, PreparedRows, divide, prepare
from chainrule.data.preprocessor import Features, Preprocessor, read_target
from chainrule.data.schema import Column, Kind, Schema, infer_schema
from chainrule.data.source import read_table
from chainrule.data.split import Split, shuffled, split_rows
from chainrule.data.table import Table
from chainrule.data.target import Target, Task

__all__ = [
    "BUNDLED",
    "CODES",
    "Bundled",
    "Column",
    "Features",
    "Finding",
    "FitOptions",
    "Kind",
    "Prepared",
    "PreparedRows",
    "Preprocessor",
    "Schema",
    "Setting",
    "Split",
    "Table",
    "Target",
    "Task",
    "bundled",
    "divide",
    "infer_schema",
    "prepare",
    "read_table",
    "read_target",
    "resolve_source",
    "shuffled",
    "split_rows",
]
