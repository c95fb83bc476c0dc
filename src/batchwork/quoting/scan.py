"""Reads a shell command far enough to know where each template stands.

Covers the grammar of POSIX sh and what bash, ksh and zsh add to quoting. What is put in a template's place is a reference
to a variable in any case: where quotes are misread the text is wrong, but it is never code. Arithmetic and subscripts are
code; where those are in doubt nothing is bound.
"""

from __future__ import annotations

import re

from batchwork.quoting.reader import DESCRIPTOR, META, Unclosed, WordReader
from batchwork.quoting.words import HOLE, Command, Where, Word
from batchwork.text.patterns import pattern

_RESERVED = frozenset(("if", "then", "else", "elif", "fi", "while", "until", "do", "done", "{", "}", "!", "time"))
_subscripted = pattern(r"(?:[A-Za-z_]\w*)?\[")
_redirect = pattern(r"<<<|<<-?|<>|<&|>>|>\||>&|&>>|&>|<|>")


class Scanner(WordReader):
    """Reads one command. Afterwards `places` has the place of each template in turn, `commands` all simple commands."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._heredocs: list[tuple[str, bool]] = []

    def run(self) -> Scanner:
        """Read the whole text. Raises Unclosed, RecursionError."""
        self._list(0, "")
        return self

    # ------------------------------------------------------------ lists of commands

    def _list(self, at: int, end: str) -> int:
        """Commands up to `end`: the end of the text, `)`, or `case` for the end of a branch. The position after it."""
        command: Command | None = None
        while at < len(self.text):
            if self._closes(at, end, command):
                return at + (end == ")")
            command, at = self._next(command, at)
        if end == ")":
            raise Unclosed("`(`")
        return at

    def _closes(self, at: int, end: str, command: Command | None) -> bool:
        if end == ")":
            return self.text[at] == ")"
        if end != "case":
            return False
        return self.text.startswith((";;", ";&"), at) or (command is None and self._keyword("esac", at))

    def _next(self, command: Command | None, at: int) -> tuple[Command | None, int]:
        """One word, sign or blank. The command to which what follows belongs, and the position after it."""
        text = self.text
        char = text[at]
        if char in " \t":
            return command, at + 1
        if text.startswith("\\\n", at):
            return command, at + 2
        if char == "#":
            return command, self._comment(at)
        if char == "(":
            return self._parenthesis(command, at)
        if (sign := _redirect.match(text, at)) and not text.startswith(("<(", ">("), at):
            command = command or self._begin(None)
            return command, self._redirection(command, sign[0], sign.end())
        if char in "\n;&|)":
            return self._separator(command, at)
        return self._next_word(command, at)

    def _begin(self, upstream: Command | None) -> Command:
        command = Command(upstream=upstream)
        self.commands.append(command)
        return command

    def _separator(self, command: Command | None, at: int) -> tuple[Command | None, int]:
        text = self.text
        if text[at] == "\n":
            return None, self._bodies(at + 1)
        if text.startswith(("&&", "||"), at):
            return None, at + 2
        if text[at] == "|":
            return self._begin(command), at + 1 + text.startswith("|&", at)
        return None, at + 1

    def _next_word(self, command: Command | None, at: int) -> tuple[Command | None, int]:
        word, after = self._word(at)
        if word is DESCRIPTOR:
            return command, after
        if command is None or not command.words:
            return self._first_word(command, word, after)
        if command.words[0].literal in ("for", "select") and len(command.words) == 2 and word.literal == "do":
            return None, after
        command.words.append(word)
        return command, self._assigned(word, after)

    def _first_word(self, command: Command | None, word: Word, after: int) -> tuple[Command | None, int]:
        """A command's name, a keyword, or an assignment before the name."""
        keyword = not word.quoted and word.literal
        if keyword in _RESERVED:
            return command, after
        if keyword == "case":
            return None, self._case(after)
        if keyword == "function":
            return None, self._word(self._blank(after))[1]
        command = command or self._begin(None)
        if keyword == "[[":
            return command, self._condition(command, after)
        self._subscript(word)
        if word.target:
            command.assignments.append(word)
        else:
            command.words.append(word)
        return command, self._assigned(word, after)

    def _assigned(self, word: Word, after: int) -> int:
        """The position after `( … )`, where `name=` stands before it."""
        if word.target and word.target == word.literal and self.text.startswith("(", after):
            return self._array(after + 1)
        return after

    def _subscript(self, word: Word) -> None:
        """A template inside the brackets of `name[…]=` is evaluated as arithmetic."""
        if not _subscripted.match(word.literal):
            return
        before = re.split(r"\]\+?=", word.literal, maxsplit=1)[0]
        for number in word.direct[: before.count(HOLE)]:
            self.places[number] = self._forced or Where.SUBSCRIPT

    def _array(self, at: int) -> int:
        """The words of `name=( … )`."""
        while at < len(self.text):
            char = self.text[at]
            if char == ")":
                return at + 1
            if char == "#":
                at = self._comment(at)
            elif self._ends_word(at):
                at += 1
            else:
                word, at = self._word(at)
                self._subscript(word)
        raise Unclosed("`(`")

    def _parenthesis(self, command: Command | None, at: int) -> tuple[Command | None, int]:
        text = self.text
        words = command and command.words
        if text.startswith("((", at) and (not words or words[0].literal == "for"):
            end = self._arithmetic_end(at + 2)
            if end is None:
                return command, self._doubtful(at + 1)
            self._arithmetic(at + 2, end)
            return command, end
        if words and (closing := re.compile(r"\(\s*\)").match(text, at)):
            return None, closing.end()  # a function's definition
        return command, self._list(at + 1, ")")

    def _case(self, at: int) -> int:
        text = self.text
        _, at = self._word(self._blank(at))
        at = self._blank(at)
        if not self._keyword("in", at):
            return at
        at += 2
        while (at := self._blank(at)) < len(text):
            if self._keyword("esac", at):
                return at + 4
            while at < len(text) and text[at] != ")":
                at = at + 1 if text[at] in META else self._word(at)[1]
            at = self._list(at + 1, "case")
            for ending in (";;&", ";;", ";&"):
                if text.startswith(ending, at):
                    at += len(ending)
                    break
        return at

    def _condition(self, command: Command, at: int) -> int:
        """The words of `[[ … ]]`, as a command of that name."""
        command.words.append(Word("[["))
        while at < len(self.text):
            if self._ends_word(at):
                at += 1
                continue
            word, at = self._word(at)
            if word.literal == "]]":
                return at
            command.words.append(word)
        raise Unclosed("`[[`")

    def _keyword(self, keyword: str, at: int) -> bool:
        after = at + len(keyword)
        return self.text.startswith(keyword, at) and (after >= len(self.text) or self.text[after] in META)

    def _blank(self, at: int) -> int:
        while at < len(self.text):
            if self.text[at] in " \t\n":
                at += 1
            elif self.text.startswith("\\\n", at):
                at += 2
            elif self.text[at] == "#":
                at = self._comment(at)
            else:
                break
        return at

    def _comment(self, at: int) -> int:
        end = self._line_end(at)
        self._holes(at, end, Where.COMMENT)
        return end

    def _line_end(self, at: int) -> int:
        end = self.text.find("\n", at)
        if end < 0:
            return len(self.text)
        return end

    # ------------------------------------------------------------ redirections

    def _redirection(self, command: Command, sign: str, at: int) -> int:
        """What follows a sign such as `>` or `<<`; the position after it."""
        while self.text.startswith((" ", "\t"), at):
            at += 1
        if at >= len(self.text) or self._ends_word(at):
            return at
        if sign in ("<<", "<<-"):
            before = self._forced
            self._forced = self._forced or Where.DELIMITER
            word, at = self._word(at)
            self._forced = before
            self._heredocs.append((word.literal, sign == "<<-"))
            return at
        word, at = self._word(at)
        if sign == "<<<":
            command.here_strings.append(word)
        return at

    def _bodies(self, at: int) -> int:
        """Here-documents begin after the line in which they are named."""
        for delimiter, tabs in self._heredocs:
            while at < len(self.text):
                end = self._line_end(at)
                line = self.text[at:end]
                if tabs:
                    line = line.lstrip("\t")
                self._holes(at, end, Where.HEREDOC)
                at = min(end + 1, len(self.text))
                if line == delimiter:
                    break
        self._heredocs.clear()
        return at
