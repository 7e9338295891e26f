"""The style of the page: one column of text, one accent colour, light, dark and on paper.

It is the only thing that the page's policy lets a browser apply, by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

__all__ = ["POLICY", "STYLE"]

STYLE = Path(__file__).with_name("style.css").read_text(encoding="utf-8")

_HASH = base64.b64encode(hashlib.sha256(STYLE.encode("utf-8")).digest()).decode("ascii")

#: nothing is loaded, nothing runs, nothing is sent; of styles only the one above counts
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
