"""Arguments that may begin with a value: which those of a command are, and the check that no `-` at their beginning is a value's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile

from msgspec import Struct

from batchwork.errors import OptionLikeValue
from batchwork.ports import Scope
from batchwork.quoting.words import HOLE, Command, Word, names
from batchwork.quoting.wrappers import OPAQUE, own_command
from batchwork.template import HEAD, MANY_WORDS, Expression, text_of
from batchwork.text.patterns import pattern

_FREE = names("echo printf test [")
"""Commands that say or compare what they are given."""

_NO_ARGUMENTS = names("[[ for select case")
_DEAF = names("find")
"""Commands that take options after a `--` too."""

_number = pattern(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z", re.ASCII)


class Argument(Struct, frozen=True):
    """An argument that may begin with a value. `leading` are the templates before its first written character, `all` those in it."""

    command: str
    leading: tuple[Expression, ...]
    all: tuple[Expression, ...]
    written: str
    """The argument with HOLE for each template."""

    def check(self, scope: Scope) -> None:
        """Raises OptionLikeValue where the argument begins with a `-` from a value."""
        for expression in self.leading:
            value = expression.value(scope)
            text = text_of(value)
            if not text:
                continue
            if text[0] == "-" and not self._may(expression, scope):
                raise option_like(self.command, expression.source)
            return

    def _may(self, expression: Expression, scope: Scope) -> bool:
        if expression.mark == "option" or begins_as_written(expression, scope):
            return True
        texts = [text_of(part.value(scope)) for part in self.all]
        if all(is_number(text) or not text for text in texts):
            return True
        whole = self.written
        for text in texts:
            whole = whole.replace(HOLE, text, 1)
        return is_number(whole)


def is_number(text: str) -> bool:
    """Whether a text is a decimal number, such as `-74.5` or `-1e3`."""
    return _number.match(text) is not None


def begins_as_written(expression: Expression, scope: Scope) -> bool:
    """Whether the value begins with what the file writes itself, as a literal in the expression."""
    return expression.marked is not None and text_of(expression.marked(scope)).startswith(HEAD)


def option_like(command: str, source: str) -> OptionLikeValue:
    """What is said of a value that would be an option of `command`. The value is no part of it: it may be secret."""
    core = source.rpartition("|")[0].strip() if source.endswith(tuple(MANY_WORDS)) else source
    template = f"{{{{ {core} }}}}"
    before = f"`{command} -- {template}`, which ends its options, or "
    if command in _DEAF:
        before = "(a ` --` does not help here) "
    return OptionLikeValue(
        f"`{command}` would take the value of `{{{{ {source} }}}}` for an option, for it begins with a `-`",
        f"write {before}`./{template}` for a path, or `--name={template}`; `{{{{ {core} | option }}}}` allows it",
    )


def unguarded(command: Command) -> Iterator[tuple[str, Word]]:
    """The words of a command in which a `-` at the beginning would make an option, each with the name of its command."""
    words = command.words
    if not words or words[0].literal in _NO_ARGUMENTS:
        return
    at = own_command(words)
    for word in words[1 : at + 1]:
        yield words[0].name, word
    if at >= len(words) or words[at].name in _FREE:
        return
    left = _until_guarded(words, at + 1)
    for word in left:
        yield words[at].name, word


def _until_guarded(words: Sequence[Word], start: int) -> Sequence[Word]:
    """The words from `start` on, up to the `--` that ends the options of the command before them."""
    name = words[start - 1].name
    ends = [at for at in range(start, len(words)) if words[at].literal == "--"]
    if name in _DEAF:
        return words[start:]
    number = 1 if name in OPAQUE or HOLE in name else 0
    if len(ends) <= number:
        return words[start:]
    return words[start : ends[number]]


def arguments(command: Command, bound: Sequence[Expression]) -> Iterator[Argument]:
    """The arguments of a command that may begin with a value; not those that are several words."""
    for name, word in unguarded(command):
        for literal, numbers in _alternatives(word):
            expressions = tuple(bound[number] for number in numbers)
            if any(expression.mark in MANY_WORDS for expression in expressions):
                continue
            leading = expressions[: len(list(takewhile(HOLE.__eq__, literal)))]
            if leading and not all(expression.mark == "option" for expression in leading):
                yield Argument(name, leading, expressions, literal)


def _alternatives(word: Word) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The word, and where it has braces (`{a,{{ x }}}`) what it becomes; with the numbers of the templates in each."""
    if not word.quoted and word.literal.startswith("{") and "," in word.literal:
        numbers = word.direct
        for part in word.literal[1:].rstrip("}").split(","):
            count = part.count(HOLE)
            yield part, numbers[:count]
            numbers = numbers[count:]
        return
    yield word.literal, word.direct


def spread(command: Command, bound: Sequence[Expression]) -> Iterator[tuple[int, str]]:
    """The number of each template that becomes several arguments, none of which may be an option; with its command's name."""
    for name, word in unguarded(command):
        for number in word.direct:
            if bound[number].mark == "args":
                yield number, name
