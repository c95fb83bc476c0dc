"""Builtins of the shell that evaluate their words (`let`, `trap`, `printf -v`, `[[ -eq ]]` …): what is wrong with templates there.

Sources: bash(1), ARITHMETIC EVALUATION and SHELL BUILTIN COMMANDS; subscripts given as
text are evaluated, command substitutions in them included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from batchwork.quoting.code.interpreters import Danger
from batchwork.quoting.said import said
from batchwork.quoting.words import Command, Word, names

_COMPARISONS = names("-eq -ne -lt -le -gt -ge")
_OF_VARIABLES = names("-v -R")
_DECLARING = names("declare typeset local export readonly integer nameref")
_CODE_TAKING = names("trap alias bind complete compgen fc enable PROMPT_COMMAND")
_NAME_TAKING = names("read unset getopts mapfile readarray wait vared coproc")
_READ_OPTIONS = names("-p -d -n -N -t -u -i")
_RUN_BY_THE_SHELL = names("PS0 PS1 PS2 PS4 PROMPT_COMMAND BASH_ENV ENV")
_ARITHMETIC_TESTS = names("ksh ksh93 mksh zsh pdksh")
"""Shells whose `[ … -eq … ]` evaluates its operands; bash's and dash's only read numbers."""


class _Use(Struct, frozen=True):
    """A builtin with the words after its name, in the shell of that name."""

    name: str
    words: Sequence[Word]
    shell: str


def builtin_dangers(command: Command, shell: str) -> Iterator[Danger]:
    """The templates of one simple command that the shell (its name is `shell`) would evaluate."""
    for word in command.assignments:
        name = word.target.rstrip("+=")
        if name in _RUN_BY_THE_SHELL:
            yield from _each(word.holes, f"the shell runs the value of `{name}` as code", "give it a constant text")
    words = command.words
    while words and words[0].literal in ("command", "builtin", "exec"):
        words = words[1:]
    if words and not words[0].direct and (check := _CHECKS.get(words[0].literal)):
        yield from check(_Use(words[0].literal, words[1:], shell))


_INT = "if it is a whole number, say so: {{ item | int }}"


def _each(numbers: Sequence[int], message: str, hint: str) -> Iterator[Danger]:
    for number in numbers:
        yield Danger(number, message, hint)


def _whole(words: Sequence[Word], message: str, hint: str) -> Iterator[Danger]:
    for word in words:
        yield from _each(said(word), message, hint)


def _let(use: _Use) -> Iterator[Danger]:
    yield from _whole(use.words, "`let` evaluates its words as arithmetic, in which a value can run commands", _INT)


def _code_taking(use: _Use) -> Iterator[Danger]:
    if use.name == "compgen" and any(word.literal == "-G" for word in use.words):
        return  # it completes names of files by a pattern
    message = f"`{use.name}` takes code, and would run the value"
    yield from _whole(use.words, message, "give it a constant text that uses a variable")


def _printf(use: _Use) -> Iterator[Danger]:
    words = use.words
    message = "`printf -v` evaluates the name of its variable, in which a value can run commands"
    for at, word in enumerate(words):
        if word.literal == "-v" and at + 1 < len(words):
            yield from _each(words[at + 1].holes, message, "write the variable's name as it is")
            return
        if word.literal.startswith("-v"):
            yield from _each(word.holes, message, "write the variable's name as it is")
        if word.starts_with_hole() and len(words) > 1:
            yield from _each(word.direct, f"{message}; a value here may begin with -v", "write: printf '%s' {{ item }}")
        if not word.is_option() or word.literal == "--":
            return


def _test(use: _Use) -> Iterator[Danger]:
    name, words = use.name, use.words
    evaluates = name == "[[" or use.shell in _ARITHMETIC_TESTS
    for at, word in enumerate(words):
        before, after = words[max(at - 1, 0) : at], words[at + 1 : at + 2]
        if word.literal in _COMPARISONS and evaluates:
            message = (
                f"`{name} … {word.literal} …` evaluates both sides as arithmetic, in which a value can run commands"
            )
            yield from _whole([*before, *after], message, _INT)
        elif word.literal in _OF_VARIABLES:
            message = f"`{ {'[': 'test'}.get(name, name) } {word.literal}` evaluates the name of a variable, in which a value can run commands"
            yield from _whole(after, message, "test a value with -n: test -n {{ item }}")
        elif word.starts_with_hole() and after and after[0].starts_with_hole():
            message = (
                "the first value may be `-v`, with which `test` evaluates the second, in which a value can run commands"
            )
            yield from _each(after[0].direct, message, "write the operator between them: [ {{ a }} = {{ b }} ]")


def _declared(use: _Use) -> Iterator[Danger]:
    name, evaluating = use.name, _evaluating(use)
    for word in use.words:
        if not word.direct:
            continue
        if not word.target or "[" in word.target:
            message = f"`{name}` evaluates the name of its variable, in which a value can run commands"
            yield from _each(word.direct, message, f"write the variable's name as it is: {name} x={{{{ item }}}}")
        elif evaluating:
            yield from _each(word.direct, f"`{evaluating}` evaluates the value, which can run commands", _INT)


def _evaluating(use: _Use) -> str:
    """The builtin with the option that makes it evaluate values; nothing where it does not."""
    flags = "".join(word.literal[1:] for word in use.words if word.is_option() and not word.holes)
    evaluating = sorted(set(flags) & set("aAin"))
    if evaluating:
        return f"{use.name} -{evaluating[0]}"
    return use.name if use.name in ("integer", "nameref") else ""


def _naming(use: _Use) -> Iterator[Danger]:
    message = f"`{use.name}` evaluates the name of its variable, in which a value can run commands"
    for at, word in enumerate(use.words):
        if at and use.words[at - 1].literal in _READ_OPTIONS:
            continue
        yield from _each(word.direct, message, "write the variable's name as it is")


_CHECKS: Mapping[str, Callable[[_Use], Iterator[Danger]]] = {
    "let": _let,
    "printf": _printf,
    **dict.fromkeys(("test", "[", "[["), _test),
    **dict.fromkeys(_CODE_TAKING, _code_taking),
    **dict.fromkeys(_DECLARING, _declared),
    **dict.fromkeys(_NAME_TAKING, _naming),
}
