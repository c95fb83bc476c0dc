"""Whether a program takes its code from standard input, by the words after its name."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from batchwork.quoting.words import Word, names

_STANDARD_INPUT = names("- /dev/stdin /dev/fd/0 /proc/self/fd/0")


class CodeInput(Struct, frozen=True):
    """When a program reads code on standard input: without a script, and without code or a file of it by an option.

    `elsewhere` are the letters of options that give code or a file of it, `takes` those of options with another argument,
    `joined` those whose argument stands in the same word, `forces` those that mean standard input. `long` are options of
    whole words that give code, `long_takes` those with another argument. `operands` is how many there may be besides the
    script. Not `usual`: only where standard input is named.
    """

    elsewhere: str = ""
    takes: str = ""
    joined: str = ""
    forces: str = ""
    long: frozenset[str] = frozenset()
    long_takes: frozenset[str] = frozenset()
    operands: int = 0
    usual: bool = True

    def __call__(self, words: Sequence[Word]) -> bool:
        if not self.usual:
            return any(word.literal in _STANDARD_INPUT for word in words)
        operands: list[Word] = []
        at = 0
        while at < len(words) and len(operands) <= self.operands:
            word = words[at]
            at += 1
            if word.literal == "--":
                continue
            if not word.is_option():
                operands.append(word)
                continue
            meaning, taken = self._option(word.literal)
            if meaning is not None:
                return meaning or _is_named(words[at : at + 1])
            at += taken
        return self._leaves_the_input(operands)

    def _leaves_the_input(self, operands: Sequence[Word]) -> bool:
        """Whether no operand is a script, or the script is standard input."""
        return len(operands) <= self.operands or (not self.operands and _is_named(operands))

    def _option(self, literal: str) -> tuple[bool | None, int]:
        """Whether an option decides that code comes on standard input, or elsewhere; and how many words it takes."""
        name, assigned, _ = literal.partition("=")
        if name in self.long:
            return False, 0
        if literal.startswith("--") or name in self.long_takes:
            return None, int(name in self.long_takes and not assigned)
        for at, letter in enumerate(literal[1:], 2):
            if letter in self.forces:
                return True, 0
            if letter in self.elsewhere:
                return literal[at:] in _STANDARD_INPUT, 0
            if letter in self.takes:
                return None, int(at == len(literal))
            if letter in self.joined:
                break
        return None, 0


def _is_named(files: Sequence[Word]) -> bool:
    """Whether standard input is named where a file is given, as in `-f -`."""
    return any(word.literal in _STANDARD_INPUT for word in files)
