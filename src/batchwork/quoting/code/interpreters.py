"""Words and inputs of commands that are code for another program (`sh -c`, `awk`, `| python3` …): what is wrong with templates in them.

Builtins of the shell itself that evaluate their words are no part of it, and nothing here depends on quoting.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from batchwork.quoting.code.programs import PROGRAMS, SHELLS, Program
from batchwork.quoting.said import fed, said
from batchwork.quoting.words import DYNAMIC, HOLE, PROCESS, Command, Word, names
from batchwork.quoting.wrappers import OPAQUE, own_command

_SAYING = names("echo printf grep egrep fgrep rg cat ls man which type test [ [[")
_MESSAGE = "a value inside the code of `{}` would be run as code"
_BY_NAME = {name: program for program in PROGRAMS for name in program.names}


class Danger(Struct, frozen=True):
    """A template whose value would be run as code. Harmless where the value is a whole number (`| int`)."""

    number: int
    message: str
    hint: str


class _Use(Struct, frozen=True):
    """A program in a command: `words` follow its name. `runs`: it stands where a command stands."""

    name: str
    program: Program
    words: Sequence[Word]
    runs: bool

    def dangers(self, numbers: Iterable[int], shown: str, hint: str = "") -> Iterator[Danger]:
        message = _MESSAGE.format(shown.replace("NAME", self.name))
        for number in numbers:
            yield Danger(number, message, (hint or self.program.instead).replace("NAME", self.name))


def dangers(command: Command) -> Iterator[Danger]:
    """The templates of one simple command that stand in code for another program."""
    words = command.words
    if not words:
        return
    for use in _uses(words):
        if use.runs or use.program.by_flag:
            for code in use.program.code(use.words):
                yield from use.dangers(code.holes, use.program.shown)
        if use.runs:
            yield from _read(use, command)
    if any(word.literal == "xargs" for word in words):
        yield from _from_xargs(command)


def _uses(words: Sequence[Word]) -> Iterator[_Use]:
    own = own_command(words)
    anywhere = own < len(words) and words[own].name in OPAQUE
    for at, word in _possible_names(words):
        program = _BY_NAME.get(word.name) or _BY_NAME.get(word.name.rstrip("0123456789."))
        if program is not None:
            yield _Use(word.name, program, words[at + 1 :], at <= own or anywhere)


def _possible_names(words: Sequence[Word]) -> Iterator[tuple[int, Word]]:
    """The words that may name a command: the first one, and further ones unless the command just takes text."""
    for at, word in enumerate(words):
        if at and words[0].name in _SAYING:
            return
        if not word.direct and DYNAMIC not in word.literal:
            yield at, word


# ---------------------------------------------------------------- what is read


def _read(use: _Use, command: Command) -> Iterator[Danger]:
    """Code that comes as a file made on the spot, or on standard input."""
    takes = use.program.reads
    if takes is None:
        return
    for at, word in enumerate(use.words):
        if PROCESS in word.literal and _is_code_file(use.words, at):
            yield from use.dangers(said(word), "NAME <(…)", _hint(use))
    if takes(use.words) and not any(word.literal == "xargs" for word in command.words):
        yield from _from_input(use, command)


def _from_input(use: _Use, command: Command) -> Iterator[Danger]:
    for word in command.inputs:
        yield from use.dangers(said(word), "NAME <<<", _hint(use))
    for before in command.upstream:
        speaker = before.words[0].name if before.words else "…"
        yield from use.dangers(fed(Command(upstream=[before])), f"{speaker} … | NAME", _hint(use))


def _hint(use: _Use) -> str:
    if use.name in SHELLS:
        return 'pass the value as an argument: NAME -s -- {{ item }}, and use "$1" in the code'
    return ""


def _is_code_file(words: Sequence[Word], at: int) -> bool:
    """Whether a word is the first operand, or what `-f` takes."""
    if at and words[at - 1].literal in ("-f", "--file"):
        return True
    return all(word.is_option() for word in words[:at])


def _from_xargs(command: Command) -> Iterator[Danger]:
    """What xargs reads and puts among the words of its command, where these are code."""
    numbers = tuple(fed(command))
    if numbers:
        yield from dangers(Command(with_appended(command.words, numbers)))


def with_appended(words: Sequence[Word], numbers: tuple[int, ...]) -> list[Word]:
    """The command of xargs with the words that it makes of its input."""
    own = own_command(words)
    mark = _replacement(words[:own])
    if not mark:
        return [*words[own:], Word(HOLE, numbers, numbers)]
    return [
        replace(word, literal=word.literal.replace(mark, HOLE), holes=numbers, direct=numbers)
        if mark in word.literal
        else word
        for word in words[own:]
    ]


def _replacement(options: Sequence[Word]) -> str:
    """What stands for the input in the words of xargs's command: `{}` of `-I{}`."""
    for at, word in enumerate(options):
        literal = word.literal
        if literal in ("-i", "--replace"):
            return "{}"
        if literal.startswith(("-I", "--replace=", "-i")):
            given = literal[2:] if literal[1] != "-" else literal.partition("=")[2]
            return given or "".join(following.literal for following in options[at + 1 : at + 2])
    return ""
