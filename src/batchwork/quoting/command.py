"""ShellCommand: a command whose templates are bound, not pasted; and how one is compiled."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import count

from msgspec import Struct

from batchwork.errors import BindError, Problem, RenderError, WorkflowError
from batchwork.ports import Scope
from batchwork.quoting.builtins import builtin_dangers
from batchwork.quoting.interpreters import Danger, dangers
from batchwork.quoting.operands import formats, unguarded
from batchwork.quoting.places import REFUSED, WHOLE_NUMBERS, reference
from batchwork.quoting.reader import Unclosed
from batchwork.quoting.scan import Scanner
from batchwork.quoting.words import DYNAMIC, HOLE, Where, names
from batchwork.template import Expression, Template, text_of

STRING_MAX = 131_071
"""Longest argument or environment string (`NAME=value`) in bytes: Linux's MAX_ARG_STRLEN without the closing NUL."""

_POSIX = names("sh bash dash zsh ksh ksh93 mksh pdksh ash yash posh rbash busybox")


class Variable(Struct, frozen=True):
    """An environment variable that carries the value of an expression. `whole`: it must be a whole number."""

    name: str
    expression: Expression
    whole: bool


class ShellCommand(Struct, frozen=True):
    """A command, compiled. `pieces` are texts and what is pasted; `warnings` are what is legal but risky."""

    pieces: tuple[str | Expression, ...]
    variables: tuple[Variable, ...]
    warnings: tuple[Problem, ...]

    @property
    def constant(self) -> str | None:
        """The command's text, if it is the same for all units."""
        if self.pasted:
            return None
        return "".join(piece for piece in self.pieces if isinstance(piece, str))

    @property
    def pasted(self) -> tuple[Expression, ...]:
        """The templates with `| raw` or `| args`, whose values stand in the text."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Expression))

    def text(self, scope: Scope) -> str:
        """The command's text. Raises RenderError, BindError."""
        text = "".join(piece if isinstance(piece, str) else _pasted(piece, scope) for piece in self.pieces)
        if len(text) * 4 > STRING_MAX and len(_bytes(text, "the command")) > STRING_MAX:
            raise _too_long("the command", len(_bytes(text, "the command")))
        return text

    def bind(self, scope: Scope) -> dict[str, str]:
        """The environment variables that the command refers to. Raises RenderError, BindError."""
        bound = {}
        for variable in self.variables:
            value = variable.expression.value(scope)
            if variable.whole and type(value) is not int:
                shown = f"`{{{{ {variable.expression.source} }}}}`"
                raise BindError(f"{shown} is not a whole number, and only a whole number is safe where it stands")
            text = text_of(value)
            if len(text) * 4 > STRING_MAX or "\0" in text or not text.isascii():
                carried(text, f"the value of `{{{{ {variable.expression.source} }}}}`", len(variable.name) + 1)
            bound[variable.name] = text
        return bound


def carried(text: str, what: str, extra: int = 0) -> None:
    """Insist that `text` can be an argument or, with `extra` bytes before it, an environment string. Raises BindError."""
    if "\0" in text:
        raise BindError(f"{what} contains a NUL, which cannot be passed to a command, but `stdin:` carries it")
    size = len(_bytes(text, what)) + extra
    if size > STRING_MAX:
        raise _too_long(what, size)


def _too_long(what: str, size: int) -> BindError:
    return BindError(
        f"{what} takes {size:,} bytes, and a command's argument or environment string holds at most {STRING_MAX:,}; "
        'use `stdin: "{{ item }}"` and read it from there'
    )


