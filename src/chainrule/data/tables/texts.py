"""Words of short texts: whether they tell rows apart, and which of them are worth an input."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

__all__ = ["chosen_words", "tells_by_words", "words_of"]

WORD = re.compile(r"[^\W_]+")
#: texts of which as many words as this are looked at
LOOKED_AT = 2_000
LEAST_WORDS = 2.0
#: a word says something of a column if it is in three texts and in so many of all, but not in
#: nearly all of them; such words are in half of the texts, or they are names and numbers
LEAST_TEXTS, LEAST_SHARE, MOST_SHARE, COVERED = 3, 0.02, 0.9, 0.5
#: inputs for words: one for so many rows, and how many there are at least and at most
ROWS_OF_WORD, FEW_WORDS, MANY_WORDS = 10, 8, 256


def words_of(text: str) -> list[str]:
    """Runs of letters and digits, without case."""
    return WORD.findall(text.casefold())


def tells_by_words(texts: Sequence[str]) -> bool:
    """Whether ``texts`` have several words, some of which half of them share with others: titles
    and descriptions, as opposed to names, addresses and numbers of things."""
    looked_at = texts[:: max(1, len(texts) // LOOKED_AT)]
    spelled = [{word for word in words_of(text) if not word.isdigit()} for text in looked_at]
    if sum(map(len, spelled)) < LEAST_WORDS * len(spelled):
        return False
    counts = Counter(word for words in spelled for word in words)
    least = max(LEAST_TEXTS, LEAST_SHARE * len(spelled))
    telling = {word for word, n in counts.items() if least <= n <= MOST_SHARE * len(spelled)}
    return sum(not telling.isdisjoint(words) for words in spelled) >= COVERED * len(spelled)


def chosen_words(counts: Counter[str], rows: int) -> list[str]:
    """The words, in order, that most of ``rows`` texts have: not nearly all, nor hardly any."""
    most = min(MANY_WORDS, max(FEW_WORDS, rows // ROWS_OF_WORD))
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    kept = [w for w, n in ranked if LEAST_TEXTS <= n <= MOST_SHARE * rows]
    return sorted(kept[:most])
