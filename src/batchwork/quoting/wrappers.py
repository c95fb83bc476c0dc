"""Commands that run a command given as words (`sudo`, `env`, `xargs` …): which of their words is the command itself."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from batchwork.quoting.words import DYNAMIC, HOLE, PROCESS, Word, names


class Wrapper(Struct, frozen=True):
    """What must be known of a wrapper to find the command in its words.

    `short` are the letters of its options that take an argument, `long` its long ones; `operands` is how many words of
    its own stand before the command, `assigns` whether `NAME=value` may.
    """

    short: str = ""
    long: frozenset[str] = frozenset()
    operands: int = 0
    assigns: bool = False

    def command(self, words: Sequence[Word], at: int) -> int:
        """The position of the command among `words`, of which the wrapper's own begin at `at`; past the end, where there is none."""
        while at < len(words) and (words[at].is_option() or self._is_assigned(words[at])):
            literal = words[at].literal
            at += 1 + self._takes_next(literal)
            if literal == "--":
                break
        at += self.operands
        while at < len(words) and self._is_assigned(words[at]):
            at += 1
        return at

    def _is_assigned(self, word: Word) -> bool:
        return self.assigns and word.target != ""

    def _takes_next(self, literal: str) -> bool:
        if literal.startswith("--"):
            return literal in self.long
        return literal[-1] in self.short and not any(letter in self.short for letter in literal[1:-1])


TRANSPARENT = {
    "exec": Wrapper("a"),
    "command": Wrapper(),
    "builtin": Wrapper(),
    "nohup": Wrapper(),
    "setsid": Wrapper(),
    "chronic": Wrapper(),
    "unbuffer": Wrapper(),
    "busybox": Wrapper(),
    "time": Wrapper("fo", names("--format --output")),
    "sudo": Wrapper(
        "ugphCcrtTDRU",
        names(
            "--user --group --host --prompt --close-from --role --type --command-timeout --chdir --chroot --other-user"
        ),
        assigns=True,
    ),
    "doas": Wrapper("uCa"),
    "env": Wrapper("uCS", names("--unset --chdir --split-string"), assigns=True),
    "nice": Wrapper("n", names("--adjustment")),
    "ionice": Wrapper("cnpPu", names("--class --classdata --pid")),
    "timeout": Wrapper("ks", names("--kill-after --signal"), operands=1),
    "faketime": Wrapper("f", operands=1),
    "stdbuf": Wrapper("ioe", names("--input --output --error")),
    "chroot": Wrapper(operands=1),
    "flock": Wrapper("wE", names("--timeout --wait --conflict-exit-code"), operands=1),
    "taskset": Wrapper(operands=1),
    "chrt": Wrapper("TPD", names("--sched-runtime --sched-period --sched-deadline"), operands=1),
    "caffeinate": Wrapper("tw"),
    "xargs": Wrapper(
        "InPLdasE", names("--max-args --max-procs --max-lines --delimiter --arg-file --max-chars --process-slot-var")
    ),
}
"""Wrappers whose own words can be told from the command's."""

OPAQUE = names(
    """find fd docker podman nerdctl kubectl oc lxc apptainer singularity bwrap firejail nsenter unshare setpriv runuser su
    systemd-run strace ltrace script srun mpirun mpiexec parallel watch ssh mosh rsh npm npx yarn pnpm cargo uv poetry pipenv
    conda mamba micromamba xvfb-run dbus-run-session nix-shell ip entr"""
)
"""Programs that run others too, whose own words cannot be told from the other's: their first `--` may be theirs."""


def own_command(words: Sequence[Word]) -> int:
    """The position of the command that the last words are arguments of, behind all wrappers; past the end where there is none."""
    at = 0
    while at < len(words) and not _is_unknown(words[at]) and (wrapper := TRANSPARENT.get(words[at].name)):
        at = wrapper.command(words, at + 1)
    return at


def _is_unknown(word: Word) -> bool:
    return any(sign in word.literal for sign in (HOLE, DYNAMIC, PROCESS))
