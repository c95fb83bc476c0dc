"""Which templates' values stand in what a command prints or reads: those that it says, or passes on. Nothing else is seen.

What comes out of an unknown program is unknown: `wc -l < {{ item }}` says a number, not the item.
"""

from __future__ import annotations

from collections.abc import Iterator

from batchwork.quoting.words import PROCESS, Command, Word, names
from batchwork.quoting.wrappers import own_command

_SAYING = names("echo printf print yes basename dirname realpath readlink")
_PASSING_ON = names(
    """cat tee sed gsed tr sort uniq head tail grep egrep fgrep rg cut tac rev fold fmt paste nl column expand unexpand envsubst
    awk gawk mawk base64 iconv dos2unix pv jq"""
)
"""Commands whose output has what they read on standard input or in a `<( )`."""

_PIPES = ("|", "|&")


def said(word: Word) -> tuple[int, ...]:
    """The templates whose values stand in a word as it will be."""
    return tuple(dict.fromkeys([*word.direct, *inside(word)]))


def inside(word: Word) -> Iterator[int]:
    """The templates whose values the substitutions of a word put into it."""
    for command in inside_commands(word):
        yield from says(command)


def inside_commands(word: Word) -> Iterator[Command]:
    """The commands whose output is in a word."""
    depth = min((command.spot.depth for command in word.inside), default=0)
    for command in word.inside:
        if command.spot.depth == depth and command.ended not in _PIPES:
            yield command


def is_saying(command: Command) -> bool:
    """Whether it prints what it is given as arguments."""
    at = own_command(command.words)
    return at < len(command.words) and command.words[at].name in _SAYING


def says(command: Command) -> Iterator[int]:
    """The templates whose values a command prints."""
    words = command.words
    at = own_command(words)
    if at >= len(words):
        return
    if words[at].name in _SAYING:
        for word in words[at + 1 :]:
            yield from said(word)
    elif words[at].name in _PASSING_ON:
        for word in words[at + 1 :]:
            if PROCESS in word.literal:
                yield from inside(word)
        yield from fed(command)


def fed(command: Command) -> Iterator[int]:
    """The templates whose values a command reads on standard input."""
    for word in command.inputs:
        yield from said(word)
    for before in command.upstream:
        yield from says(before)
