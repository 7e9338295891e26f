"""A process that does jobs for `carriers.Processes`: ``python -m chainrule.runs.worker``.

Reads one `Job` a line, as JSON, and writes its `Outcome` likewise. It ends with the process that
has started it, however that ends, because its input ends then.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from typing import TextIO

import chainrule.driver  # noqa: F401 - so that steps are compiled

from .jobs import Job, Workplace

__all__ = ["main"]


def main() -> None:
    """Does jobs until there are no more."""
    # Whatever else is printed must not come between the outcomes.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(sys.stdin, lines), daemon=True).start()
        workplace = Workplace()
        while True:
            job = Job(**json.loads(lines.get()))
            out.write(json.dumps(workplace.perform(job).to_dict()) + "\n")
            out.flush()


def _listen(source: TextIO, lines: queue.SimpleQueue[str]) -> None:
    for line in source:
        lines.put(line)
    os._exit(0)  # nobody waits for an outcome any more


if __name__ == "__main__":
    main()
