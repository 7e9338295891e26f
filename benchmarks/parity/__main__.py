"""``python -m benchmarks.parity``: PyTorch's own samples, given to Chainrule as well.

Every sample of an operator, module or optimizer that both have is computed by PyTorch and by
Chainrule, eager and compiled, with derivatives along a random cotangent. It is equal, refused in
words, wrong, or an internal error; the exit code is 1 if there is one of the last two.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.parity import modules, operators, optimizers
from benchmarks.parity.effort import Effort
from benchmarks.parity.verdict import Result, Verdict

BAD = (Verdict.WRONG, Verdict.INTERNAL)
PARTS = {"operators": operators, "modules": modules, "optimizers": optimizers}


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.parity", description=(__doc__ or "").split("\n")[0]
    )
    p.add_argument("--only", default="", metavar="NAME", help="of entries, by commas")
    p.add_argument("--part", default="", choices=["", *PARTS], help="one of the three tables")
    p.add_argument("--seed", type=int, default=0, help="of samples and cotangents")
    p.add_argument(
        "--most",
        type=int,
        default=Effort.most,
        help=f"samples of one entry and dtype, 0 for all; default: {Effort.most}",
    )
    p.add_argument(
        "--reference", action="store_true", help="PyTorch's larger set of samples of operators"
    )
    p.add_argument("--json", type=Path, metavar="FILE", help="write every sample's result there")
    p.add_argument("--refused", action="store_true", help="also list what was refused")
    return p


def run(options: argparse.Namespace) -> Iterator[Result]:
    """Every result, with the table printed on the way."""
    effort = Effort(options.seed, options.most, options.reference)
    only = {n for n in options.only.split(",") if n}
    columns = "".join(f"{v.value:>11}" for v in Verdict)
    print(f"{'':44}{'samples':>9}{columns}")
    for name, part in PARTS.items():
        if options.part not in ("", name):
            continue
        for entry in part.entries(only):
            found = list(part.results(entry, effort))
            print(row(part.full_name(entry), found), flush=True)
            yield from found


def row(name: str, found: list[Result]) -> str:
    """One line of the table."""
    counts = Counter(r.verdict for r in found)
    return f"{name:44}{len(found):>9}" + "".join(f"{counts[v] or '':>11}" for v in Verdict)


def listing(found: list[Result], verdicts: tuple[Verdict, ...]) -> None:
    """What went wrong, once for each entry and kind of message, with the first such sample."""
    groups: dict[tuple[str, ...], list[Result]] = {}
    for result in found:
        if result.verdict in verdicts:
            kind = re.sub(r"[-\d.]+(e-?\d+)?", "#", result.worst.detail)[:40]
            key = (result.verdict.value, result.entry, kind)
            groups.setdefault(key, []).append(result)
    for (verdict, entry, _), results in groups.items():
        first = results[0]
        print(f"\n{verdict}: {entry}, {len(results)} times; {first.dtype} {first.number}, ", end="")
        print(f"{first.worst.way}\n  {first.worst.detail[:200]}\n  {first.sample[:200]}")


def main() -> int:
    options = parser().parse_args()
    warnings.simplefilter("ignore")
    found = list(run(options))
    if not found:
        print(f"no entry {options.only!r} in both", file=sys.stderr)
        return 2
    print(row("in all", found))
    listing(found, (*BAD, Verdict.REFUSED) if options.refused else BAD)
    if options.json:
        options.json.write_text(json.dumps([r.record() for r in found], indent=1))
    return int(any(r.verdict in BAD for r in found))


if __name__ == "__main__":
    sys.exit(main())
