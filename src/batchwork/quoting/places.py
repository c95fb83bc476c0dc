"""What may stand where: the reference that is put in a template's place, or why none can be, with the rewrite to use."""

from __future__ import annotations

from batchwork.quoting.words import Where

REFUSED: dict[Where, tuple[str, str]] = {
    Where.BRACES: (
        "a template cannot stand inside `${…}`, except in a pattern (`${x/{{ a }}/b}`)",
        'give it a name first: x={{ item }}; then use "${x%.txt}"; or use a filter of the template',
    ),
    Where.ANSI: (
        "a template cannot stand inside `$'…'`",
        "close the quotes before it: $'a\\n'{{ item }}$'\\n'",
    ),
    Where.QUOTED_HEREDOC: (
        "a template cannot stand inside a here-document whose delimiter is quoted, where no variable is expanded",
        "leave the quotes away (<<EOF), and write \\$ for a dollar sign that is text; or use the task's `stdin:`",
    ),
    Where.DELIMITER: ("a template cannot be the delimiter of a here-document", "write a constant word, such as EOF"),
    Where.BACKSLASH: (
        "a backslash stands before the template, and would change the meaning of its value",
        "remove the backslash (values need none); for a backslash itself write two",
    ),
    Where.DOLLAR: (
        "a dollar sign stands before the template",
        "write {{ item }} without it; for a dollar sign itself write \\${{ item }}",
    ),
    Where.ARITHMETIC: (
        "arithmetic, such as `$(( ))`, evaluates what stands in it, and a value there can run commands",
        "if it is a whole number, say so: {{ item | int }}",
    ),
    Where.SUBSCRIPT: (
        "a subscript is evaluated as arithmetic, and a value there can run commands",
        "if it is a whole number, say so: {{ item | int }}",
    ),
}

WHOLE_NUMBERS = frozenset((Where.ARITHMETIC, Where.SUBSCRIPT))
"""Places where a value is safe if it is a whole number."""


def reference(variable: str, where: Where, before: str) -> str:
    """The text that puts the variable's value where a template stands; `before` is the character before it."""
    match where:
        case Where.SINGLE:
            return f"'\"${{{variable}}}\"'"
        case Where.ARITHMETIC | Where.SUBSCRIPT if before in ("+", "-"):
            return f"(${{{variable}}})"  # 1 --5 is no subtraction
        case Where.DOUBLE | Where.HEREDOC | Where.ARITHMETIC | Where.SUBSCRIPT:
            return f"${{{variable}}}"
        case _:
            return f'"${{{variable}}}"'
