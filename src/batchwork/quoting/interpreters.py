"""Words of commands that are code for another interpreter (`sh -c`, `awk`, `ssh` …): what is wrong with templates in them.

Builtins of the shell itself that evaluate their words are no part of it, and nothing here depends on quoting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from batchwork.quoting.code_words import (
    CodeIn,
    FirstOperand,
    after_first,
    after_flag,
    before_lists,
    every_word,
    remote,
    shell_code,
    split_string,
)
from batchwork.quoting.words import DYNAMIC, PROCESS, Command, Word, names
from batchwork.text.patterns import pattern

SHELLS = names("sh bash dash zsh ksh mksh ash yash rbash fish csh tcsh")

WRAPPERS = names(
    """exec command builtin sudo doas nohup time nice ionice timeout stdbuf setsid env chroot unshare nsenter flock strace
    ltrace taskset chrt setpriv runuser xargs find fd docker podman kubectl oc lxc systemd-run busybox caffeinate unbuffer
    script srun"""
)
"""Commands that run a command given as words."""

_SAYING = names("echo printf grep egrep fgrep rg cat ls man which type test [ [[")


class Danger(Struct, frozen=True):
    """A template whose value would be run as code. Harmless where the value is a whole number (`| int`)."""

    number: int
    message: str
    hint: str


class _Interpreter(Struct, frozen=True):
    """Commands by name, which of their words are code, and what to write instead. `by_flag`: only an option makes it code."""

    names: re.Pattern[str]
    shown: str
    code: CodeIn
    hint: str
    by_flag: bool = True

    def dangers(self, name: str, words: Sequence[Word]) -> Iterator[Danger]:
        """The templates in the code of the command `name` that `words` follow."""
        message = _MESSAGE.format(self.shown.replace("NAME", name))
        for code in self.code(words):
            yield from _each(code, message, self.hint.replace("NAME", name))


_MESSAGE = "a value inside the code of `{}` would be run as code"


def dangers(command: Command) -> Iterator[Danger]:
    """The templates of one simple command that stand in code for another interpreter."""
    words = command.words
    if not words:
        return
    for at, word in _possible_names(words):
        runs = at == 0 or words[0].name in WRAPPERS
        for interpreter in _INTERPRETERS:
            if (runs or interpreter.by_flag) and interpreter.names.fullmatch(word.name):
                yield from interpreter.dangers(word.name, words[at + 1 :])
    yield from _fed(command)


def _possible_names(words: Sequence[Word]) -> Iterator[tuple[int, Word]]:
    """The words that may name a command: the first one, and further ones unless the command just takes text."""
    for at, word in enumerate(words):
        if at and words[0].name in _SAYING:
            return
        if not word.direct and DYNAMIC not in word.literal:
            yield at, word


def _fed(command: Command) -> Iterator[Danger]:
    """Code that comes on standard input or as a file made on the spot."""
    name = command.words[0].name
    operands = [word for word in command.words[1:] if not word.is_option()]
    if operands:
        if operands[0].literal == PROCESS and (name in SHELLS or name in (".", "source")):
            yield from _each(operands[0], _MESSAGE.format(f"{name} <(…)"), _SH_HINT.replace("NAME", "sh"))
    elif name in SHELLS:
        yield from _on_stdin(name, command)


def _on_stdin(name: str, command: Command) -> Iterator[Danger]:
    hint = f'pass the value as an argument: {name} -s -- {{{{ item }}}}, and use "$1" in the code'
    for word in command.here_strings:
        yield from _each(word, _MESSAGE.format(f"{name} <<<"), hint)
    before = command.upstream and command.upstream.words
    if before and before[0].name in ("echo", "printf"):
        for word in before[1:]:
            yield from _each(word, _MESSAGE.format(f"{before[0].name} … | {name}"), hint)


def _each(word: Word, message: str, hint: str) -> Iterator[Danger]:
    for number in word.holes:
        yield Danger(number, message, hint)


_SH_HINT = (
    'pass it as an argument: NAME -c \'echo "$1"\' NAME {{ item }}; or by `env:`, and use "$THE_VALUE" in the code'
)
_ENV_HINT = "pass it by the task's `env:`, or as an argument, and read it from there in the code"
_SSH_HINT = "send it on standard input: printf '%s' {{ item }} | ssh HOST 'cat > file'; a host from a value: ssh -- {{ item }} uptime"

_INTERPRETERS = (
    _Interpreter(pattern("|".join(SHELLS)), "NAME -c", shell_code, _SH_HINT),
    _Interpreter(
        pattern(r"python[\d.]*|pypy[\d.]*"),
        "NAME -c",
        after_flag("c", operand_first=False),
        "pass it as an argument: NAME -c 'import sys; print(sys.argv[1])' {{ item }}; or use a task of type python",
    ),
    _Interpreter(
        pattern(r"perl[\d.]*"),
        "NAME -e",
        after_flag("eE", operand_first=False),
        "pass it as an argument, and use $ARGV[0]",
    ),
    _Interpreter(
        pattern(r"ruby[\d.]*"),
        "NAME -e",
        after_flag("e", operand_first=False),
        "pass it as an argument, and use ARGV[0]",
    ),
    _Interpreter(
        pattern(r"node|nodejs|bun|deno"),
        "NAME -e",
        after_flag("ep", "--eval", "--print", "eval", operand_first=False),
        "pass it as an argument, and use process.argv[1]",
    ),
    _Interpreter(
        pattern(r"php[\d.]*|lua[\d.]*|julia|R|Rscript|osascript|groovy|scala|ghc|guile|emacs"),
        "NAME",
        after_flag("reE", "--eval", "--expr", operand_first=False),
        _ENV_HINT,
    ),
    _Interpreter(pattern(r"pwsh|powershell"), "NAME -Command", after_flag("cC", "-Command", "-command"), _ENV_HINT),
    _Interpreter(
        pattern(r"psql"),
        "NAME -c",
        after_flag("c", "--command"),
        "NAME -v v={{ item }}, and :'v' in the code on stdin",
    ),
    _Interpreter(pattern(r"mysql|mariadb"), "NAME -e", after_flag("e", "--execute"), _ENV_HINT),
    _Interpreter(pattern(r"su|runuser|script|flock"), "NAME -c", after_flag("c", "--command"), _ENV_HINT),
    _Interpreter(
        pattern(r"[gmn]?awk|original-awk|busybox-awk"),
        "NAME",
        FirstOperand("vFfiE", "e", "fE"),
        "pass it by the task's `env:`, and use ENVIRON[\"THE_VALUE\"] in the program (or NAME -v x={{ item }} 'program')",
        by_flag=False,
    ),
    _Interpreter(
        pattern(r"g?sed"), "NAME", FirstOperand("l", "e", "f"), _ENV_HINT + " (awk has ENVIRON)", by_flag=False
    ),
    _Interpreter(
        pattern(r"[jy]q|gojq|jaq"),
        "NAME",
        FirstOperand("L", "", "f"),
        "NAME --arg x {{ item }} '… $x …'",
        by_flag=False,
    ),
    _Interpreter(pattern(r"sqlite3|duckdb"), "NAME", after_first, _ENV_HINT, by_flag=False),
    _Interpreter(
        pattern(r"watch|parallel"),
        "NAME",
        before_lists,
        "NAME runs its words as shell code: leave out NAME, or put values after `:::`",
        by_flag=False,
    ),
    _Interpreter(pattern(r"ssh|mosh|autossh|rsh"), "NAME", remote, _SSH_HINT, by_flag=False),
    _Interpreter(
        pattern(r"env"), "NAME -S", split_string, "write NAME's words one by one, the command first", by_flag=False
    ),
    _Interpreter(
        pattern(r"eval"),
        "NAME",
        every_word,
        "leave out NAME: a value is one word, whatever is in it; or paste it with `| raw`",
        False,
    ),
)
