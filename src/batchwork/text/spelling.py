"""`did you mean …?`: the nearest known word to a misspelt one. Nothing here knows what the words are for."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 60
"""Words beyond this many characters are not compared: nobody misspells them, and comparing costs their square."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was most likely meant to be, or None where nothing is near.

    Distance counts insertions, deletions, replacements and swaps of neighbours, without regard to case, `-` and `_`;
    up to a third of the word's length may differ.
    """
    if not 0 < len(word) <= LONGEST:
        return None
    plain = _plain(word)
    best: str | None = None
    least = max(1, len(plain) // 3) + 1
    for candidate in sorted(set(known)):
        if candidate == word or not 0 < len(candidate) <= LONGEST:
            continue
        distance = _distance(plain, _plain(candidate), least)
        if distance < least and distance < len(candidate):
            best, least = candidate, distance
    return best


def suggest(word: str, known: Iterable[str]) -> str:
    """A hint: "did you mean `x`?", or "" where nothing is near."""
    return _question(nearest(word, known))


def suggest_field(word: str, known: Iterable[str]) -> str:
    """The same for the name of a field, which may also be what another tool calls one of them."""
    from batchwork.text.foreign import our_word  # most workflows have no wrong names

    known = frozenset(known)
    return _question(our_word(word, known) or nearest(word, known))


def _question(found: str | None) -> str:
    if found is None:
        return ""
    return f"did you mean `{found}`?"


def listing(words: Iterable[str], limit: int = 20, last: str = "and") -> str:
    """Names for a message: "`a`, `b` and `c`", cut after `limit`."""
    names = [f"`{word}`" for word in words]
    if not names:
        return "none"
    if len(names) > limit:
        return ", ".join(names[:limit]) + f" and {len(names) - limit} more"
    return f" {last} ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _plain(word: str) -> str:
    return word.casefold().replace("-", "_")


def _distance(a: str, b: str, limit: int) -> int:
    """Damerau-Levenshtein distance (restricted), or `limit` where it is at least that."""
    if abs(len(a) - len(b)) >= limit:
        return limit
    before: list[int] = []
    previous = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        row = [i]
        for j, right in enumerate(b, 1):
            cost = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (left != right))
            if i > 1 and j > 1 and left == b[j - 2] and a[i - 2] == right:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) >= limit:
            return limit
        before, previous = previous, row
    return min(previous[-1], limit)
