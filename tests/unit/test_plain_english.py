"""Messages and docstrings in plain English: no form that has been read twice before, no sentence of 40 words."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import batchwork

HOUSE = Path(batchwork.__file__).parent
GOLDEN = Path(__file__).parents[1]
LONGEST = 40
"""Words of a sentence; code in backticks counts as one."""

BAD_FORMS = {
    r"(?<!there )\b(is|was) none\b": "say what it is not: `x` is not a …",
    r"\bcall(s|ed)? so\b": "say the name, or `that name`",
    r"(?<!there )\bis no (?!such )(\w+ )?(method|field|character|name|failure)\b": "is not a …",
    r"\bleave (\S+ )?away\b": "leave out",
    r"\b(not|is|are) there yet: (it|they) comes? later\b": "comes in a later version",
    r"\bstands? there already\b": "is already there",
    r"\b[\w/]+\.(py|ya?ml|jsonl|md|toml|sql)'s\b": "the … of the file",
    r"\bhere are (no|\d|\{\})": "there are … here",
}


def strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, text) of all strings and docstrings; what an f-string puts in stands as {}."""
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in inner:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)


def bad_forms(text: str) -> Iterator[str]:
    """What is wrong with a text, in words."""
    for form, better in BAD_FORMS.items():
        if found := re.search(form, text):
            yield f"{found[0]!r}: {better}"
    for sentence in sentences(text):
        if len(sentence.split()) >= LONGEST and re.search(r"[,;:()]", sentence):  # else a list of words
            yield f"a sentence of {len(sentence.split())} words: {sentence[:80]} …"


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text; code in backticks is a word, and what stands indented (examples, tables) is none of it."""
    plain = re.sub(r"`[^`]*`", "CODE", inspect.cleandoc(text))
    for block in re.split(r"\n\s*\n|\n[-*] |\n(?=\S+ {2,})", re.sub(r"(?m)^ +.*$", "", plain)):
        yield from re.split(r"[.?!](?:\s|$)", block)


FILES = sorted(HOUSE.rglob("*.py"))


def test_messages_and_docstrings_are_plain_english() -> None:
    found = [
        f"{path.relative_to(HOUSE)}:{line}: {wrong}"
        for path in FILES
        for line, text in strings(ast.parse(path.read_text(encoding="utf-8")))
        if " " in text
        for wrong in bad_forms(text)
    ]
    assert found == []


@pytest.mark.parametrize("folder", ["unit/golden", "cli/golden"])
def test_what_is_printed_is_plain_english(folder: str) -> None:
    files = sorted(path for path in (GOLDEN / folder).rglob("*.txt"))
    assert files
    found = [
        f"{path.name}: {wrong}"
        for path in files
        for line in path.read_text(encoding="utf-8").split("\n")
        for wrong in bad_forms(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "the method 'X' is none",
        "POSIX shells only, and `fish` is none",
        "`x` is what batchwork calls so",
        "leave `name` away",
        "what is done with them is revival.py's",
        "one thing, " * 20,
    ],
)
def test_what_was_read_twice_is_found(text: str) -> None:
    assert list(bad_forms(text))


@pytest.mark.parametrize("text", ["None where there is none", "The name is not valid. " * 20, "there is no run `x`"])
def test_plain_english_is_let_through(text: str) -> None:
    assert list(bad_forms(text)) == []
