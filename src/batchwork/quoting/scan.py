"""Reads a shell command far enough to know where each template stands.

Covers the grammar of POSIX sh and what bash, ksh and zsh add to quoting. What is put in a template's place is a reference
to a variable in any case: where quotes are misread the text is wrong, but it is never code. Arithmetic and subscripts are
code; where those are in doubt nothing is bound.
"""

from __future__ import annotations

import re

from batchwork.quoting.heredocs import HeredocReader
from batchwork.quoting.reader import DESCRIPTOR, META, BackticksMet, Unclosed
from batchwork.quoting.words import DYNAMIC, HOLE, PROCESS, Command, Spot, Where, Word
from batchwork.text.patterns import pattern

_RESERVED = frozenset(("if", "then", "else", "elif", "fi", "while", "until", "do", "done", "{", "}", "!", "time"))
_OPENING = frozenset(("if", "while", "until", "{"))
_CLOSING = frozenset(("fi", "done", "}"))
_ASKING = frozenset(("if", "elif", "while", "until"))
_PIPES = ("|", "|&")
_subscripted = pattern(r"(?:[A-Za-z_]\w*)?\[")
_redirect = pattern(r"<<<|<<-?|<>|<&|>>|>\||>&|&>>|&>|<|>")


class Scanner(HeredocReader):
    """Reads one command. Afterwards `places` has the place of each template in turn, `commands` all simple commands."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.functions: set[str] = set()
        self._lists = [0]  # the lists of commands being read, by number
        self._listed = 0
        self._compounds: list[int] = []  # how many commands there were where each `{`, `for`, `if` … began
        self._group: list[Command] = []  # the commands of the compound that has just ended
        self._tested = False
        self._word_start = 0

    def run(self) -> Scanner:
        """Read the whole text. Raises Unclosed, BackticksMet, RecursionError."""
        self._list(0, "")
        return self

    # ------------------------------------------------------------ lists of commands

    def _list(self, at: int, end: str) -> int:
        """Commands up to `end`: the end of the text, `)`, or `case` for the end of a branch. The position after it."""
        self._listed += 1
        self._lists.append(self._listed)
        tested, self._tested = self._tested, False
        command: Command | None = None
        while at < len(self.text) and not self._closes(at, end, command):
            command, at = self._next(command, at)
        if end == ")" and at >= len(self.text):
            raise Unclosed("`(`")
        self._lists.pop()
        self._tested = tested
        return at + (end == ")")

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
            command = command or self._begin(at)
            return command, self._redirection(command, sign[0], sign.end())
        if char in "\n;&|)":
            return self._separator(command, at)
        return self._next_word(command, at)

    def _begin(self, at: int, upstream: list[Command] | None = None) -> Command:
        spot = Spot(at, self._depth, self._lists[-1])
        command = Command(upstream=upstream or [], spot=spot, tested=self._tested)
        self.commands.append(command)
        return command

    def _separator(self, command: Command | None, at: int) -> tuple[Command | None, int]:
        text = self.text
        sign = text[at : at + 2] if text.startswith(("&&", "||", "|&"), at) else text[at]
        speaking = self._end(command, sign)
        if sign == "\n":
            return None, self._bodies(at + 1)
        if sign in _PIPES:
            return self._begin(at + len(sign), speaking), at + len(sign)
        return None, at + len(sign)

    def _end(self, command: Command | None, sign: str) -> list[Command]:
        """Note the sign after a command or compound; the commands whose output a pipe would take."""
        group = self._group or [each for each in (command,) if each is not None]
        self._group = []
        speaking = [each for each in group if each.ended not in _PIPES and each.spot.depth == self._depth]
        for each in group:
            each.ended = each.ended or sign
        return speaking

    def _next_word(self, command: Command | None, at: int) -> tuple[Command | None, int]:
        self._word_start = at
        self._group = []
        word, after = self._word(at)
        if word is DESCRIPTOR:
            return command, after
        if command is None or not command.words:
            return self._first_word(command, word, after)
        if command.words[0].literal in ("for", "select") and len(command.words) == 2 and word.literal == "do":
            return None, after
        command.words.append(word)
        return command, self._assigned(command, word, after)

    def _first_word(self, command: Command | None, word: Word, after: int) -> tuple[Command | None, int]:
        """A command's name, a keyword, or an assignment before the name."""
        keyword = not word.quoted and word.literal
        if keyword in _RESERVED:
            return self._reserved(str(keyword), command), after
        if keyword == "case":
            first = len(self.commands)
            after = self._case(after)
            self._group = self.commands[first:]
            return None, after
        if keyword == "function":
            name, after = self._word(self._blank(after))
            self.functions.add(name.literal)
            return None, after
        if keyword in ("for", "select"):
            self._compounds.append(len(self.commands))
        command = command or self._begin(self._word_start)
        if keyword == "[[":
            return command, self._condition(command, after)
        self._subscript(word)
        if word.target:
            command.assignments.append(word)
        else:
            command.words.append(word)
        return command, self._assigned(command, word, after)

    def _reserved(self, keyword: str, command: Command | None) -> Command | None:
        """A word of the shell's grammar. The command to which what follows belongs."""
        if keyword in _OPENING:
            self._compounds.append(len(self.commands))
        if keyword in _ASKING:
            self._tested = True
        elif keyword in ("then", "do"):
            self._tested = False
        if keyword in ("else", "elif", "fi", "}", "done") and self.commands:
            self.commands[-1].ended = "done" if keyword == "done" else "end"
        if keyword not in _CLOSING:
            return command
        start = self._compounds.pop() if self._compounds else 0
        self._group = self.commands[start:]
        return None

    def _assigned(self, command: Command, word: Word, after: int) -> int:
        """The position after `( … )`, where `name=` stands before it; what is in it counts as what is assigned."""
        if not (word.target and word.target == word.literal and self.text.startswith("(", after)):
            return after
        first, first_used = len(self._order), len(self.seen.used)
        end = self._array(after + 1)
        holes, direct = self._found(first)
        used = self._direct(first_used)
        if holes or used:
            command.assignments.append(Word(word.literal + DYNAMIC, holes, direct, variables=used))
        return end

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
            self.functions.add(words[0].literal)
            return None, closing.end()  # a function's definition
        return command, self._subshell(command, at + 1)

    def _subshell(self, command: Command | None, at: int) -> int:
        """The commands in `( … )`; they read what is piped into it."""
        first = len(self.commands)
        after = self._list(at, ")")
        self._group = self.commands[first:]
        if command is not None:
            for each in self._group:
                each.upstream = each.upstream or command.upstream
        return after

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

    # ------------------------------------------------------------ redirections

    def _redirection(self, command: Command, sign: str, at: int) -> int:
        """What follows a sign such as `>` or `<<`; the position after it."""
        while self.text.startswith((" ", "\t"), at):
            at += 1
        if at >= len(self.text) or self._ends_word(at):
            return at
        if sign in ("<<", "<<-"):
            return self._delimiter(self._group or [command], at, tabs=sign == "<<-")
        word, at = self._word(at)
        if sign == "<<<" or (sign == "<" and PROCESS in word.literal):
            self._give([*self._group, command], word)
        return at


def scanned(text: str) -> Scanner:
    """The text, read; its own `text` has `$( )` for backticks in which a template stands. Raises Unclosed, RecursionError."""
    while True:
        try:
            return Scanner(text).run()
        except BackticksMet as met:
            text = met.text
