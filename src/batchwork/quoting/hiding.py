"""Commands whose failure nobody would see: before a pipe, or with other commands after them, where the shell does not stop."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from batchwork.quoting.said import inside_commands
from batchwork.quoting.scan import Scanner
from batchwork.quoting.words import DYNAMIC, HOLE, Command, names
from batchwork.quoting.wrappers import own_command

_SURE = names(
    """echo printf : true test [ [[ for select set unset export local declare typeset readonly umask trap shift return
    exit break continue read sleep wait kill"""
)
"""Commands that do not fail, or whose failure says something else."""

_PIPES = ("|", "|&")
_SEQUENCES = (";", "\n", "done")


class Hidden(Struct, frozen=True):
    """A command at a position whose failure would not be seen, and how it would."""

    at: int
    message: str
    hint: str


class _Care(Struct, frozen=True):
    """What makes a shell stop: `-e` where a command fails, `pipefail` where one in a pipe does."""

    exits: bool
    pipefail: bool

    @classmethod
    def of(cls, words: Sequence[str]) -> _Care:
        """By the words after the shell's name, or after `set`."""
        letters = "".join(word[1:] for word in words if word.startswith("-") and not word.startswith("--"))
        return cls("e" in letters or "errexit" in words, "pipefail" in words)

    def after(self, words: Sequence[str]) -> _Care:
        """What it is after a `set` with these words. Who writes `set -e` has thought of failures."""
        written = _Care.of(words)
        return _Care(self.exits or written.exits, self.pipefail or written.pipefail or written.exits)


def hidden_failure(scanner: Scanner, options: Sequence[str]) -> Hidden | None:
    """The first command whose failure may be hidden, in a shell with these options; None where there is none."""
    care = _Care.of(options)
    for number, command in enumerate(scanner.commands):
        if command.words and command.words[0].literal == "set":
            care = care.after([word.literal for word in command.words[1:]])
        elif _may_fail(command) and (message := _how(command, scanner.commands[number + 1 :], care)):
            hint = (
                "join commands with `&&`, begin with `set -e`, or write `shell: bash -euo pipefail` beside the command"
            )
            return Hidden(command.spot.at, f"a failure of {_name(command)} is hidden{message}", hint)
    return None


def _how(command: Command, later: Sequence[Command], care: _Care) -> str:
    """What hides a failure; nothing where it would be seen."""
    if command.ended in _PIPES and not care.pipefail:
        return ": of a pipe only the last command counts, where the shell has no pipefail"
    if _is_followed(command, later) and not care.exits:
        return " by what comes after it"
    return ""


def _is_followed(command: Command, later: Sequence[Command]) -> bool:
    """Whether another command decides how the list ends that this one stands in."""
    if command.ended not in _SEQUENCES or command.tested:
        return False
    return command.ended == "done" or any(each.spot.list == command.spot.list for each in later)


def _may_fail(command: Command) -> bool:
    if command.tested:
        return False
    at = own_command(command.words)
    if at >= len(command.words):
        return any(_may_fail(each) for word in command.assignments for each in inside_commands(word))
    name = command.words[at].name
    return name not in _SURE and not (name == "cat" and len(command.words) == 1)


def _name(command: Command) -> str:
    """What the command is called, in words."""
    word = next(iter(command.words[own_command(command.words) :]), None)
    if word is None:
        return "a command in `$( )`"
    if HOLE in word.literal or DYNAMIC in word.literal:
        return "a command"
    return f"`{word.literal}`"
