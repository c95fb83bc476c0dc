"""What is risky about values as operands: taken for a format."""

from __future__ import annotations

from collections.abc import Iterator

from batchwork.quoting.words import Command


def formats(command: Command) -> Iterator[int]:
    """The number of each template in the format of `printf`, where `%` and `\\` are directives."""
    words = [word for word in command.words if word.literal != "--"]
    if len(words) > 1 and words[0].name == "printf":
        yield from words[1].direct
