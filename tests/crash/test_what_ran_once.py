"""What a resume meets that its run's first execution left alive, held up, or without room: nothing runs twice at the same time."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from test_what_ran import BATCHWORK, PYTHON, SHELL, Bench, bench, killed, left  # noqa: F401  `bench` is a fixture

from batchwork import proctree


def guardian_of(pid: int) -> int:
    """The child that would become a program of the guardian's."""
    (found,) = (child for child in proctree.descendants([pid]) if b"batchwork.workers.guardian" in command_line(child))
    return found


def command_line(pid: int) -> bytes:
    """Of a process; empty where it has ended meanwhile."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def test_a_guardian_that_comes_late_ends_nothing_of_the_resume(bench: Bench, wait_for: Callable[..., None]) -> None:  # noqa: F811
    bench.write(SHELL)
    first = bench.start("run", "flow.yaml", "--run-id", "r1")
    wait_for(lambda: len(bench.ran()) >= 2, "two items that run")
    guardian = guardian_of(first.pid)
    os.kill(guardian, signal.SIGSTOP)
    try:
        first.kill()
        first.communicate()
        second = bench.start("resume", "r1")
        wait_for(lambda: sum(bench.ran().values()) >= 4, "the two that run again")
    finally:
        os.kill(guardian, signal.SIGCONT)
    wait_for(lambda: proctree.look(guardian) is None, "the end of the guardian")
    bench.go()
    out, err = second.communicate(timeout=60)
    assert second.returncode == 0, out + err
    assert sorted(bench.ran().values()) == [1] * 58 + [2, 2], "what the resume had begun went on"


STUBBORN = """
        type: python
        code: |
          import ctypes, fcntl, os, signal, time
          one = open("one", "w")
          try: fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
          except BlockingIOError: open("two at once", "w")
          with open("ran", "a") as ran: ran.write("%d\\n" % item)
          while os.path.exists("hold"):
            STUBBORN
          one.close()
          return item"""
HOLDS_GIL = "ctypes.PyDLL(None).usleep(900_000_000)"
CHILD = """if os.fork() == 0:
              os.setsid()
              for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
              time.sleep(900)
            time.sleep(900)"""


@pytest.mark.parametrize("stubborn", [HOLDS_GIL, CHILD], ids=["it holds the GIL", "a child outlives it"])
@pytest.mark.parametrize("alone", [True, False])
def test_a_resume_begins_when_what_ran_is_gone(
    bench: Bench,  # noqa: F811
    wait_for: Callable[..., None],
    stubborn: str,
    alone: bool,
) -> None:
    """`alone`: the guardian is killed with batchwork, so that only the resume can end what is left."""
    bench.write(STUBBORN.replace("STUBBORN", stubborn), count=3, at_once=1)
    first = bench.start("run", "flow.yaml", "--run-id", "r1")
    wait_for(lambda: len(bench.ran()) == 1, "an item that runs")
    if alone:
        proctree.kill([guardian_of(first.pid)], signal.SIGKILL)
    first.kill()
    first.communicate()
    bench.go()
    code, text = bench.run("resume", "r1")
    assert code == 0, text
    assert bench.ran() == {0: 2, 1: 1, 2: 1}
    assert not (bench.folder / "two at once").exists()
    assert left(bench) == set()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a /dev/shm")
@pytest.mark.parametrize("size", ["1m", "70m"])
def test_a_small_shared_memory_that_fills_up_kills_nobody(bench: Bench, size: str) -> None:  # noqa: F811
    """Of 70 MiB, journals are made there; then somebody takes all that is left."""
    fill = """
          if item == 3:
            with open("/dev/shm/filler", "wb", 0) as filler:
              try:
                while filler.write(bytes(1 << 16)) == 1 << 16: pass
              except OSError: pass
            with open("filled", "w") as filled: filled.write(" ".join(os.listdir("/dev/shm")))
          return "x" * 300_000"""
    bench.write(PYTHON.replace("item >= 40", "False").replace("\n          return item", fill))
    mount = f"mount -t tmpfs -o size={size} tmpfs /dev/shm && exec {BATCHWORK} run flow.yaml --run-id r1"
    process = bench.start("-m", "sh", "-c", mount, program="unshare")
    out, err = process.communicate(timeout=120)
    if "unshare" in err or "mount:" in err:
        pytest.skip(f"no mount of its own here: {err}")
    assert process.returncode == 0, out + err
    assert bench.status()["succeeded"] == 60
    assert max(bench.ran().values()) == 1, "no worker has died"
    there = (bench.folder / "filled").read_text().split()
    assert len(there) == {"1m": 1, "70m": 2}[size], "the filler, and journals where there was room for them"


def test_a_resume_that_is_killed_at_its_beginning_again_and_again_records_each_outcome_once(
    bench: Bench,  # noqa: F811
    wait_for: Callable[..., None],
) -> None:
    bench.write(PYTHON)
    killed(bench, wait_for, 41)
    for number in range(20):
        fault = f"state.commit:kill9@{1 + number % 2}"
        code, text = bench.run("resume", "r1", BATCHWORK_TESTING="1", BATCHWORK_FAULT=fault)
        assert code == -signal.SIGKILL, text
    bench.go()
    code, text = bench.run("resume", "r1")
    assert code == 0, text
    assert bench.status()["succeeded"] == 60
    assert {item for item, times in bench.ran().items() if times > 1} <= {*range(40, 60)}
    assert max(bench.ran().values()) == 2
    assert bench.run("results", "r1", "--format", "jsonl")[1].count("succeeded") == 60


@contextmanager
def server(asked: list[str], go: threading.Event) -> Iterator[int]:
    """Answers `/N` at once for N < 40, else when it may; notes what it was asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path[1:])
            if int(self.path[1:]) >= 40:
                go.wait(60)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    try:
        yield listening.server_address[1]
    finally:
        go.set()
        listening.shutdown()
        thread.join()
        listening.server_close()


def test_requests_that_were_answered_are_not_sent_again(bench: Bench, wait_for: Callable[..., None]) -> None:  # noqa: F811
    asked, go = list[str](), threading.Event()
    with server(asked, go) as port:
        bench.write(f"\n        type: http_request\n        url: 'http://127.0.0.1:{port}/{{{{ item }}}}'")
        first = bench.start("run", "flow.yaml", "--run-id", "r1")
        wait_for(lambda: len({*asked} & {"40", "41"}) == 2, "two requests that wait")
        first.kill()
        first.communicate()
        go.set()
        code, text = bench.run("resume", "r1")
    assert code == 0, text
    assert {name for name, times in Counter(asked).items() if times > 1} <= {"40", "41"}
    assert {*asked} == {*map(str, range(60))}
