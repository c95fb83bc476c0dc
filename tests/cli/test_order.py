"""`parallel: false` with real workers: items run one after another in the order of the source, whatever fails between."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

Command = Callable[..., "CompletedProcess[str]"]

COUNT = 40
BAD = frozenset({0, 1, 7, 8, 20, 39})
"""These fail; where there is a retry, the first attempt only, but for LOST."""
LOST = frozenset({8, 39})

ACT = "echo {{ item }} >> ran; case {{ item }}:$BATCHWORK_ATTEMPT in BAD) exit 1;; esac"
PYTHON = """
with open("ran", "a") as ran:
    ran.write("%d\\n" % item)
if item in LOST or (item in BAD and attempt == 1):
    raise ValueError(item)
"""


class Ledger(BaseHTTPRequestHandler):
    """Writes down what is asked for; the bad items get a status 500."""

    ran: list[int]

    def do_GET(self) -> None:
        item = int(self.path[1:])
        again = item in self.ran
        self.ran.append(item)
        self.send_response(500 if item in LOST or (item in BAD and not again) else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Ledger.ran = []
    serving = ThreadingHTTPServer(("127.0.0.1", 0), Ledger)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield serving
    serving.shutdown()
    serving.server_close()


def task(kind: str, port: int) -> dict[str, Any]:
    if kind == "http":
        return {"type": "http_request", "url": f"http://127.0.0.1:{port}/{{{{ item }}}}"}
    if kind == "python":
        return {"type": "python", "code": PYTHON.replace("LOST", repr(set(LOST))).replace("BAD", repr(set(BAD)))}
    bad = "|".join([*(f"{item}:*" for item in LOST), *(f"{item}:1" for item in BAD)])
    return {"type": "shell", "command": ACT.replace("BAD", bad)}


def expected(attempts: int, handled: bool) -> list[int]:
    """Items in their order, as often as they are tried; where they fail for good, `-1 - item` for the handler."""
    seen: list[int] = []
    for item in range(COUNT):
        tries = attempts if item in LOST else min(attempts, 2) if item in BAD else 1
        failed = item in LOST or (item in BAD and attempts == 1)
        seen += [item] * tries + [-1 - item] * (handled and failed)
    return seen


@pytest.mark.parametrize("handled", [False, True], ids=["", "handled"])
@pytest.mark.parametrize(
    "retry", [None, {"max_attempts": 3}, {"max_attempts": 2, "delay": 0.03}], ids=["once", "at once", "later"]
)
@pytest.mark.parametrize("kind", ["python", "shell", "http"])
@pytest.mark.promise("6.15")
def test_failures_do_not_change_the_order(
    batchwork: Command, work: Path, server: ThreadingHTTPServer, kind: str, retry: dict[str, Any] | None, handled: bool
) -> None:
    inputs: dict[str, Any] = {
        "items": {"from": "range", "stop": COUNT},
        "parallel": False,
        "continue_on_error": True,
        "task": task(kind, server.server_port),
    }
    if retry is not None:
        inputs["retry"] = retry
    if handled:
        told = f"http://127.0.0.1:{server.server_port}/-{{{{ item + 1 }}}}"
        command = {"type": "shell", "command": "echo -{{ item + 1 }} >> ran"}
        inputs["on_item_error"] = {"type": "http_request", "url": told} if kind == "http" else command
    (work / "w.yaml").write_text(json.dumps({"steps": [{"name": "s", "task": "batch", "inputs": inputs}]}))
    batchwork("run", "w.yaml", "--quiet", expect=3)
    ran = Ledger.ran if kind == "http" else [*map(int, (work / "ran").read_text().split())]
    assert ran == expected(1 if retry is None else retry["max_attempts"], handled)


@pytest.mark.parametrize("kind", ["python", "shell", "http"])
@pytest.mark.parametrize("limit", [0, 2])
def test_nothing_starts_after_one_failure_too_many(
    batchwork: Command, work: Path, server: ThreadingHTTPServer, kind: str, limit: int
) -> None:
    inputs: dict[str, Any] = {
        "items": {"from": "range", "stop": COUNT},
        "parallel": False,
        "max_failures": limit,
        "task": task(kind, server.server_port),
    }
    (work / "w.yaml").write_text(json.dumps({"steps": [{"name": "s", "task": "batch", "inputs": inputs}]}))
    batchwork("run", "w.yaml", "--quiet", expect=1)
    ran = Ledger.ran if kind == "http" else [*map(int, (work / "ran").read_text().split())]
    assert ran == list(range(sorted(BAD)[limit] + 1))


@pytest.mark.parametrize("kind", ["python", "shell"])
def test_the_order_holds_over_a_stop_and_a_resume(batchwork: Command, work: Path, kind: str) -> None:
    """The failure of the ninth item stops the step; a resume begins with what failed and goes on behind it."""
    inputs: dict[str, Any] = {
        "items": {"from": "range", "stop": COUNT},
        "parallel": False,
        "max_failures": 3,
        "task": task(kind, 0),
    }
    (work / "w.yaml").write_text(json.dumps({"steps": [{"name": "s", "task": "batch", "inputs": inputs}]}))
    batchwork("run", "w.yaml", "--quiet", expect=1)
    first = [*map(int, (work / "ran").read_text().split())]
    assert first == list(range(9))
    batchwork("resume", "--quiet", expect=3)
    ran = [*map(int, (work / "ran").read_text().split())][len(first) :]
    assert ran == [0, 1, 7, 8, *range(9, COUNT)]
