"""A template's text cut into texts and the insides of `{{ }}`, with their places. Nothing is compiled here."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from batchwork.errors import Place, Problem, WorkflowError
from batchwork.text.patterns import pattern

_opening = pattern(r"\{\{|\{%|(?<!\$)\{#")
_in_expression = pattern(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|-?\}\}|[][(){}'"]""", re.DOTALL)
_CLOSERS = {"(": ")", "[": "]", "{": "}"}


LITERAL = "`{{` that is no template is written {{ '{{' }}"
"""What is said where something cannot be read as a template."""


class Raw(Struct, frozen=True):
    """An expression that is not compiled yet. `trim_left`/`trim_right`: it was written with `{{-` or `-}}`."""

    source: str
    place: Place
    trim_left: bool
    trim_right: bool


def place_at(text: str, offset: int, place: Place) -> Place:
    """Where the character at `offset` stands, if the text begins at `place` and its lines all begin at its column."""
    line = text.count("\n", 0, offset)
    start = text.rfind("\n", 0, offset) + 1
    return place.below(line, offset - start)


def split(text: str, place: Place) -> tuple[list[str | Raw], bool]:
    """The pieces of a text (comments left out), and whether it has statements; the pieces then are of no use."""
    parts: list[str | Raw] = []
    at = 0
    while match := _opening.search(text, at):
        start = match.start()
        parts.append(text[at:start])
        if match[0] == "{#":
            end = text.find("#}", start + 2)
            if end < 0:  # not a comment but text with `{#` in it
                parts.append("{#")
                at = start + 2
                continue
            at = end + 2
        elif match[0] == "{%":
            return parts, True
        else:
            raw, at = _read_expression(text, start, place)
            parts.append(raw)
    parts.append(text[at:])
    return parts, False


def _read_expression(text: str, start: int, place: Place) -> tuple[Raw, int]:
    begin = start + 2
    trim_left = text.startswith("-", begin)
    depth: list[str] = []
    at = begin + trim_left
    here = place_at(text, start, place)
    while match := _in_expression.search(text, at):
        token = match[0]
        at = match.end()
        if token.endswith("}}") and token[0] in "-}":
            if not depth:
                return Raw(text[begin + trim_left : match.start()], here, trim_left, token[0] == "-"), at
            at = match.start() + token.index("}") + 1  # these close braces of a mapping inside
            if depth.pop() != "}":
                raise _unreadable(here, "a bracket is not closed", text[start:at])
        elif token in _CLOSERS:
            depth.append(_CLOSERS[token])
        elif token in ("'", '"'):
            raise _unreadable(here, f"the text that begins with {token} is not closed", text[start:])
        elif token in (")", "]", "}") and _is_stray(token, depth):
            raise _unreadable(here, f"unexpected `{token}`", text[start:at])
    raise _unreadable(here, "`{{` is not closed by `}}`", text[start:])


def _is_stray(closer: str, depth: list[str]) -> bool:
    """Whether it closes nothing; what it closes is taken from `depth`."""
    return not depth or depth.pop() != closer


def _unreadable(place: Place, message: str, source: str) -> WorkflowError:
    line = source.split("\n", 1)[0]
    return WorkflowError([Problem(place, f"template syntax: {message}", f"in `{line[:100]}`; {LITERAL}")])


def merged(parts: list[str | Raw]) -> Iterator[str | Raw]:
    """Texts joined with their neighbours, whitespace trimmed where an expression asks for it, empty ones left out."""
    waiting = ""
    trimming = False
    for part in parts:
        if isinstance(part, str):
            waiting += part.lstrip() if trimming and not waiting else part
            continue
        if part.trim_left:
            waiting = waiting.rstrip()
        if waiting:
            yield waiting
        waiting = ""
        yield part
        trimming = part.trim_right
    if waiting:
        yield waiting
