"""Finds unquoted `{{ … }}` values in a YAML text by following its lexical structure."""

from __future__ import annotations

import re

from msgspec import Struct, field

from batchwork.text.patterns import pattern

_BLANK = pattern(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_SPACES = pattern(r"[ \t]*")
_LINE = pattern(r"[^\n]*(?:\n|\Z)")
_QUOTED = {'"': pattern(r'"(?:[^"\\]|\\.)*"', re.DOTALL), "'": pattern(r"'(?:[^']|'')*'")}
_PLAIN = pattern(r"(?:[^:#\n]|:(?=\S)|(?<![ \t])#)*")
_FLOW_PLAIN = pattern(r"(?:[^,\[\]{}:#\n]|:(?![\s,\[\]{}])|(?<!\s)#)+")
_FLOW_GAP = pattern(r"(?:\s|(?<=\s)#[^\n]*)+")
_PROPERTY = pattern(r"[&!][^\s,\[\]{}]*")
_EXPRESSION = pattern(r"""\{\{|\}\}|[\[({]|[\])}]|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\n""")
_AFTER_BLOCK = pattern(r"[ \t]*(?:[ \t]#[^\n]*)?(?:\n|\Z)")
_AFTER_FLOW = pattern(r"\s*(?:[,\]}\n]|#|\Z)")
DEEPEST = 200
"""Flow collections in each other beyond which reading ends: the loader refuses less, and each `{{` costs the rest of its line."""
TEMPLATE_MAX = 10_000
"""Characters of an unquoted template; longer ones must be quoted."""
_CLOSING = {"[": "]", "(": ")", "{": "}"}
_DEEPER = {"[": 1, "{": 1, "]": -1, "}": -1, ",": 0, ":": 0, "?": 0}
"""The signs of flow collections, and by how much what follows is deeper."""


class Scan(Struct):
    """Walks over a YAML text once. `outer` is the column of the innermost key or dash that the present value belongs to."""

    text: str
    at: int = 0
    outer: int = -1
    plain: bool = False  # a plain scalar ended the last line and may go on
    spans: list[tuple[int, int]] = field(default_factory=list)
    templates: dict[int, str] = field(default_factory=dict)
    wrong: dict[int, str] = field(default_factory=dict)

    def run(self) -> None:
        while self.at < len(self.text):
            self._line()

    def _line(self) -> None:
        """One line outside flow collections, with whatever quoted, block or flow value begins on it."""
        text, start = self.text, self.at
        if blank := _BLANK.match(text, start):
            self.at = max(blank.end(), start + 1)
            return
        first = self._skip_spaces()
        column = first - start
        if self.plain and column > self.outer:
            self._skip_line()
            return
        self.plain = False
        if column == 0 and text.startswith(("---", "...", "%"), start):
            if not text.startswith("--- ", start):
                self._skip_line()
                return
            self.at += 4
            self.outer = -1
        else:
            self.outer = column - 1
        self._value(start)

    def _value(self, line: int) -> None:
        """What stands after the indentation, a dash or a key; `line` is where the line begins."""
        text = self.text
        while True:
            if end := _BLANK.match(text, self.at):
                self.at = max(end.end(), self.at + 1)
                return
            at = self._skip_spaces()
            char = text[at]
            if char in "-?" and (at + 1 == len(text) or text[at + 1] in " \t\n"):
                self.outer, self.at = at - line, at + 1
            elif char in "&!":
                self.at = max(_PROPERTY.match(text, at).end(), at + 1)  # type: ignore[union-attr]  # matches at & or !
            elif char in "|>":
                self._block()
                return
            elif text.startswith("{{", at):
                self._template(flow=False)
                return
            elif not self._key_or_value(line, char):
                return

    def _key_or_value(self, line: int, char: str) -> bool:
        """Past a scalar or flow collection; whether it was a key, whose value follows on the same line."""
        text, at = self.text, self.at
        if char in "[{":
            self._flow()
        elif char in "\"'":
            self._quoted()
        else:
            self.at = _PLAIN.match(text, at).end()  # type: ignore[union-attr]  # matches the empty text too
        after = self._skip_spaces()
        if "\n" in text[at:after]:
            line = text.rfind("\n", 0, after) + 1
        if text.startswith(":", after):
            self.outer, self.at = max(at - line, 0), after + 1
            return True
        self.plain = char not in "[{\"'"
        self._skip_line()
        return False

    def _block(self) -> None:
        """Past a block scalar: all lines that are blank or indented beyond what it belongs to."""
        self._skip_line()
        while self.at < len(self.text):
            end = _LINE.match(self.text, self.at).end()  # type: ignore[union-attr]  # matches the empty text too
            content = self.text[self.at : end].lstrip(" ")
            if content.strip("\r\n \t") and end - self.at - len(content) <= self.outer:
                return
            self.at = max(end, self.at + 1)

    def _flow(self) -> None:
        """Past a flow collection, however many lines it has."""
        depth, expects = 0, True
        while self.at < len(self.text):
            char = self.text[self.at]
            if expects and depth and self.text.startswith("{{", self.at) and self._template(flow=True):
                expects = False
            elif char in _DEEPER:
                depth += _DEEPER[char]
                expects = char not in "]}"
                self.at += 1
                if depth <= 0:
                    return
                if depth > DEEPEST:
                    self.at = len(self.text)
            elif self._flow_scalar(char):
                expects = False

    def _flow_scalar(self, char: str) -> bool:
        """Past a scalar in a flow collection, or past what stands between two; whether it was one."""
        if char in "\"'":
            self._quoted()
            return True
        if found := _FLOW_GAP.match(self.text, self.at) or _PROPERTY.match(self.text, self.at):
            self.at = found.end()
            return False
        found = _FLOW_PLAIN.match(self.text, self.at)
        self.at = found.end() if found else self.at + 1
        return found is not None

    def _template(self, flow: bool) -> bool:
        """Past one `{{ … }}`; whether it is one (a mapping in a mapping is not)."""
        start = self.at
        end = _expression_end(self.text, start)
        if end is None:
            if flow:
                return False
            self.wrong[start] = "template is not closed: `}}` is missing on this line"
            self.spans.append((start, start + 2))
            self._skip_line()
            return True
        after = _AFTER_FLOW if flow else _AFTER_BLOCK
        if after.match(self.text, end):
            self.templates[start] = self.text[start:end]
        elif re.compile(r"[ \t]*:(?:\s|\Z)").match(self.text, end):
            self.wrong[start] = "a key cannot be a template"
        else:
            self.wrong[start] = "text that begins with `{{` and goes on after `}}` must be quoted"
        self.spans.append((start, end))
        self.at = end
        if not flow:
            self._skip_line()
        return True

    def _quoted(self) -> None:
        """Past a quoted scalar; to the end where it is not closed, which YAML will say."""
        found = _QUOTED[self.text[self.at]].match(self.text, self.at)
        self.at = found.end() if found else len(self.text)

    def _skip_spaces(self) -> int:
        self.at = _SPACES.match(self.text, self.at).end()  # type: ignore[union-attr]  # matches the empty text too
        return self.at

    def _skip_line(self) -> None:
        self.at = max(_LINE.match(self.text, self.at).end(), self.at + 1)  # type: ignore[union-attr]


def _expression_end(text: str, start: int) -> int | None:
    """Where the template that begins at `start` ends, brackets and quotes respected; None if not on its line."""
    awaited: list[str] = []
    for token in _EXPRESSION.finditer(text, start + 2, start + TEMPLATE_MAX):
        word = token[0]
        if word == "}}" and not awaited:
            return token.end()
        if word == "}}" and awaited == ["}"] and text.startswith("}", token.end()):
            return token.end() + 1  # the first closes a mapping, the second begins the end
        if word == "\n" or (word[0] not in "\"'" and not _closed(word, awaited)):
            return None
    return None


def _closed(brackets: str, awaited: list[str]) -> bool:
    """Take brackets, one or two, and what closes them; False where one closes what is not open."""
    for bracket in brackets:
        if bracket in _CLOSING:
            awaited.append(_CLOSING[bracket])
        elif not awaited or awaited.pop() != bracket:
            return False
    return True
