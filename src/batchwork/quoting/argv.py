"""Commands given as a list of words: the same check for code in them as for shell commands. Quoting has no part in it."""

from __future__ import annotations

from collections.abc import Sequence

from batchwork.errors import Problem
from batchwork.quoting.command import is_whole_number
from batchwork.quoting.interpreters import dangers
from batchwork.quoting.operands import unguarded
from batchwork.quoting.words import DYNAMIC, HOLE, Command, Word
from batchwork.template import Expression, Template


def compile_argv(words: Sequence[Template | str]) -> tuple[list[Problem], list[Problem]]:
    """The problems of an argument list (values inside code for another interpreter), and its warnings."""
    expressions: list[Expression] = []
    made: list[Word] = []
    for word in words:
        if isinstance(word, str):
            made.append(Word(word))
            continue
        literal = ""
        first = len(expressions)
        for part in word.parts or (DYNAMIC,):
            if isinstance(part, str):
                literal += part
            else:
                literal += HOLE
                expressions.append(part)
        numbers = tuple(range(first, len(expressions)))
        made.append(Word(literal, numbers, numbers))
    command = Command(made)
    problems = [
        Problem(expressions[danger.number].place, danger.message, danger.hint)
        for danger in dangers(command)
        if not is_whole_number(expressions[danger.number])
    ]
    warnings = [
        Problem(
            expressions[number].place,
            f"`{name}` takes a value that begins with `-` for an option",
            'put "--" before it',
        )
        for number, name in unguarded(command)
    ]
    return list(dict.fromkeys(problems)), warnings
