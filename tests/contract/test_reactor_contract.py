"""The reactor keeps the contract of executors, with commands."""

from __future__ import annotations

import os
from typing import Any

from batchwork.clock import SystemClock
from batchwork.ports import Executor, Staffing
from batchwork.testing.executor_contract import Deed, ExecutorContract
from batchwork.text.jsontext import Json
from batchwork.workers.reactor.executor import ReactorExecutor
from crash.reactors import Prepared

SCRIPTS: dict[Deed, str] = {
    "give": 'printf %s "$1"',
    "print": 'printf "%s\\n" "$1"',
    "fail": "echo as told >&2; exit 1",
    "sleep": 'sleep "$1"',
    "overlap": 'echo + >> "$1"; sleep 0.05; echo - >> "$1"',
    "child": 'setsid sleep 300 & echo $! > "$1.new"; mv "$1.new" "$1"; sleep 300',
    "die": "kill -KILL $PPID; sleep 300",
}


class TestReactorExecutor(ExecutorContract):
    blames = False

    def start(self, staffing: Staffing) -> Executor:
        executor = ReactorExecutor(SystemClock())
        executor.start(Prepared({"kind": "shell", "capture_limit": 1 << 20}), staffing)
        return executor

    def payload(self, deed: Deed, argument: Any = None) -> Json:
        words = ["/bin/sh", "-c", SCRIPTS[deed], "sh", "" if argument is None else str(argument)]
        return {"argv": words, "env": {}, "cwd": os.getcwd(), "stdin": None}
