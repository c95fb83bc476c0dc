"""ShellCommand: a command whose templates are bound, not pasted; its text and variables for one unit. Nothing is compiled here."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from msgspec import Struct

from batchwork.errors import BindError, Problem, RenderError
from batchwork.ports import Scope
from batchwork.quoting.arguments import Argument, is_number, option_like
from batchwork.quoting.split_words import UnclosedQuote, split_words
from batchwork.template import HEAD, MANY_WORDS, Expression, text_of

STRING_MAX = 131_071
"""Longest argument or environment string (`NAME=value`) in bytes: Linux's MAX_ARG_STRLEN without the closing NUL."""


class Variable(Struct, frozen=True):
    """An environment variable that carries the value of an expression. `whole`: it must be a whole number."""

    name: str
    expression: Expression
    whole: bool


class Pasted(Struct, frozen=True):
    """A template whose value stands in the text: `| raw`, or words. `command`: of which no word may be an option."""

    expression: Expression
    command: str = ""

    def text(self, scope: Scope) -> str:
        """Raises RenderError, BindError."""
        expression = self.expression
        value = expression.value(scope)
        what = f"the value of `{{{{ {expression.source} }}}}`"
        if expression.mark == "raw":
            text = text_of(value)
            carried(text, what)
            return text
        parts = _options(value, what) if expression.mark == "words" else _elements(value, what)
        for part in parts:
            carried(part, f"an element of {what}")
            if self.command and part.startswith("-") and not is_number(part) and not self._is_written(part, scope):
                raise option_like(self.command, expression.source)
        return " ".join(map(shlex.quote, parts))

    def _is_written(self, part: str, scope: Scope) -> bool:
        """Whether the file writes the element itself, as in `{{ ['-l', item] | args }}`."""
        marked = self.expression.marked
        return marked is not None and HEAD + part in _elements(marked(scope), "")


class ShellCommand(Struct, frozen=True):
    """A command, compiled. `pieces` are texts and what is pasted; `warnings` are what is legal but risky."""

    pieces: tuple[str | Pasted, ...]
    variables: tuple[Variable, ...] = ()
    arguments: tuple[Argument, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def constant(self) -> str | None:
        """The command's text, if it is the same for all units."""
        if self.pasted:
            return None
        return "".join(piece for piece in self.pieces if isinstance(piece, str))

    @property
    def pasted(self) -> tuple[Expression, ...]:
        """The templates with `| raw`, `| args` or `| words`, whose values stand in the text."""
        return tuple(piece.expression for piece in self.pieces if isinstance(piece, Pasted))

    def text(self, scope: Scope) -> str:
        """The command's text. Raises RenderError, BindError."""
        text = "".join(piece if isinstance(piece, str) else piece.text(scope) for piece in self.pieces)
        if len(text) * 4 > STRING_MAX and len(_bytes(text, "the command")) > STRING_MAX:
            raise self._too_long(len(_bytes(text, "the command")))
        return text

    def _too_long(self, size: int) -> BindError:
        many = next((part for part in self.pasted if part.mark in MANY_WORDS), None)
        if many is None:
            return _too_long("the command", size)
        return BindError(
            f"the command takes {size:,} bytes with its words, and a shell's command holds at most {STRING_MAX:,}",
            f"`argv: \"{{{{ ['command', '--'] + {many.core} }}}}\"` runs it without a shell, with 128 KiB for each word and about "
            f"2 MiB in all; or give the words as lines: `stdin: \"{{{{ {many.core} | join('\\n') }}}}\"`, `command: xargs -d '\\n' command --`",
        )

    def bind(self, scope: Scope) -> dict[str, str]:
        """The environment variables that the command refers to. Raises RenderError, BindError."""
        bound = {}
        dashed = False
        for variable in self.variables:
            value = variable.expression.value(scope)
            if variable.whole and type(value) is not int:
                shown = f"`{{{{ {variable.expression.source} }}}}`"
                raise BindError(f"{shown} is not a whole number, and only a whole number is safe where it stands")
            text = text_of(value)
            if len(text) * 4 > STRING_MAX or "\0" in text or not text.isascii():
                carried(text, f"the value of `{{{{ {variable.expression.source} }}}}`", len(variable.name) + 1)
            bound[variable.name] = text
            dashed = dashed or text[:1] == "-"
        if dashed:
            for argument in self.arguments:
                argument.check(scope)
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


def _elements(value: object, what: str) -> list[str]:
    if isinstance(value, Mapping):
        raise RenderError(f"{what} is a mapping; `| args` needs a list")
    if isinstance(value, str) or not isinstance(value, Sequence):
        value = [value]
    return [*map(text_of, value)]


def _options(value: object, what: str) -> list[str]:
    """The words of an option string; nothing for none."""
    if value is None:
        return []
    if isinstance(value, Mapping | Sequence) and not isinstance(value, str):
        raise RenderError(f"{what} is not a text, which `| words` needs", "`| args` makes words of a list")
    try:
        return split_words(text_of(value))
    except UnclosedQuote as error:
        raise BindError(f"{what} cannot be split into words: {error}") from None
