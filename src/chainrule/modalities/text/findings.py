"""What is worth saying of texts before they are learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...data import Finding

__all__ = ["text_findings"]

#: share of long texts, or of copies, from which there is a warning
MANY = 0.05


def text_findings(
    texts: Mapping[Any, Sequence[str]], lengths: Sequence[int], length: int
) -> list[Finding]:
    """Empty, long and doubled texts; ``lengths`` are those of the training texts, in tokens."""
    every = [text for part in texts.values() for text in part]
    findings = []
    empty = sum(not text.strip() for text in every)
    if empty:
        message = "empty texts say nothing, and are predicted alike"
        findings.append(Finding("D606", "warning", message, f"{empty} of {len(every)}"))
    long = sum(own > length for own in lengths)
    if long:
        message = f"of long texts, only the first {length} tokens are read"
        evidence = f"{long} of {len(lengths)} training texts; the longest has {max(lengths)} tokens"
        severe = long > MANY * len(lengths)
        findings.append(
            Finding("D607", "warning" if severe else "info", message, evidence,
                    "tokenizer.length sets another length")
        )  # fmt: skip
    copies = len(every) - len(set(every))
    if copies:
        message = f"{copies} of {len(every)} texts are exact copies of others"
        evidence = "a random split puts copies on both sides, which makes the test too easy"
        severe = copies > MANY * len(every)
        findings.append(Finding("D608", "warning" if severe else "info", message, evidence))
    return findings
