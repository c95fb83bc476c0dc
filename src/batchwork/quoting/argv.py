"""Commands given as a list of words: the same checks of values in them as for shell commands. Quoting has no part in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from batchwork.errors import Problem
from batchwork.ports import Scope
from batchwork.quoting.arguments import arguments, is_number, option_like, unguarded
from batchwork.quoting.code.interpreters import dangers
from batchwork.quoting.command import is_whole_number
from batchwork.quoting.words import HOLE, Command, Word
from batchwork.template import HEAD, MANY_WORDS, Expression, Template, Value, text_of


class ArgumentList(Struct, frozen=True):
    """A list of words, compiled: what its values would do at their places, and the check of options when they are known."""

    value: Value
    problems: Sequence[Problem] = ()
    suspects: Sequence[int] = ()
    """The words that may begin with a value, by number."""
    bound: Sequence[Expression] = ()
    command: Command = field(default_factory=Command)

    def check(self, words: Sequence[str], scope: Scope) -> None:
        """Insist that no word is an option by a value. `words` are the list as rendered. Raises OptionLikeValue, RenderError."""
        if self.value.template is not None:
            if any(word.startswith("-") for word in words):
                _check_given(self.value.template, words, scope)
        elif any(words[number].startswith("-") for number in self.suspects):
            for argument in arguments(self.command, self.bound):
                argument.check(scope)


def compile_argv(value: Value) -> ArgumentList:
    """A written list, or a template that gives the whole list, of which nothing is known beforehand."""
    if not isinstance(value.json, list):
        return ArgumentList(value)
    templates = {template.source: template for template in value.templates()}
    bound: list[Expression] = []
    words = [_word(text, templates, bound) for text in map(text_of, value.json)]
    command = Command(words)
    problems = [
        Problem(bound[danger.number].place, danger.message, danger.hint)
        for danger in dangers(command)
        if not is_whole_number(bound[danger.number])
    ]
    suspects = [number for number, word in enumerate(words) if word.starts_with_hole()]
    return ArgumentList(value, [*dict.fromkeys(problems), *_many(bound)], suspects, bound, command)


def _word(text: str, templates: Mapping[str, Template], bound: list[Expression]) -> Word:
    template = templates.get(text)
    if template is None:
        return Word(text, quoted=True)
    first = len(bound)
    literal = ""
    for part in template.parts or (_with_statements(template),):
        literal += part if isinstance(part, str) else HOLE
        if not isinstance(part, str):
            bound.append(part)
    numbers = tuple(range(first, len(bound)))
    return Word(literal, numbers, numbers, quoted=True)


def _with_statements(template: Template) -> Expression:
    """A text with `{% %}`, as one expression."""
    source = template.source
    return Expression(source, template.place, template.uses, source, "", (), template.text, template.marked)


def _many(bound: Sequence[Expression]) -> list[Problem]:
    message = "`| {}` makes words of a shell command, and cannot stand in `argv`, whose words are written one by one"
    hint = "a template may give the whole list: argv: \"{{{{ ['command'] + {} }}}}\""
    return [
        Problem(part.place, message.format(part.mark), hint.format(part.core))
        for part in bound
        if part.mark in MANY_WORDS
    ]


def _check_given(template: Template, words: Sequence[str], scope: Scope) -> None:
    """The same for a list that a template gives as a whole: what the file writes in it as a literal is its own."""
    expression = template.expressions[0] if template.lone else _with_statements(template)
    if expression.mark == "option":
        return
    shown = [_shown(word, written) for word, written in zip(words, _written(expression, words, scope), strict=True)]
    suspects = {id(word): name for name, word in unguarded(Command(shown)) if word.starts_with_hole()}
    for word, text in zip(shown, words, strict=True):
        if id(word) in suspects and not is_number(text):
            raise option_like(suspects[id(word)], expression.source)


def _written(expression: Expression, words: Sequence[str], scope: Scope) -> Sequence[bool]:
    """Of each word of a list, whether it begins as the file writes it."""
    marked = expression.marked(scope) if expression.marked else None
    if not isinstance(marked, Sequence) or len(marked) != len(words):
        return [False] * len(words)
    return [text_of(word).startswith(HEAD) for word in marked]


def _shown(word: str, written: bool) -> Word:
    """A word of a list, with HOLE for a leading `-` that is not the file's."""
    if word.startswith("-") and not written:
        word = HOLE + word[1:]
    return Word(word, quoted=True)
