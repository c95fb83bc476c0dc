"""Reads one word of a shell command: quotes, expansions, arithmetic. Lists of commands are no part of it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import NamedTuple

from batchwork.quoting.words import DYNAMIC, HOLE, PROCESS, Command, Where, Word
from batchwork.text.patterns import pattern

META = frozenset(" \t\n;&|()<>")
"""Characters that end a word where they are not quoted."""

DESCRIPTOR = Word(DYNAMIC, quoted=True)
"""What is read for the number in `2>file`, which is not a word."""

_name = pattern(r"[A-Za-z_]\w*|[0-9*@#?$!-]")
_with_pattern = pattern(r"(?:[A-Za-z_]\w*|[0-9]+|[*@])(?:\[[@*0-9]+\])?(?:/[/#%]?|##?|%%?)")
"""What stands before a pattern in `${x/…}`, `${x#…}`, `${x%…}`."""

_evaluated_name = pattern(r"[A-Za-z_]\w*")
_used_name = pattern(r"\$\{?([A-Za-z_]\w*)")


class Unclosed(Exception):
    """A quote or bracket has no end; `what` names it."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class BackticksMet(Exception):
    """A template stands in backticks; `text` is the command with `$( )` instead, which says the same."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Variables(NamedTuple):
    """The variables met: those used, each with its position and how deep in substitutions it stands; those in arithmetic."""

    used: list[tuple[str, int, int]]
    evaluated: list[str]


class WordReader(ABC):
    """Reads words from `text` and notes the place of each template in them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.places: dict[int, Where] = {}
        self.commands: list[Command] = []
        self._numbers = {match.start(): number for number, match in enumerate(re.finditer(HOLE, text))}
        self._order: list[tuple[int, int]] = []  # number of the template, how deep in substitutions it stands
        self.seen = Variables([], [])
        self._depth = 0
        self._forced: Where | None = None

    @abstractmethod
    def _list(self, at: int, end: str) -> int:
        """Read commands up to `end`; the position after it."""

    # ------------------------------------------------------------ templates

    def _hole(self, at: int, where: Where) -> None:
        number = self._numbers[at]
        self.places[number] = where
        if where is not Where.COMMENT:
            self.places[number] = self._forced or where
            self._order.append((number, self._depth))

    def _holes(self, start: int, end: int, where: Where) -> None:
        at = self.text.find(HOLE, start, end)
        while at >= 0:
            self._hole(at, where)
            at = self.text.find(HOLE, at + 1, end)

    # ------------------------------------------------------------ words

    def _word(self, at: int) -> tuple[Word, int]:
        text = self.text
        literal: list[str] = []
        quoted = False
        first, first_used, first_command = len(self._order), len(self.seen.used), len(self.commands)
        start = at
        while at < len(text) and not self._ends_word(at):
            quoted = quoted or text[at] in "\\'\""
            at = self._part(at, literal)
        if at < len(text) and text[at] in "<>" and text[start:at].isdecimal():
            return DESCRIPTOR, at
        holes, direct = self._found(first)
        used = self.seen.used[first_used:]
        lead = ""
        if used and literal[:1] == [DYNAMIC] and not text[start : used[0][1]].strip("\"'"):
            lead = used[0][0]
        variables = self._direct(first_used)
        inside = tuple(self.commands[first_command:])
        return Word("".join(literal), holes, direct, quoted, variables, inside, lead), at

    def _direct(self, first: int) -> tuple[str, ...]:
        """The variables used since there were `first`, without those in substitutions of their own."""
        return tuple(name for name, _, depth in self.seen.used[first:] if depth == self._depth + 1)

    def _found(self, first: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The numbers of the templates read since there were `first`: all, and those that stand at this depth."""
        found = self._order[first:]
        direct = tuple(number for number, depth in found if depth == self._depth)
        return tuple(number for number, _ in found), direct

    def _ends_word(self, at: int) -> bool:
        return self.text[at] in META and not self.text.startswith(("<(", ">("), at)

    def _part(self, at: int, literal: list[str]) -> int:
        """One character of a word, or what a quote, a dollar sign or `<(` begins. The position after it."""
        char = self.text[at]
        if char in META:
            literal.append(PROCESS)
            self._depth += 1
            at = self._list(at + 2, ")")
            self._depth -= 1
            return at
        if char == HOLE:
            self._hole(at, Where.BARE)
        elif char == "\\":
            return self._escaped(at, literal, "")
        elif char == "'":
            return self._single(at + 1, literal)
        elif char == '"':
            return self._double(at + 1, literal)
        elif char in "$`":
            return self._expansion(at, literal, in_double=False)
        literal.append(char)
        return at + 1

    def _escaped(self, at: int, literal: list[str], only: str) -> int:
        """A backslash and what follows; inside double quotes it means something before the characters of `only`."""
        following = self.text[at + 1 : at + 2]
        if following == HOLE:
            self._hole(at + 1, Where.BACKSLASH)
            literal.append(HOLE)
        elif following != "\n":
            if only and following not in only:
                literal.append("\\")
            literal.append(following)
        return at + 2

    def _single(self, at: int, literal: list[str]) -> int:
        end = self.text.find("'", at)
        if end < 0:
            raise Unclosed("a single quote")
        self._holes(at, end, Where.SINGLE)
        literal.append(self.text[at:end])
        return end + 1

    def _double(self, at: int, literal: list[str]) -> int:
        text = self.text
        while at < len(text):
            char = text[at]
            if char == '"':
                return at + 1
            if char == HOLE:
                self._hole(at, Where.DOUBLE)
                literal.append(HOLE)
                at += 1
            elif char == "\\":
                at = self._escaped(at, literal, '$`"\\')
            elif char in "$`":
                at = self._expansion(at, literal, in_double=True)
            else:
                literal.append(char)
                at += 1
        raise Unclosed("a double quote")

    def _expansion(self, at: int, literal: list[str], *, in_double: bool) -> int:
        text = self.text
        following = text[at + 1 : at + 2]
        if text[at] == "$":
            if following == HOLE:
                self._hole(at + 1, Where.DOLLAR)
                literal.append(HOLE)
                return at + 2
            if following == '"' and not in_double:
                return self._double(at + 2, literal)
            if following == "'" and not in_double:
                return self._ansi(at + 2, literal)
        literal.append(DYNAMIC)
        self._depth += 1
        at = self._backticks(at, in_double) if text[at] == "`" else self._nested(at, following)
        self._depth -= 1
        return at

    def _backticks(self, at: int, in_double: bool) -> int:
        """The position after backticks without a template. Raises BackticksMet where there is one."""
        end = at + 1
        while end < len(self.text) and self.text[end] != "`":
            end += 1 + (self.text[end] == "\\")
        if end >= len(self.text):
            raise Unclosed("a backtick")
        inside = self.text[at + 1 : end]
        if HOLE not in inside:
            self.seen.used.extend([(name, at, self._depth + 1) for name in _used_name.findall(inside)])
            return end + 1
        escaped = '[$`\\\\"]' if in_double else "[$`\\\\]"
        inside = re.sub(rf"\\({escaped})", r"\1", inside)
        if "#" in inside:
            inside += "\n"  # or a comment would take the bracket in
        raise BackticksMet(f"{self.text[:at]}$( {inside}){self.text[end + 1 :]}")

    def _nested(self, at: int, following: str) -> int:
        if following == "(":
            return self._substitution(at)
        if following == "{":
            return self._braces(at + 2)
        if following == "[":
            return self._old_arithmetic(at + 2)
        if name := _name.match(self.text, at + 1):
            self.seen.used.append((name[0], at, self._depth))
            return name.end()
        return at + 1

    def _ansi(self, at: int, literal: list[str]) -> int:
        start = at
        at = self._until("'", at, Where.ANSI, "`$'`")
        literal.append(self.text[start : at - 1])
        return at

    def _until(self, closing: str, at: int, where: Where, what: str) -> int:
        start = at
        while at < len(self.text) and self.text[at] != closing:
            at += 1 + (self.text[at] == "\\")
        if at >= len(self.text):
            raise Unclosed(what)
        self._holes(start, at, where)
        return at + 1

    def _braces(self, at: int) -> int:
        """The rest of `${…}`: no template in it can be bound, however deep it stands, except in a pattern."""
        if name := _name.match(self.text, at + (self.text[at : at + 1] in ("#", "!"))):
            self.seen.used.append((name[0], at - 2, self._depth))
        before = self._forced
        where = Where.BRACES
        if before is None and (operator := _with_pattern.match(self.text, at)):
            where, at = Where.PATTERN, operator.end()
        else:
            self._forced = before or where
        while at < len(self.text):
            if self.text[at] == "}":
                self._forced = before
                return at + 1
            at = self._in_braces(at, where)
        raise Unclosed("`${`")

    def _in_braces(self, at: int, where: Where) -> int:
        char = self.text[at]
        if char == "\\":
            return self._escaped(at, [], "")
        if char == '"':
            return self._double(at + 1, [])
        if char in "$`":
            return self._expansion(at, [], in_double=True)
        if char == HOLE:
            self._hole(at, where)
        elif char == "'":
            self._forced = self._forced or Where.BRACES  # whether it quotes depends on the shell
        return at + 1

    # ------------------------------------------------------------ arithmetic

    def _substitution(self, at: int) -> int:
        """`$( … )`, or `$(( … ))`."""
        if not self.text.startswith("((", at + 1):
            return self._list(at + 2, ")")
        end = self._arithmetic_end(at + 3)
        if end is not None:
            self._arithmetic(at + 3, end)
            return end
        return self._doubtful(at + 2)

    def _doubtful(self, at: int) -> int:
        """A list that some shells may read as arithmetic: no template in it is bound."""
        before = self._forced
        self._forced = before or Where.ARITHMETIC
        at = self._list(at, ")")
        self._forced = before
        return at

    def _arithmetic_end(self, at: int) -> int | None:
        """The position after `))` that closes arithmetic begun before `at`; None where `((` seem to be two subshells."""
        text = self.text
        depth = 2
        while at < len(text):
            char = text[at]
            if char == "\\":
                at += 1
            elif char in "'\"":
                at = text.find(char, at + 1)
                if at < 0:
                    return None
            elif char == "(":
                depth += 1
            elif char == ")":
                depth -= 1
                if depth == 1 and text.startswith("))", at):
                    return at + 2
                if depth == 1:
                    return None
            at += 1
        return None

    def _arithmetic(self, at: int, end: int) -> None:
        ignored: list[str] = []
        self.seen.evaluated.extend(_evaluated_name.findall(self.text[at:end]))
        while at < end:
            char = self.text[at]
            if char == HOLE:
                self._hole(at, Where.ARITHMETIC)
                at += 1
            elif char in "$`":
                at = self._expansion(at, ignored, in_double=True)
            else:
                at += 1

    def _old_arithmetic(self, at: int) -> int:
        """The rest of `$[ … ]`, which bash still evaluates; text like any other where it holds no template."""
        depth = 1
        end = at
        while end < len(self.text) and depth:
            depth += {"[": 1, "]": -1}.get(self.text[end], 0)
            end += 1
        if HOLE not in self.text[at:end]:
            return at
        self._holes(at, end, Where.ARITHMETIC)
        return end
