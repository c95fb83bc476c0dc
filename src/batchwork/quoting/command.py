"""Compiles a command: each template is read at its place, refused or bound. What a bound command is, is no part of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from msgspec.structs import replace

from batchwork.errors import Place, Problem, WorkflowError
from batchwork.quoting.arguments import arguments, spread
from batchwork.quoting.code.builtins import builtin_dangers
from batchwork.quoting.code.interpreters import Danger, dangers
from batchwork.quoting.flows import flow_warnings
from batchwork.quoting.hiding import hidden_failure
from batchwork.quoting.operands import formats
from batchwork.quoting.places import REFUSED, WHOLE_NUMBERS, reference
from batchwork.quoting.reader import Unclosed
from batchwork.quoting.scan import Scanner, scanned
from batchwork.quoting.shell_command import Pasted, ShellCommand, Variable
from batchwork.quoting.words import HOLE, PASTED, Where, names
from batchwork.template import MANY_WORDS, Expression, Template
from batchwork.text.patterns import pattern

_pieces = pattern(f"([{HOLE}{PASTED}])")
_POSIX = names("sh bash dash zsh ksh ksh93 mksh pdksh ash yash posh rbash busybox")


def compile_command(
    template: Template | str, shell: str = "/bin/sh", options: Sequence[str] | None = None
) -> ShellCommand:
    """Compile a command for `shell`. Raises WorkflowError with a problem for each template that cannot be bound.

    With the shell's `options` there is a warning where the failure of a command may be hidden.
    """
    if isinstance(template, str):
        return ShellCommand((template,))
    problem = _refused_as_a_whole(template, shell)
    if problem:
        raise WorkflowError([problem])
    bound = tuple(expression for expression in template.expressions if expression.mark != "raw")
    if not bound:
        text = "".join(map(_marked, template.parts))
        return ShellCommand(
            tuple(map(_as_it_is, template.parts)), warnings=hidden_failures(text, template.place, shell, options)
        )
    scanner = _scanned(template)
    name = shell.rpartition("/")[2]
    found = [*_dangers(scanner, name)]
    problems = [*_misplaced(template, bound, scanner), *_dangerous(bound, found)]
    if problems:
        raise WorkflowError(list(dict.fromkeys(problems)))
    whole = {bound[danger.number].core for danger in found} | _in_arithmetic(bound, scanner)
    made = _assembled(template, scanner, whole, bound)
    hidden = _hidden(scanner, template.place, options)
    return replace(made, warnings=(*_warnings(bound, scanner, name), *hidden))


def hidden_failures(text: str, place: Place, shell: str, options: Sequence[str] | None) -> tuple[Problem, ...]:
    """A warning where a command without values hides a failure. What cannot be read is the shell's to complain of."""
    if shell.rpartition("/")[2] not in _POSIX:
        return ()
    try:
        return _hidden(scanned(text), place, options)
    except (Unclosed, RecursionError):
        return ()


def _hidden(scanner: Scanner, place: Place, options: Sequence[str] | None) -> tuple[Problem, ...]:
    found = None if options is None else hidden_failure(scanner, options)
    if found is None:
        return ()
    return (Problem(place.below(scanner.text.count("\n", 0, found.at)), found.message, found.hint),)


def _in_arithmetic(bound: Sequence[Expression], scanner: Scanner) -> set[str]:
    return {bound[number].core for number, where in scanner.places.items() if where in WHOLE_NUMBERS}


def _as_it_is(part: str | Expression) -> str | Pasted:
    return Pasted(part) if isinstance(part, Expression) else part


def _scanned(template: Template) -> Scanner:
    """The command, read. Raises WorkflowError."""
    try:
        return scanned("".join(_marked(part) for part in template.parts))
    except Unclosed as error:
        message = f"the command cannot be read: {error.what} is not closed"
    except RecursionError:
        message = "the command is nested too deeply to be read"
    raise WorkflowError([Problem(template.place, message)])


def _dangers(scanner: Scanner, shell: str) -> Iterator[Danger]:
    for command in scanner.commands:
        yield from dangers(command)
        yield from builtin_dangers(command, shell)


def _marked(part: str | Expression) -> str:
    if isinstance(part, str):
        return part
    return {"raw": PASTED}.get(part.mark, HOLE)


