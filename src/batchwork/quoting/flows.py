"""Values on their way through variables of the shell (`x={{ item }}; eval "$x"`): what `validate` warns of where they arrive."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from msgspec.structs import replace

from batchwork.quoting.arguments import unguarded
from batchwork.quoting.code.builtins import builtin_dangers
from batchwork.quoting.code.interpreters import Danger, dangers, with_appended
from batchwork.quoting.said import fed, inside_commands, is_saying, said
from batchwork.quoting.scan import Scanner
from batchwork.quoting.words import DYNAMIC, Command, Word, names

_Values: TypeAlias = dict[str, tuple[int, ...]]
_DECLARING = names("declare typeset local export readonly")
_READING = names("read mapfile readarray")
_POSITIONAL = ("@", "*", *"123456789")


def flow_warnings(scanner: Scanner, shell: str) -> Iterator[Danger]:
    """What may go wrong with values that come by variables, each with the number of its template."""
    values = _values(scanner)
    for command in scanner.commands:
        yield from _options_from_xargs(command)
    if not values:
        return
    for command in scanner.commands:
        seen = _seen(command, values)
        for danger in (*dangers(seen), *builtin_dangers(seen, shell)):
            yield replace(danger, message=f"{danger.message} (it comes there through a variable)")
        yield from _options(seen, values)
    for name in scanner.seen.evaluated:
        for number in values.get(name, ()):
            message = f"arithmetic evaluates what is in `{name}`, and a value there can run commands"
            yield Danger(number, message, "if it is a whole number, say so: {{ item | int }}")


# ---------------------------------------------------------------- which variables have values


def _values(scanner: Scanner) -> _Values:
    """The variables that are set from templates, with their numbers."""
    values: _Values = {}
    for _ in range(2):  # a loop's end may set what its beginning uses
        for command in scanner.commands:
            for name, numbers in _settings(command, values, scanner.functions):
                if numbers:
                    values[name] = tuple(dict.fromkeys((*values.get(name, ()), *numbers)))
    return values


def _settings(command: Command, values: _Values, functions: set[str]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """What a command sets: names with the templates whose values they get."""
    assigned = [*command.assignments]
    name = command.words[0].literal if command.words else ""
    words = command.words[1:]
    if name in _DECLARING:
        assigned += (word for word in words if word.target)
    for word in assigned:
        yield _name(word), _sources([word], values)
    for setting in _set(name, words, functions):
        yield setting, _read_sources(command, values) if name in _READING else _sources(words, values)


def _set(name: str, words: Sequence[Word], functions: set[str]) -> Sequence[str]:
    """The variables that the words of a builtin, or the call of a function, set."""
    if name in ("for", "select"):
        return [word.literal for word in words[:1]]
    if name in _READING:
        return [word.literal for word in words if not word.is_option()]
    if name == "set" or name in functions:
        return _POSITIONAL
    return ()


def _name(word: Word) -> str:
    return word.target.rstrip("+=").partition("[")[0]


def _sources(words: Sequence[Word], values: _Values) -> tuple[int, ...]:
    """The templates whose values are in the words, directly or by variables."""
    numbers: list[int] = []
    for word in words:
        numbers += said(word)
        numbers += (number for name in word.variables for number in values.get(name, ()))
        for command in filter(is_saying, inside_commands(word)):
            numbers += _sources(command.words[1:], values)
    return tuple(numbers)


def _read_sources(command: Command, values: _Values) -> tuple[int, ...]:
    by_variables = (_sources(before.words[1:], values) for before in command.upstream if is_saying(before))
    return (*fed(command), *_sources(command.inputs, values), *(number for each in by_variables for number in each))


# ---------------------------------------------------------------- where they arrive


def _seen(command: Command, values: _Values) -> Command:
    """The command with the templates of variables in their place, and without its own."""

    def seen(word: Word) -> Word:
        numbers = _sources([replace(word, holes=(), direct=(), inside=_without_holes(word))], values)
        return replace(word, holes=numbers, direct=numbers, inside=())

    return Command(
        words=[*map(seen, command.words)],
        assignments=[*map(seen, command.assignments)],
        inputs=[*map(seen, command.inputs)],
        upstream=[_seen(before, values) for before in command.upstream],
    )


def _without_holes(word: Word) -> tuple[Command, ...]:
    strip: Callable[[Word], Word] = lambda inner: replace(inner, holes=(), direct=(), inside=())  # noqa: E731
    return tuple(
        Command([*map(strip, command.words)], spot=command.spot, ended=command.ended) for command in word.inside
    )


def _options(command: Command, values: _Values) -> Iterator[Danger]:
    for name, word in unguarded(command):
        if word.lead in values and word.literal.startswith(DYNAMIC):
            message = f"`{name}` takes what is in `${word.lead}` for an option where it begins with a `-`"
            for number in values[word.lead][:1]:
                yield Danger(number, message, f'write `--` before it: {name} -- "${word.lead}"')


def _options_from_xargs(command: Command) -> Iterator[Danger]:
    numbers = tuple(fed(command))
    if not numbers or not any(word.literal == "xargs" for word in command.words):
        return
    for name, word in unguarded(Command(with_appended(command.words, numbers))):
        if word.starts_with_hole() and word.direct == numbers:
            message = f"`{name}` takes what xargs reads for an option where it begins with a `-`"
            yield Danger(numbers[0], message, f"write `--` at the end of its words: xargs {name} --")
            return
