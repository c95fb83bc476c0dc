"""Which words of a command are code, for each way in which interpreters take it. Which command takes it how is in code.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from batchwork.quoting.words import HOLE, Word, names

Reading: TypeAlias = Callable[[str, Sequence[Word]], Iterator[Word]]
"""Given a command's name and its further words, those that are code."""


def after_flag(letters: str, *long: str, operand_first: bool = True) -> Reading:
    """Code follows an option that ends with one of `letters` (`-c CODE`, `-ne CODE`, `-cCODE`) or a long option.

    Unless `operand_first`, options end at the first operand, which is the file of a program.
    """
    ending = re.compile(rf"-[A-Za-z0-9]{{0,6}}[{letters}]")
    assigned = tuple(f"{option}=" for option in long if option.startswith("--"))
    attached = re.compile(rf"-[{letters}][^-]")

    def code(_name: str, words: Sequence[Word]) -> Iterator[Word]:
        for at, word in enumerate(words):
            literal = word.literal
            if ending.fullmatch(literal) or literal in long:
                yield from words[at + 1 : at + 2]
            elif (attached.match(literal) and word.holes) or literal.startswith(assigned):
                yield word
            elif not operand_first and not word.is_option() and not (at and words[at - 1].is_option()):
                return

    return code


def shell_code(_name: str, words: Sequence[Word]) -> Iterator[Word]:
    """The first operand after options among which there is `-c`; further operands are its arguments, and safe."""
    coded = False
    skip = False
    for word in words:
        literal = word.literal
        if skip:
            skip = False
        elif literal == "--":
            continue
        elif literal.startswith(("-", "+")) and len(literal) > 1:
            if word.holes:
                yield word
            coded = coded or (not literal.startswith("--") and "c" in literal)
            skip = literal.endswith(("o", "O")) or literal in ("--rcfile", "--init-file")
        else:
            if coded:
                yield word
            return


def first_operand(with_argument: str, code_options: str, file_options: str) -> Reading:
    """The first operand is code, unless code comes by an option or from a file. Options' letters are given."""

    def code(_name: str, words: Sequence[Word]) -> Iterator[Word]:
        elsewhere = False
        at = 0
        while at < len(words):
            word = words[at]
            literal = word.literal
            at += 1
            if literal == "--":
                yield from () if elsewhere else words[at : at + 1]
                return
            if literal.startswith("--"):
                option = literal[2:].partition("=")[0]
                if option in ("expression", "source", "filter"):
                    elsewhere = True
                    yield from (word,) if "=" in literal else words[at : at + 1]
                elif option in ("file", "from-file"):
                    elsewhere = True
                if option in _JQ_TWO:
                    at += 2
                elif option in _WITH_ARGUMENT and "=" not in literal:
                    at += 1
            elif literal.startswith("-") and len(literal) > 1:
                letter = literal[1]
                rest = literal[2:]
                if literal[-1] in code_options:  # `-ne CODE`
                    elsewhere = True
                    yield from words[at : at + 1]
                    at += 1
                elif letter in code_options:
                    elsewhere = True
                    yield word
                elif letter in file_options:
                    elsewhere = True
                    at += 0 if rest else 1
                elif letter in with_argument and not rest:
                    at += 1
            elif not elsewhere:
                yield word
                return
            else:
                return

    return code


_JQ_TWO = names("arg argjson slurpfile rawfile argfile")
_WITH_ARGUMENT = names("assign field-separator line-length indent file from-file expression source")


def every_word(_name: str, words: Sequence[Word]) -> Iterator[Word]:
    return iter(words)


def before_lists(_name: str, words: Sequence[Word]) -> Iterator[Word]:
    """GNU parallel's command; what follows `:::` it quotes itself."""
    for word in words:
        if word.literal.startswith(":::"):
            return
        yield word


def after_first(_name: str, words: Sequence[Word]) -> Iterator[Word]:
    operands = [word for word in words if not word.is_option()]
    yield from operands[1:]


_SSH_WITH_ARGUMENT = frozenset("BbcDEeFIiJLlmOopPQRSWw")


def remote(_name: str, words: Sequence[Word]) -> Iterator[Word]:
    """What ssh gets: it joins what follows the host into code for the remote shell; `-o` and a host like `-oProxyCommand=…` run commands."""
    at = 0
    guarded = False
    while at < len(words):
        word = words[at]
        at += 1
        if word.literal == "--":
            guarded = True
        elif word.is_option() and not guarded:
            if word.literal.startswith("-o") and word.holes:
                yield word
            if len(word.literal) == 2 and word.literal[1] in _SSH_WITH_ARGUMENT:
                if word.literal == "-o":
                    yield from words[at : at + 1]
                at += 1
        else:
            if word.starts_with_hole() and not guarded:
                yield word
            yield from words[at:]
            return


def split_string(_name: str, words: Sequence[Word]) -> Iterator[Word]:
    """What follows `-S` of env, which splits a text into words and options; and a value where env looks for options."""
    for at, word in enumerate(words):
        literal = word.literal
        if literal in ("-S", "--split-string"):
            yield from words[at + 1 : at + 2]
        elif literal.startswith(("-S", "--split-string=", "-vS", HOLE)):
            yield word
        if not literal.startswith("-") and "=" not in literal:
            return
