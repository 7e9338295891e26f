"""Long texts in pieces, of which several processes each take some.

    ... it was| nothing like ...      cut before a space between two letters

There every kind of tokenizer begins a token, so pieces give the tokens of the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from chainrule.data.gathering import ALONE, Gathering

__all__ = ["own_pieces"]

#: characters of a piece at least
PIECE = 1 << 20
#: between plain letters, because others may combine with what stands beside them
CUT = re.compile(r"(?<=[A-Za-z]) (?=[A-Za-z])")


def own_pieces(texts: Sequence[str], gathering: Gathering = ALONE) -> Iterator[tuple[str, bool]]:
    """The pieces of this process, in order, and whether each is the last one of its text.

    Processes have about as many characters each; those of all, one after the other, are all pieces.
    """
    share = gathering.own(sum(len(text) + 1 for text in texts))  # an empty text is a piece, too
    before = 0
    for text in texts:
        cuts = _cuts(text)
        for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            if share.start <= before + begin < share.stop:
                yield text[begin:end], end == len(text)
        before += len(text) + 1


def _cuts(text: str) -> list[int]:
    """Where all pieces but the first begin."""
    cuts: list[int] = []
    while found := CUT.search(text, (cuts[-1] if cuts else 0) + PIECE):
        cuts.append(found.start())
    return cuts
