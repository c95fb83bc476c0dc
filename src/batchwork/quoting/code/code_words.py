"""Which words of a command are code, for each way in which interpreters take it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from msgspec import Struct

from batchwork.quoting.words import HOLE, Word, names

CodeIn: TypeAlias = Callable[[Sequence[Word]], Iterator[Word]]
"""Given the words after a command's name, those that are code."""


class _AfterFlag(Struct, frozen=True):
    """Code follows `flag`, or a `long` option; or stands in the same word, which is `joined` or `assigned`."""

    flag: re.Pattern[str]
    joined: re.Pattern[str]
    long: tuple[str, ...]
    assigned: tuple[str, ...]
    operand_first: bool

    def __call__(self, words: Sequence[Word]) -> Iterator[Word]:
        for at, word in enumerate(words):
            if self._is_flag(word):
                yield from words[at + 1 : at + 2]
            elif self._has_code(word):
                yield word
            elif not self.operand_first and _is_program(words, at):
                return

    def _is_flag(self, word: Word) -> bool:
        return self.flag.fullmatch(word.literal) is not None or word.literal in self.long

    def _has_code(self, word: Word) -> bool:
        joined = bool(word.holes) and self.joined.match(word.literal) is not None
        return joined or word.literal.startswith(self.assigned)


def _is_program(words: Sequence[Word], at: int) -> bool:
    """Whether the word is an operand, and not what the option before it takes."""
    return not words[at].is_option() and (at == 0 or not words[at - 1].is_option())


def after_flag(letters: str, *long: str, operand_first: bool = True) -> CodeIn:
    """Code follows an option that ends with one of `letters` (`-c CODE`, `-ne CODE`, `-cCODE`) or a long option.

    Unless `operand_first`, options end at the first operand, which is the file of a program.
    """
    one = f"[{letters}]" if letters else "(?!)"
    flag = re.compile(rf"-[A-Za-z0-9]{{0,6}}{one}")
    joined = re.compile(rf"-{one}[^-]")
    return _AfterFlag(
        flag, joined, long, tuple(f"{option}=" for option in long if option.startswith("--")), operand_first
    )


def shell_code(words: Sequence[Word]) -> Iterator[Word]:
    """The first operand after options among which there is `-c`; further operands are its arguments, and safe."""
    options, operand = _shell_options(words)
    yield from (option for option in options if option.holes)
    if operand is not None and any("c" in option.literal and not option.literal.startswith("--") for option in options):
        yield operand


def _shell_options(words: Sequence[Word]) -> tuple[list[Word], Word | None]:
    """A shell's options, without the words that they take, and the first operand."""
    options: list[Word] = []
    left = iter(words)
    for word in left:
        literal = word.literal
        if literal == "--":
            continue
        if len(literal) < 2 or not literal.startswith(("-", "+")):
            return options, word
        options.append(word)
        if literal.endswith(("o", "O")) or literal in ("--rcfile", "--init-file"):
            next(left, None)
    return options, None


class _Option(Struct, frozen=True):
    """What an option means to `FirstOperand`: `takes` further words; the operand is not the code but is `elsewhere`."""

    takes: int = 0
    elsewhere: bool = False
    is_code: bool = False
    code_follows: bool = False


class FirstOperand(Struct, frozen=True):
    """The first operand is code, unless code comes by an option or from a file.

    Given are the letters of options that take an argument, code, or a file of code.
    """

    with_argument: str
    code: str
    file: str

    def __call__(self, words: Sequence[Word]) -> Iterator[Word]:
        elsewhere = False
        at = 0
        while at < len(words) and words[at].is_option() and words[at].literal != "--":
            option = self._option(words[at].literal)
            elsewhere = elsewhere or option.elsewhere
            if option.is_code:
                yield words[at]
            if option.code_follows:
                yield from words[at + 1 : at + 2]
            at += 1 + option.takes
        if at < len(words) and words[at].literal == "--":
            at += 1
        if not elsewhere:
            yield from words[at : at + 1]

    def _option(self, literal: str) -> _Option:
        if literal.startswith("--"):
            return _long_option(literal)
        letter, rest = literal[1], literal[2:]
        if literal[-1] in self.code:  # `-ne CODE`
            return _Option(1, elsewhere=True, code_follows=True)
        if letter in self.code:
            return _Option(elsewhere=True, is_code=True)
        if letter in self.file:
            return _Option(int(not rest), elsewhere=True)
        return _Option(int(letter in self.with_argument and not rest))


