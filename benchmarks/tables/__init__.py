"""Networks for tables beside what others use for them, on real tables that packages hold.

    python -m benchmarks.tables --out results.jsonl                    # all that is not there yet
    python -m benchmarks.tables --out results.jsonl --methods linear,lightgbm --half tuning
    python -m benchmarks.tables --out results.jsonl --name wide --set model.layers=[256,256]
    python -m benchmarks.tables --table results.jsonl                 # as in docs/tables.md

A line of JSON is written for each table, seed and method as soon as it is known, so that a run that
was stopped goes on where it was. Settings are chosen by the tables of the tuning half alone; see
`sources.half`.
"""