def _bytes(text: str, what: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")  # "\udcff" came from the byte 0xff, and is it again
    except UnicodeEncodeError as error:
        char = ascii(text[error.start])
        raise BindError(f"{what} contains {char}, half of a character, which cannot be written as bytes") from None


def _pasted(expression: Expression, scope: Scope) -> str:
    value = expression.value(scope)
    what = f"the value of `{{{{ {expression.source} }}}}`"
    if expression.mark == "raw":
        text = text_of(value)
        carried(text, what)
        return text
    if isinstance(value, Mapping):
        raise RenderError(f"{what} is a mapping; `| args` needs a list")
    if isinstance(value, str) or not isinstance(value, Sequence):
        value = [value]
    parts = [text_of(part) for part in value]
    for part in parts:
        carried(part, f"an element of {what}")
    return " ".join(map(shlex.quote, parts))


# ---------------------------------------------------------------- compiling


def compile_command(template: Template | str, shell: str = "/bin/sh") -> ShellCommand:
    """Compile a command for `shell`. Raises WorkflowError with a problem for each template that cannot be bound."""
    if isinstance(template, str):
        return ShellCommand((template,), (), ())
    problem = _refused_as_a_whole(template, shell)
    if problem:
        raise WorkflowError([problem])
    bound = tuple(expression for expression in template.expressions if expression.mark != "raw")
    if not bound:
        return ShellCommand(template.parts, (), ())
    scanner = _scanned(template)
    found = [*_dangers(scanner, shell.rpartition("/")[2])]
    problems = [*_misplaced(template, bound, scanner), *_dangerous(bound, found)]
    if problems:
        raise WorkflowError(list(dict.fromkeys(problems)))
    whole = {bound[danger.number].core for danger in found}
    whole |= {bound[number].core for number, where in scanner.places.items() if where in WHOLE_NUMBERS}
    return _assembled(template, scanner, whole, _warnings(bound, scanner))


def _scanned(template: Template) -> Scanner:
    """The command, read. Raises WorkflowError."""
    scanner = Scanner("".join(_marked(part) for part in template.parts))
    try:
        return scanner.run()
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
    return {"raw": DYNAMIC}.get(part.mark, HOLE)


def _refused_as_a_whole(template: Template, shell: str) -> Problem | None:
    name = shell.rpartition("/")[2]
    if template.has_statements:
        return Problem(
            template.place,
            "`{% %}` cannot stand in a command, whose text is the same for all items",
            "use {{ a if x else b }}, `for x in {{ xs | args }}` of the shell itself, or a task of type python",
        )
    if any("\0" in part for part in template.parts if isinstance(part, str)):
        return Problem(template.place, "the command contains a NUL, which cannot be passed to a command")
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
        elif expression.mark == "args" and where is not Where.COMMENT:
            yield from _args_problem(template, expression, where)


def _args_problem(template: Template, expression: Expression, where: Where) -> Iterator[Problem]:
    stands = f"in {where}"
    if where is Where.BARE:
        if _is_alone(template, expression):
            return
        stands = "inside a word"
    message = f"`| args` makes separate words, and cannot stand {stands}"
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


def _warnings(bound: Sequence[Expression], scanner: Scanner) -> tuple[Problem, ...]:
    warnings = []
    for command in scanner.commands:
        for number, name in unguarded(command):
            message = f"`{name}` takes a value that begins with `-` for an option"
            hint = f"write `--` before it: {name} -- {{{{ {bound[number].source} }}}}"
            warnings.append((number, message, hint))
        for number in formats(command):
            message = "`printf` reads `%` and `\\` in its first word as directives"
            warnings.append((number, message, f"write: printf '%s' {{{{ {bound[number].source} }}}}"))
    return tuple(
        Problem(bound[number].place, message, hint)
        for number, message, hint in warnings
        if not is_whole_number(bound[number])
    )


def _assembled(template: Template, scanner: Scanner, whole: set[str], warnings: tuple[Problem, ...]) -> ShellCommand:
    prefix = _prefix(template)
    variables: dict[str, Variable] = {}
    pieces: list[str | Expression] = []
    numbers = count()
    for part in template.parts:
        if isinstance(part, str) or part.mark == "raw":
            pieces.append(part)
            continue
        where = scanner.places.get(next(numbers), Where.BARE)
        if where is Where.COMMENT:
            pieces.append(" ".join(part.core.split()))
        elif part.mark == "args":
            pieces.append(part)
        else:
            fresh = Variable(f"{prefix}{len(variables) + 1}", part, part.core in whole)
            variable = variables.setdefault(part.core, fresh)
            pieces.append(reference(variable.name, where, _last_character(pieces)))
    return ShellCommand(tuple(_joined(pieces)), tuple(variables.values()), warnings)


def _prefix(template: Template) -> str:
    """What the names of variables begin with: something that the author does not use."""
    prefix = "BW_"
    while any(prefix in part for part in template.parts if isinstance(part, str)):
        prefix = "X" + prefix
    return prefix


def _last_character(pieces: Sequence[str | Expression]) -> str:
    if pieces and isinstance(last := pieces[-1], str):
        return last[-1:]
    return ""


def _joined(pieces: Sequence[str | Expression]) -> Iterator[str | Expression]:
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
