"""Process trees: found by descent and by cookie, ended to the last one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from batchwork import proctree


def until(fact: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.005)


@pytest.fixture
def cookie() -> Iterator[str]:
    name = f"cookie-{os.getpid()}-{time.monotonic_ns()}"
    yield name
    proctree.kill_all(lambda: proctree.with_cookie(name))
    assert proctree.with_cookie(name) == []


def start(cookie: str, script: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["/bin/sh", "-c", script], env={**os.environ, proctree.COOKIE: cookie})


def test_children_and_descendants_are_found(cookie: str) -> None:
    # Given a shell with a child and a grandchild
    shell = start(cookie, "(sleep 600 & wait) & wait")
    until(lambda: len(proctree.descendants([shell.pid])) == 2)
    # Then the direct children are the subshell only, and all three carry the cookie
    assert len(proctree.children(shell.pid)) == 1
    assert shell.pid in proctree.children(os.getpid())
    assert sorted(proctree.below([shell.pid])) == sorted(proctree.descendants([shell.pid]))
    assert set(proctree.with_cookie(cookie)) == {shell.pid, *proctree.descendants([shell.pid])}
    found = proctree.look(shell.pid)
    assert found is not None and found.parent == os.getpid() and found.session == os.getsid(0)
    proctree.kill([shell.pid, *proctree.descendants([shell.pid])])
    assert shell.wait(10) == -signal.SIGKILL


def test_environment_values_are_those_of_the_start(cookie: str) -> None:
    shell = start(cookie, "sleep 600")
    until(lambda: proctree.environ_value(shell.pid, proctree.COOKIE) == cookie)
    assert proctree.environ_value(shell.pid, "NO_SUCH_NAME") is None
    assert proctree.environ_value(2**22 + 1, proctree.COOKIE) is None
    proctree.kill([shell.pid])
    shell.wait(10)
    assert proctree.look(shell.pid) is None


def test_kill_all_ends_what_keeps_forking(cookie: str) -> None:
    # Given a process that always starts its own successors, in sessions of their own
    script = "import os,time\nwhile True:\n    if os.fork() == 0:\n        os.setsid(); time.sleep(600)\n    time.sleep(0.002)"
    forker = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, proctree.COOKIE: cookie})
    until(lambda: len(proctree.with_cookie(cookie)) > 20)
    # When all are ended
    ended = proctree.kill_all(lambda: proctree.with_cookie(cookie))
    # Then none is left, and none appears again
    assert ended > 20
    assert proctree.with_cookie(cookie) == []
    assert forker.wait(10) in (-signal.SIGKILL, 0)


def test_signals_to_the_dead_are_no_error() -> None:
    gone = subprocess.Popen(["/bin/true"])
    gone.wait(10)
    proctree.kill([gone.pid, 0, -1, 1, os.getpid()], signal.SIGCONT)
    proctree.kill_group(gone.pid, signal.SIGCONT)
    proctree.reap([gone.pid])
    assert proctree.kill_all(lambda: [gone.pid]) == 0


def test_a_subreaper_gets_orphans() -> None:
    code = (
        "import os, subprocess, time\nfrom batchwork import proctree\n"
        "assert proctree.become_subreaper()\n"
        "subprocess.run(['/bin/sh', '-c', 'setsid sleep 600 >/dev/null 2>&1 &'])\n"
        "end = time.monotonic() + 10\n"
        "while not (kids := proctree.children(os.getpid())): assert time.monotonic() < end\n"
        "print(len(kids), proctree.kill_all(lambda: proctree.children(os.getpid())), proctree.children(os.getpid()))\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert said.stdout == "1 1 []\n"
