"""Notifications: when they are sent, each kind once, to a real command and a real loopback server; failures are warnings."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from batchwork.clock import SystemClock
from batchwork.errors import NOWHERE, BatchworkError
from batchwork.events import Event, Progressed, RunFinished, StepFinished, StepStarted
from batchwork.model import Counts, RunRecord, RunStatus, StepStatus
from batchwork.plan.model import NotifyPlan
from batchwork.report import Summary, summarize, summary_json
from batchwork.spec.fields.notify import NotifyOn
from batchwork.telling.deliver import Message, command_delivery, url_delivery
from batchwork.telling.notify import Notifier

RUN = RunRecord("r1", "flow", "flow.yaml", "", "{}", "{}", RunStatus.FAILED, 0, 1000)
SUMMARY = summarize(RUN, [])
MESSAGE = Message("failed", "fetch", "step fetch failed: it's bad", summary_json(SUMMARY))
ALL: tuple[NotifyOn, ...] = ("failed", "threshold", "stalled", "finished")


class Desk:
    """Notifications that were delivered, and warnings."""

    def __init__(self, *on: NotifyOn, threshold: float = 0.1, stalled_s: float = 1000.0) -> None:
        self.got: list[Message] = []
        self.warnings: list[str] = []
        plan = NotifyPlan(on=on, command=None, url=None, threshold=threshold, stalled_s=stalled_s, place=NOWHERE)
        self.notifier = Notifier([(plan, self.got.append)], lambda: SUMMARY, self.warnings.append, SystemClock())

    def after(self, *events: Event) -> list[tuple[str, str]]:
        for event in events:
            self.notifier.emit(event)
        self.notifier.close()
        return [(message.kind, message.step) for message in self.got]


def finished(status: StepStatus, counts: Counts = Counts(1, 1), batch: bool = False) -> StepFinished:
    return StepFinished("fetch", status, counts, 1.0, "it broke" if status is StepStatus.FAILED else "", batch)


def test_each_kind_is_said_once() -> None:
    bad = Progressed("fetch", Counts(100, 20, 20), 4)
    end = RunFinished("r1", RunStatus.FAILED, 2.0, "do resume")
    told = Desk(*ALL).after(bad, bad, finished(StepStatus.FAILED), finished(StepStatus.FAILED), end)
    assert sorted(told) == [("failed", "fetch"), ("finished", ""), ("threshold", "fetch")]


def test_what_was_not_asked_for_is_not_said() -> None:
    assert Desk("stalled").after(finished(StepStatus.FAILED), RunFinished("r1", RunStatus.FAILED, 1.0)) == []


def test_a_run_that_fails_before_any_step_is_said_to_have_failed() -> None:
    assert Desk("failed").after(RunFinished("r1", RunStatus.FAILED, 1.0)) == [("failed", "")]
    assert Desk("failed").after(RunFinished("r1", RunStatus.PARTIAL, 1.0)) == []


@pytest.mark.parametrize(
    ("counts", "ended", "told"),
    [
        (Counts(None, 18, 1), False, []),  # too few yet
        (Counts(None, 17, 3), False, [("threshold", "fetch")]),
        (Counts(None, 99, 10), False, []),
        (Counts(3, 1, 2), True, [("threshold", "fetch")]),  # at its end, however few
        (Counts(3, 3, 0), True, []),
    ],
)
def test_the_threshold(counts: Counts, ended: bool, told: list[tuple[str, str]]) -> None:
    event = finished(StepStatus.SUCCEEDED, counts, batch=True) if ended else Progressed("fetch", counts, 1)
    assert Desk("threshold").after(event) == told


def test_a_stalled_step_is_noticed(wait_for: Callable[..., None]) -> None:
    desk = Desk("stalled", stalled_s=0.1)
    desk.notifier.emit(StepStarted("fetch", Counts(), True))
    wait_for(lambda: desk.got, "the notification")
    assert desk.after() == [("stalled", "fetch")]
    assert "nothing has finished for" in desk.got[0].text


def test_without_a_running_step_nothing_stalls() -> None:
    desk = Desk("stalled", stalled_s=0.01)
    desk.notifier.emit(StepStarted("fetch", Counts(), True))
    desk.notifier.emit(finished(StepStatus.SUCCEEDED))
    assert desk.after() == []


def test_a_failed_delivery_is_a_warning() -> None:
    warnings: list[str] = []

    def refuse(message: Message) -> None:
        raise BatchworkError(f"no {message.kind}")

    plan = NotifyPlan(on=("finished",), command=None, url=None, threshold=0.1, stalled_s=1.0, place=NOWHERE)

    def unreadable() -> Summary:
        return SUMMARY

    notifier = Notifier([(plan, refuse)], unreadable, warnings.append, SystemClock())
    notifier.emit(RunFinished("r1", RunStatus.SUCCEEDED, 1.0))
    notifier.close()
    assert warnings == ["`notify` (finished) was not delivered: no finished"]


# ---------------------------------------------------------------- commands


def test_a_command_gets_json_and_variables(tmp_path: Path) -> None:
    script = 'cat > got.json; printf \'%s|%s|%s\' "$BATCHWORK_EVENT" "$BATCHWORK_STEP" "$BATCHWORK_TEXT" > env.txt'
    command_delivery(["/bin/sh", "-c", script], os.environ, str(tmp_path))(MESSAGE)
    got = json.loads((tmp_path / "got.json").read_text(encoding="utf-8"))
    assert got["run"] == "r1" and got["status"] == "failed" and got["event"] == "failed"
    assert got["text"] == MESSAGE.text
    assert (tmp_path / "env.txt").read_text(encoding="utf-8") == f"failed|fetch|{MESSAGE.text}"


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(BatchworkError, match="exit code 7: no mail today"):
        command_delivery(["/bin/sh", "-c", "echo no mail today >&2; exit 7"], os.environ, str(tmp_path))(MESSAGE)
    with pytest.raises(BatchworkError, match="cannot be started: No such file"):
        command_delivery(["/no/such/program"], os.environ, str(tmp_path))(MESSAGE)


def test_a_command_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchwork.telling.deliver.TIMEOUT_S", 0.2)
    code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    with pytest.raises(BatchworkError, match="had not ended"):
        command_delivery([sys.executable, "-c", code], os.environ, str(tmp_path))(MESSAGE)
    pid = tmp_path / "pid"
    assert not pid.exists() or not Path(f"/proc/{pid.read_text()}").exists()


# ---------------------------------------------------------------- URLs


class Server(HTTPServer):
    """A loopback server that answers with `status` and keeps what it got."""

    status = 200
    got: list[tuple[str, dict[str, str], Any]]


class Answering(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Answering) as made:
        made.got = []
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_a_url_gets_json(server: Server) -> None:
    url_delivery(f"http://me:p%40ss@127.0.0.1:{server.server_port}/hook?x=1")(MESSAGE)
    ((path, headers, body),) = server.got
    assert path == "/hook?x=1"
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"] == "Basic bWU6cEBzcw=="
    assert body["run"] == "r1" and body["event"] == "failed" and body["text"] == MESSAGE.text


@pytest.mark.parametrize("status", [500, 404, 302, 307])
def test_a_url_that_refuses_is_an_error_without_the_url(server: Server, status: int) -> None:
    server.status = status
    with pytest.raises(BatchworkError, match=f"127.0.0.1 answered {status}") as caught:
        url_delivery(f"http://me:hidden@127.0.0.1:{server.server_port}/token-in-path")(MESSAGE)
    assert "token-in-path" not in str(caught.value) and "hidden" not in str(caught.value)
    assert len(server.got) == 1, "no redirect is followed"


def test_a_url_that_nobody_serves(server: Server) -> None:
    port = server.server_port
    server.server_close()
    with pytest.raises(BatchworkError, match="cannot be reached"):
        url_delivery(f"http://127.0.0.1:{port}/")(MESSAGE)
    with pytest.raises(BatchworkError, match="must begin with http"):
        url_delivery("file:///etc/passwd")(MESSAGE)


def test_a_message_says_how_long_a_running_step_has_taken(work: Path, batchwork: Callable[..., Any]) -> None:
    (work / "flow.yaml").write_text(
        "notify: {on: stalled, stalled: 0.2, command: cat > told}\n"
        "steps: [{name: slow, task: shell, inputs: {command: 'while ! test -s told; do sleep 0.05; done'}}]\n"
    )
    batchwork("run", "flow.yaml", expect=0)
    assert json.loads((work / "told").read_text())["steps"]["slow"]["duration"] >= 0.2
