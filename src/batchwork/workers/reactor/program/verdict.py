"""How the end of a command is told: result and failure from exit status and output. Pure."""

from __future__ import annotations

import signal
from typing import Literal, TypeAlias

from batchwork.text.jsontext import encode
from batchwork.workers.reactor.program.outbox import Failed

Verdict: TypeAlias = Literal["", "timeout", "cancelled"]
"""Why a command was ended before its time; empty where it ended by itself."""

_MESSAGE_MAX = 500
_HINTS = {126: "the command is not executable", 127: "the command was not found"}


def command_result(stdout: str, stderr: str, exit_code: int | None) -> str:
    """The JSON text of what a command gives. It can be stored as UTF-8, whatever bytes the command has written."""
    out, err = (encode(text) if text else '""' for text in (stdout, stderr))
    code = "null" if exit_code is None else exit_code
    return f'{{"stdout":{out},"stderr":{err},"exit_code":{code}}}'


def exit_failure(stdout: str, stderr: str, status: int) -> Failed:
    """The failure of a command that ended with `status`: an exit code, or minus the number of a signal."""
    last = _last_line(stderr)
    if status < 0:
        name = signal_name(-status)
        why = ""
        if -status == signal.SIGKILL:
            why = " (out of memory?)"
        message = ": ".join(filter(None, (f"killed by {name}{why}", last)))
        return {"type": "signal", "message": message, "result": command_result(stdout, stderr, status)}
    message = last or f"exit code {status}"
    failed: Failed = {"type": "exit", "exit_code": status, "result": command_result(stdout, stderr, status)}
    hint = _HINTS.get(status, "")
    if hint:
        failed["retryable"] = False
    elif 128 < status <= 128 + signal.SIGTERM:  # how shells tell it
        hint = f"perhaps killed by {signal_name(status - 128)}"
    if hint and last:
        message = f"{message} (exit code {status}: {hint})"
    elif hint:
        message = f"{message}: {hint}"
    failed["message"] = message
    return failed


def timed_out(stdout: str, stderr: str, after_s: float, killed_after_s: float | None) -> Failed:
    """The failure of a command that took too long; `killed_after_s` is the grace that SIGTERM was given in vain."""
    message = f"timed out after {after_s:g} s"
    if killed_after_s is not None:
        message += f", SIGKILL after a grace of {killed_after_s:g} s"
    return {"type": "timeout", "message": message, "result": command_result(stdout, stderr, None)}


def printed(stdout: str, stderr: str) -> str:
    """What a command without an outcome has printed, for its log: it can be stored as UTF-8, whatever bytes those were."""
    text = stdout
    if stdout and stderr and not stdout.endswith("\n"):
        text += "\n"
    return (text + stderr).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def left_behind(count: int) -> str:
    """The note on processes that outlived their command."""
    if not count:
        return ""
    processes = "process" if count == 1 else "processes"
    return f"left {count} {processes} behind, killed\n"


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def _last_line(text: str) -> str:
    r"""The last line, for people: a byte that is not UTF-8 is shown as `\xff`."""
    line = text.rstrip().rpartition("\n")[2].strip()
    if not line.isascii():
        line = line.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if len(line) > _MESSAGE_MAX:
        line = line[: _MESSAGE_MAX - 1] + "…"
    return line
