"""What libyaml complains about, said so that the author finds the cause. No reading here."""

from __future__ import annotations

import yaml

from batchwork.errors import Place, Problem

_QUOTE = "put the text into quotes"
_SAID = {
    "mapping values are not allowed in this context": (
        "`: ` is not possible here",
        "quote the text if `: ` belongs to it; else check that this line is indented like its neighbours",
    ),
    "did not find expected key": (
        "this does not fit its surroundings: a `key: value` was expected",
        "check the indentation of this line and of those above, and quotes that end too early",
    ),
    "did not find expected '-' indicator": (
        "this does not fit its surroundings: the next `- entry` of a list was expected",
        "check the indentation of this line and of those above",
    ),
    "block sequence entries are not allowed in this context": (
        "`- ` is not possible here",
        "begin a list on a line of its own, below its key",
    ),
    "found unknown escape character": (
        "unknown escape after `\\` in a text in double quotes",
        "write `\\\\` for a backslash, or use single quotes",
    ),
    "found invalid Unicode character escape code": (
        "this escape does not stand for a character",
        "write the character itself, or \\U0001F600 in place of a pair such as \\ud83d\\ude00",
    ),
    "could not find expected ':'": (
        "`:` is missing after this key",
        "write `key: value`, and check that the lines are indented alike",
    ),
    "found undefined tag handle": ("an unknown tag is refused", "quote the text if the `!` belongs to it"),
    "did not find expected comment or line break": (
        "nothing may follow `|` or `>` on its line",
        "begin the text on the next line, indented",
    ),
    "found unknown directive name": ("a line that begins with `%` is a directive of YAML", _QUOTE),
    "found incompatible YAML document": ("this is written for another version of YAML", "remove this line"),
    "did not find expected <document start>": (
        "there is something after the end of the document",
        "check for one closing bracket too many, and the indentation of this line",
    ),
}


def complaint(error: yaml.YAMLError, file: str, text: str) -> Problem:
    """The problem that a YAML error is about."""
    if isinstance(error, yaml.reader.ReaderError):
        return _unreadable(error, file, text)
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Problem(Place(file, 1, 1), f"this is not YAML: {error}")
    place = _place(error.problem_mark, file)
    problem = error.problem or "not YAML"
    lines = text.split("\n")
    if problem in _SAID:
        return Problem(place, *_SAID[problem])
    if problem.startswith(("found unexpected end of stream", "did not find expected ','")):
        return _unclosed(error, file, place, lines)
    if "tab" in problem or problem.startswith("found character that cannot"):
        return _stray(problem, place, _until(place, lines))
    return Problem(place, f"this is not YAML: {problem}", error.context or "")


def _stray(problem: str, place: Place, before: str) -> Problem:
    """A character, the last of `before`, where it cannot stand."""
    if "tab" in problem or before.endswith("\t"):
        return Problem(place, "a tab is used for indentation", "YAML is indented with spaces only")
    return Problem(place, f'text cannot begin with "{before[-1:]}"', _QUOTE)


def _until(place: Place, lines: list[str]) -> str:
    """The line up to the character at a place, which may be behind the end of the file."""
    return "".join(lines[place.line - 1 : place.line])[: place.column]


def _unclosed(error: yaml.MarkedYAMLError, file: str, place: Place, lines: list[str]) -> Problem:
    """A bracket or quote without its end; it is shown where it was opened."""
    if error.context_mark is None:
        return Problem(place, "the file ends too early")
    opened = _place(error.context_mark, file)
    char = _until(opened, lines)[opened.column - 1 :]
    if char in ("'", '"'):
        return Problem(opened, f"the text that begins with {char} is not closed: its last {char} is missing")
    closing = {"[": "]", "{": "}"}.get(char, "")
    if place.line >= len(lines) and not "".join(lines[place.line - 1 :])[place.column - 1 :].strip():
        return Problem(opened, f"`{char}` is not closed: `{closing}` is missing")
    message = f"`,` or `{closing}` was expected here, in what `{char}` opens at line {opened.line}"
    return Problem(place, message, "close it, or quote text that has brackets, commas or braces in it")


def _unreadable(error: yaml.reader.ReaderError, file: str, text: str) -> Problem:
    before = text.encode()[: error.position].decode(errors="ignore")
    place = Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
    code = error.character if isinstance(error.character, int) else ord(str(error.character)[:1] or "?")
    message = f"the character U+{code:04X} is not allowed in YAML"
    hint = ""
    if code < 256:
        hint = f'write it as an escape in double quotes: "\\x{code:02x}"'
    return Problem(place, message, hint)


def _place(mark: object, file: str) -> Place:
    return Place(file, getattr(mark, "line", 0) + 1, getattr(mark, "column", 0) + 1)
