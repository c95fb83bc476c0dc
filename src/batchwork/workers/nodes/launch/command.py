"""Starts agents by a command of the user: ssh, srun, kubectl, mpirun, or the agent itself.

In the command `{agent}` stands for the agent's own command, and braces with commas in them for one command each:
`ssh {alpha,beta} {agent}` starts two. It is a shell's command, so that whatever the user writes in a terminal can stand there.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import IO

from batchwork.errors import UsageError, WorkerError
from batchwork.workers.nodes.net.letter import Letter
from batchwork.workers.starts import how_it_ended

AGENT = (sys.executable, "-P", "-m", "batchwork.workers.nodes.agent")
_CHOICE = re.compile(r"\{([^{}]*,[^{}]*)\}")
_END_S = 5.0
_LAST_WORDS = 2000


class CommandLauncher:
    """See muster.Launcher. `text` is `command:` and the command."""

    def __init__(self, text: str) -> None:
        text = text.partition(":")[2]
        if "{agent}" not in text:
            raise UsageError(
                "the command for nodes does not say where the agent's command stands",
                "write `{agent}` there, for example `--executor 'command:ssh host {agent}'`",
            )
        self._text = text
        self._commands = commands_of(text)
        self._started: list[tuple[subprocess.Popen[bytes], IO[bytes]]] = []

    def describe(self) -> str:
        return f"`command:{self._text}`"

    def known(self) -> str:
        return ""

    def launch(self, letter: Callable[[int | None], Letter]) -> None:
        for command in self._commands:
            self._start(command, letter(None).written())

    def _start(self, command: str, letter: bytes) -> None:
        words = tempfile.TemporaryFile()  # noqa: SIM115  # it is read when the command has ended
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", command],
                stdin=subprocess.PIPE,
                stdout=words,
                stderr=words,
                start_new_session=True,
            )
        except OSError as error:
            words.close()
            raise WorkerError(f"nodes cannot be started: {error.strerror}") from error
        self._started.append((process, words))
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # what it said instead is looked at when it has ended
            process.stdin.write(letter)
            process.stdin.flush()

    def ended(self) -> str | None:
        if any(process.poll() is None for process, _ in self._started):
            return None
        said = [_how(process, words) for process, words in self._started]
        return "; ".join(dict.fromkeys(said))

    def close(self) -> None:
        """Agents have been sent away by now. What is left of the commands is ended."""
        for process, words in self._started:
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                _end(process)
            assert process.stdin is not None
            with contextlib.suppress(OSError):
                process.stdin.close()
            words.close()
        self._started.clear()


def commands_of(text: str) -> list[str]:
    """The shell's commands: one for each of the words in braces, with the agent's command in its place."""
    choice = _CHOICE.search(text)
    words = [""] if choice is None else choice[1].split(",")
    agent = shlex.join(AGENT)
    found = []
    for word in words:
        command = text if choice is None else text[: choice.start()] + word.strip() + text[choice.end() :]
        found.append(command.replace("{agent}", agent))
    return found


def _how(process: subprocess.Popen[bytes], words: IO[bytes]) -> str:
    """How a command has ended, with its last words."""
    words.seek(0, os.SEEK_END)
    words.seek(max(0, words.tell() - _LAST_WORDS))
    lines = words.read().decode("utf-8", "replace").strip().splitlines()
    said = f": {lines[-1]}" if lines else ""
    return f"the command {how_it_ended(process.returncode)}{said}"


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)
            return
