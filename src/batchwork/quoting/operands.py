"""What is risky about values as operands: taken for a format."""

from __future__ import annotations

from collections.abc import Iterator

from batchwork.quoting.code.interpreters import Danger
from batchwork.quoting.words import Command


def formats(command: Command) -> Iterator[Danger]:
    """The templates in the format of `printf`, where `%` and `\\` are directives."""
    words = [word for word in command.words if word.literal != "--"]
    if len(words) > 1 and words[0].name == "printf":
        for number in words[1].direct:
            message = "`printf` reads `%` and `\\` in its first word as directives"
            yield Danger(number, message, "write: printf '%s' {{ item }}")
