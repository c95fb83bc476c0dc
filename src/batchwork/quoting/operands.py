"""What is risky about values as operands: taken for options where no `--` stands before them, or for formats."""

from __future__ import annotations

from collections.abc import Iterator

from batchwork.quoting.words import Command, Word, names

_COMMANDS = names(
    """rm cp mv ln mkdir rmdir touch cat grep egrep fgrep rg sort uniq wc cut head tail tac nl ls stat file diff cmp chmod
    chown chgrp tee shred truncate gzip gunzip bzip2 xz zip unzip basename dirname realpath readlink du df md5sum sha1sum
    sha256sum cksum split paste join comm scp sftp rsync curl wget kill cd"""
)
_BEFORE = names("command exec sudo doas nohup nice time xargs env")
_TAKES_ARGUMENT = frozenset(("-e", "--regexp", "-o", "--output", "-n", "-k", "-d", "-f", "-t"))
_FREE_F = frozenset(("rm", "cp", "mv", "ln", "touch"))
"""Commands whose `-f` (and others) take no argument."""


def unguarded(command: Command) -> Iterator[tuple[int, str]]:
    """The number of each template that its command may take for an option, and the command's name."""
    words = command.words
    while words and words[0].literal in _BEFORE:
        words = words[1:]
    if not words or words[0].name not in _COMMANDS:
        return
    name = words[0].name
    for at, word in enumerate(words[1:], 1):
        if word.literal == "--":
            return
        if word.starts_with_hole() and not _is_argument(name, words[at - 1]):
            yield word.direct[0], name


def _is_argument(name: str, before: Word) -> bool:
    return before.literal in _TAKES_ARGUMENT and name not in _FREE_F


def formats(command: Command) -> Iterator[int]:
    """The number of each template in the format of `printf`, where `%` and `\\` are directives."""
    words = [word for word in command.words if word.literal != "--"]
    if len(words) > 1 and words[0].name == "printf":
        yield from words[1].direct
