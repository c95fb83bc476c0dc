"""A text split into words as a shell would split it: blanks, quotes, backslashes. Nothing in it is expanded or run."""

from __future__ import annotations

import re

from batchwork.text.patterns import pattern

_token = pattern(r"""[ \t\n]+|'[^']*'|"(?:[^"\\]|\\.)*"|\\.?|[^ \t\n'"\\]+|['"]""", re.DOTALL)
_escaped = pattern(r"""\\([$`"\\\n])""")


class UnclosedQuote(ValueError):
    """A quote in the text has no end."""


def split_words(text: str) -> list[str]:
    """The words of `text`. Raises UnclosedQuote."""
    words: list[str] = []
    word: str | None = None
    for match in _token.finditer(text):
        piece = match[0]
        if piece[0] in " \t\n":
            if word is not None:
                words.append(word)
            word = None
        elif piece != "\\\n":
            word = (word or "") + _plain(piece)
    if word is not None:
        words.append(word)
    return words


def _plain(piece: str) -> str:
    """The text that a quoted, escaped or plain piece stands for."""
    if piece in ("'", '"'):
        raise UnclosedQuote(f"the quote {piece} is not closed")
    if piece[0] == "'":
        return piece[1:-1]
    if piece[0] == '"':
        return _escaped.sub(lambda found: found[1].replace("\n", ""), piece[1:-1])
    if piece[0] == "\\" and len(piece) == 2:
        return piece[1]
    return piece