def _long_option(literal: str) -> _Option:
    name, assigned, _ = literal[2:].partition("=")
    takes = int(name in _WITH_ARGUMENT and not assigned)
    if name in _JQ_TWO:
        takes = 2
    if name in ("expression", "source", "filter"):
        return _Option(takes, elsewhere=True, is_code=bool(assigned), code_follows=not assigned)
    return _Option(takes, elsewhere=name in ("file", "from-file"))


_JQ_TWO = names("arg argjson slurpfile rawfile argfile")
_WITH_ARGUMENT = names("assign field-separator line-length indent file from-file expression source")


def every_word(words: Sequence[Word]) -> Iterator[Word]:
    return iter(words)


def before_lists(words: Sequence[Word]) -> Iterator[Word]:
    """The command of GNU parallel; what follows `:::` it quotes itself."""
    for word in words:
        if word.literal.startswith(":::"):
            return
        yield word


def nothing(_words: Sequence[Word]) -> Iterator[Word]:
    """For programs that take code only on standard input."""
    return iter(())


class _Operands(Struct, frozen=True):
    """All operands but the first `skip`; `takes` are options with an argument, `code` those that are followed by code."""

    skip: int
    takes: frozenset[str]
    code: frozenset[str]

    def __call__(self, words: Sequence[Word]) -> Iterator[Word]:
        seen = 0
        left = iter(words)
        for word in left:
            name, assigned, _ = word.literal.partition("=")
            if name in self.code:
                yield from (word,) if assigned else _next(left)
            elif word.literal in self.takes:
                next(left, None)
            elif not word.is_option():
                seen += 1
                if seen > self.skip:
                    yield word


def _next(left: Iterator[Word]) -> Iterator[Word]:
    word = next(left, None)
    if word is not None:
        yield word


def operands_after(skip: int, takes: str = "", code: str = "") -> CodeIn:
    """All operands but the first `skip` are code. `takes` are options with an argument, `code` those that code follows."""
    return _Operands(skip, names(takes), names(code))


def assigned_words(words: Sequence[Word]) -> Iterator[Word]:
    """`NAME=value`, as make takes it, and what follows `--eval`."""
    for at, word in enumerate(words):
        if word.literal == "--eval":
            yield from words[at + 1 : at + 2]
        elif word.literal.startswith("--eval=") or _assigned.match(word.literal):
            yield word


def typed_keys(words: Sequence[Word]) -> Iterator[Word]:
    """What tmux and screen are told to run or to type: all words but what an option such as `-t` takes."""
    left = iter(words if any(word.literal in _TYPING for word in words) else ())
    for word in left:
        if word.literal in _OF_TERMINALS:
            next(left, None)
        else:
            yield word


_TYPING = names(
    """-X send-keys send new-session new new-window neww split-window splitw respawn-pane respawnp respawn-window respawnw
    run-shell run if-shell if pipe-pane pipep display-popup popup set-hook bind-key bind"""
)
_OF_TERMINALS = names("-t -s -n -c -x -y -F -L -S -f -p -T")
_assigned = re.compile(r"[^\s=-][^\s=]*[:?+!]{0,3}=")


SSH_WITH_ARGUMENT = "BbcDEeFIiJLlmOopPQRSWw"


def remote(words: Sequence[Word]) -> Iterator[Word]:
    """What ssh gets: it joins what follows the host into code for the remote shell; `-o` and a host like `-oProxyCommand=…` run commands."""
    at = 0
    guarded = False
    while at < len(words):
        word = words[at]
        at += 1
        if word.literal == "--":
            guarded = True
        elif guarded or not word.is_option():
            if word.starts_with_hole() and not guarded:
                yield word
            yield from words[at:]
            return
        else:
            yield from _ssh_setting(word, words[at : at + 1])
            at += len(word.literal) == 2 and word.literal[1] in SSH_WITH_ARGUMENT


def _ssh_setting(option: Word, after: Sequence[Word]) -> Iterator[Word]:
    if option.literal == "-o":
        yield from after
    elif option.literal.startswith("-o") and option.holes:
        yield option


def split_string(words: Sequence[Word]) -> Iterator[Word]:
    """What follows `-S` of env, which splits a text into words and options; and a value where env looks for options."""
    for at, word in enumerate(words):
        literal = word.literal
        if literal in ("-S", "--split-string"):
            yield from words[at + 1 : at + 2]
        elif literal.startswith(("-S", "--split-string=", "-vS", HOLE)):
            yield word
        if not literal.startswith("-") and "=" not in literal:
            return