def _refused_as_a_whole(template: Template, shell: str) -> Problem | None:
    name = shell.rpartition("/")[2]
    if template.has_statements:
        return Problem(
            template.place,
            "`{% %}` cannot stand in a command, whose text is the same for all items",
            "use {{ a if x else b }}, `for x in {{ xs | args }}` of the shell itself, or a task of type python; "
            "`{%` that is text is written {{ '{%' }}",
        )
    written = "".join(part for part in template.parts if isinstance(part, str))
    if HOLE in written:
        return Problem(template.place, "the command contains a NUL, which cannot be passed to a command")
    if PASTED in written:
        return Problem(template.place, "the command contains the control character U+0001", "write $(printf '\\001')")
    if name not in _POSIX and any(part.mark != "raw" for part in template.expressions):
        return Problem(
            template.place,
            f"values can be bound only in commands for a POSIX shell, and `{shell}` is not one",
            'use `argv: [command, "{{ item }}"]`, or the variables BATCHWORK_ITEM and BATCHWORK_KEY',
        )
    return None


def is_whole_number(expression: Expression) -> bool:
    """Whether the expression says that its value is a whole number (which is checked when it is bound)."""
    return expression.filters[-1:] == ("int",)


def _misplaced(template: Template, bound: Sequence[Expression], scanner: Scanner) -> Iterator[Problem]:
    for number, expression in enumerate(bound):
        where = scanner.places.get(number, Where.BARE)
        if where in WHOLE_NUMBERS and is_whole_number(expression):
            continue
        if where in REFUSED:
            message, hint = REFUSED[where]
            yield Problem(expression.place, message, hint.replace("{{ item", "{{ " + expression.core))
        elif expression.mark in MANY_WORDS and where is not Where.COMMENT:
            yield from _many_words_problem(template, expression, where)


def _many_words_problem(template: Template, expression: Expression, where: Where) -> Iterator[Problem]:
    stands = f"in {where}"
    if where is Where.BARE:
        if _is_alone(template, expression):
            return
        stands = "inside a word"
    message = f"`| {expression.mark}` makes separate words, and cannot stand {stands}"
    yield Problem(expression.place, message, f"put spaces around it: command {{{{ {expression.source} }}}}")


def _is_alone(template: Template, expression: Expression) -> bool:
    """Whether a template is a word of its own."""
    parts = (" ", *template.parts, " ")
    at = next(number for number, part in enumerate(parts) if part is expression)
    before, after = parts[at - 1], parts[at + 1]
    return (
        isinstance(before, str) and before[-1] in " \t\n(;&|" and isinstance(after, str) and after[0] in " \t\n);&|<>"
    )


def _dangerous(bound: Sequence[Expression], found: Sequence[Danger]) -> Iterator[Problem]:
    for danger in found:
        expression = bound[danger.number]
        if not is_whole_number(expression):
            hint = danger.hint.replace("{{ item", "{{ " + expression.core)
            yield Problem(expression.place, danger.message, hint)


def _warnings(bound: Sequence[Expression], scanner: Scanner, shell: str) -> tuple[Problem, ...]:
    """What is legal but risky."""
    found = [danger for command in scanner.commands for danger in formats(command)]
    found += flow_warnings(scanner, shell)
    return tuple(dict.fromkeys(_dangerous(bound, found)))


def _assembled(template: Template, scanner: Scanner, whole: set[str], bound: Sequence[Expression]) -> ShellCommand:
    prefix = _prefix(template)
    variables: dict[str, Variable] = {}
    pieces: list[str | Pasted] = []
    of_command = {number: name for command in scanner.commands for number, name in spread(command, bound)}
    numbers = count()
    expressions = iter(template.expressions)
    for text in _pieces.split(scanner.text):
        if text not in (HOLE, PASTED):
            pieces.append(text)
            continue
        part = next(expressions)
        if text == PASTED:
            pieces.append(Pasted(part))
            continue
        number = next(numbers)
        where = scanner.places.get(number, Where.BARE)
        if where is Where.COMMENT:
            pieces.append(" ".join(part.core.split()))
        elif part.mark in MANY_WORDS:
            pieces.append(Pasted(part, of_command.get(number, "")))
        else:
            fresh = Variable(f"{prefix}{len(variables) + 1}", part, part.core in whole)
            variable = variables.setdefault(part.core, fresh)
            pieces.append(reference(variable.name, where, _last_character(pieces)))
    checked = (argument for command in scanner.commands for argument in arguments(command, bound))
    return ShellCommand(tuple(_joined(pieces)), tuple(variables.values()), tuple(checked))


def _prefix(template: Template) -> str:
    """What the names of variables begin with: something that the author does not use."""
    prefix = "BW_"
    while any(prefix in part for part in template.parts if isinstance(part, str)):
        prefix = "X" + prefix
    return prefix


def _last_character(pieces: Sequence[str | Pasted]) -> str:
    if pieces and isinstance(last := pieces[-1], str):
        return last[-1:]
    return ""


def _joined(pieces: Sequence[str | Pasted]) -> Iterator[str | Pasted]:
    text = ""
    for piece in pieces:
        if isinstance(piece, str):
            text += piece
            continue
        if text:
            yield text
        text = ""
        yield piece
    if text:
        yield text
