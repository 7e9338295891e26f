"""The checks of a table before training."""

from . import columns, leaking, rows

__all__ = ["CHECKS"]

CHECKS = (
    columns.schema,
    columns.missing_values,
    columns.constant_columns,
    columns.duplicate_columns,
    rows.duplicate_rows,
    leaking.leaking_columns,
    rows.feature_ranges,
)
