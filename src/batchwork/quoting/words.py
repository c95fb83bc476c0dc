"""What is read of a shell command: where each template stands, and the simple commands with their words. No reading here."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

from batchwork.text.patterns import pattern

HOLE = "\0"
"""Stands in a command's text for a template whose value is bound (a command cannot contain a NUL)."""

DYNAMIC = "\1"
"""Stands in a word's literal for what the shell puts there: `$x`, `$(…)`, a pasted value."""

PASTED = DYNAMIC
"""Stands in a command's text for a template whose value is pasted: what that is, is as unknown as what the shell puts there."""

PROCESS = "\3"
"""Stands in a word's literal for `<(…)` or `>(…)`."""

_assignment = pattern(r"([A-Za-z_]\w*)(?:\[[^\]]*\])?\+?=")


def names(text: str) -> frozenset[str]:
    """The words of `text`."""
    return frozenset(text.split())


class Where(StrEnum):
    """The place of a template in a command. The first five and a comment can be bound; arithmetic with `| int`."""

    BARE = "bare word"
    DOUBLE = "double quotes"
    SINGLE = "single quotes"
    HEREDOC = "here-document"
    PATTERN = "pattern"
    COMMENT = "comment"
    ARITHMETIC = "arithmetic"
    BRACES = "${…}"
    ANSI = "$'…'"
    QUOTED_HEREDOC = "here-document that is quoted"
    DELIMITER = "here-document's delimiter"
    BACKSLASH = "after a backslash"
    DOLLAR = "after a dollar sign"
    SUBSCRIPT = "subscript"


class Word(Struct, frozen=True):
    """One word. `literal` is its text without quotes; `holes` are the numbers of the templates in it, `direct` those not in `$( )`.

    `variables` are the names in its `$x` and `${x…}`, `inside` the commands of its `$( )` and `<( )`. `lead` is the
    variable that it begins with.
    """

    literal: str
    holes: tuple[int, ...] = ()
    direct: tuple[int, ...] = ()
    quoted: bool = False
    variables: tuple[str, ...] = ()
    inside: tuple[Command, ...] = ()
    lead: str = ""

    @property
    def name(self) -> str:
        """The last part of a path: `/bin/sh` is `sh`."""
        return self.literal.rpartition("/")[2]

    @property
    def target(self) -> str:
        """`name=`, `name+=` or `name[…]=`, where the word has the form of an assignment; else nothing."""
        match = _assignment.match(self.literal)
        return match[0] if match else ""

    def starts_with_hole(self) -> bool:
        return self.literal.startswith(HOLE)

    def is_option(self) -> bool:
        return self.literal.startswith("-") and len(self.literal) > 1


class Spot(Struct, frozen=True):
    """Where a command stands: the position of its first word, how deep in `$( )`, and in which list of commands."""

    at: int = 0
    depth: int = 0
    list: int = 0


class Command(Struct):
    """One simple command: its words (redirections left out), what is assigned before it, what it reads.

    `inputs` are the words after `<<<` and in `< <( )`, and the bodies of here-documents; `upstream` are the commands whose
    output it reads through a pipe. `ended` is the sign after it, `tested` says that its failure is asked for (`if`).
    """

    words: list[Word] = field(default_factory=list)
    assignments: list[Word] = field(default_factory=list)
    inputs: list[Word] = field(default_factory=list)
    upstream: list[Command] = field(default_factory=list)
    spot: Spot = Spot()
    ended: str = ""
    tested: bool = False
