"""Reads here-documents: their delimiters where they stand, their bodies after that line. Words are read by what it is built on."""

from __future__ import annotations

from batchwork.quoting.reader import WordReader
from batchwork.quoting.words import HOLE, Command, Where, Word


class HeredocReader(WordReader):
    """Reads words, and here-documents whose commands it gives their text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._heredocs: list[tuple[list[Command], Word, bool]] = []

    def _delimiter(self, commands: list[Command], at: int, *, tabs: bool) -> int:
        """The word after `<<`, or `<<-`, before whose lines `tabs` may stand."""
        before = self._forced
        self._forced = self._forced or Where.DELIMITER
        word, at = self._word(at)
        self._forced = before
        self._heredocs.append((commands, word, tabs))
        return at

    def _give(self, commands: list[Command], text: Word) -> None:
        """Note that the commands read the text."""
        for each in commands:
            each.inputs.append(text)

    def _bodies(self, at: int) -> int:
        """Here-documents begin after the line in which they are named."""
        waiting, self._heredocs = self._heredocs, []
        for commands, delimiter, tabs in waiting:
            start = at
            end = line_end = at
            while at < len(self.text):
                line_end = self._line_end(at)
                line = self.text[at:line_end]
                end, at = at, min(line_end + 1, len(self.text))
                if (line.lstrip("\t") if tabs else line) == delimiter.literal:
                    break
            else:
                end = at
            self._give(commands, self._body(start, end, delimiter.quoted))
        return at

    def _body(self, at: int, end: int, quoted: bool) -> Word:
        """The text of a here-document, which is like one in double quotes where its delimiter has no quotes."""
        first, first_used, first_command = len(self._order), len(self.seen.used), len(self.commands)
        literal: list[str] = []
        if quoted:
            self._holes(at, end, Where.QUOTED_HEREDOC)
        while at < end and not quoted:
            at = self._in_body(at, literal)
        holes, direct = self._found(first)
        used = self._direct(first_used)
        return Word("".join(literal), holes, direct, True, used, tuple(self.commands[first_command:]))

    def _in_body(self, at: int, literal: list[str]) -> int:
        char = self.text[at]
        if char == "\\":
            return self._escaped(at, literal, "$`\\")
        if char in "$`":
            return self._expansion(at, literal, in_double=True)
        if char == HOLE:
            self._hole(at, Where.HEREDOC)
        literal.append(char)
        return at + 1

    def _line_end(self, at: int) -> int:
        end = self.text.find("\n", at)
        if end < 0:
            return len(self.text)
        return end
