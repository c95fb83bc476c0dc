"""The guardian ends what a killed batchwork leaves, even workers that cannot notice, and touches nothing after a good end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest

from batchwork import proctree
from batchwork.workers.guardian import Guardian

MAIN = """
import os, signal, subprocess, sys, time
from batchwork.workers.guardian import Guardian
cookie, how, ready = sys.argv[1:]
guardian = Guardian()
environ = {{**os.environ, "BATCHWORK_COOKIE": cookie}}
children = [
    subprocess.Popen(["sleep", "600"], env=environ, start_new_session=True),
    subprocess.Popen(["sh", "-c", "trap '' TERM HUP INT; sleep 600 & wait"], env=environ, start_new_session=True),
]
os.kill(children[0].pid, signal.SIGSTOP)
guardian.watch("not-" + cookie)
guardian.watch(cookie)
with open(ready, "w") as file:
    file.write(str(guardian.pid))
if how == "dismissed":
    guardian.dismiss()
    sys.exit()
time.sleep(600)
""".replace("{{", "{").replace("}}", "}")


@pytest.mark.fault("C15")
@pytest.mark.parametrize("how", ["killed", "dismissed"])
@pytest.mark.promise("10.09")
def test_the_guardian(how: str, tmp_path: Path, wait_for: Any) -> None:
    cookie, ready = uuid.uuid4().hex, tmp_path / "ready"
    main = subprocess.Popen([sys.executable, "-c", MAIN, cookie, how, str(ready)])
    wait_for(lambda: ready.exists() and ready.read_text())
    guardian = int(ready.read_text())
    if how == "dismissed":
        assert main.wait() == 0
        wait_for(lambda: proctree.look(guardian) is None, "the guardian's end")
        wait_for(
            lambda: len(proctree.with_cookie(cookie)) == 3,
            "all three with the cookie, which a child has once it is executed",
        )
        proctree.kill_all(lambda: proctree.with_cookie(cookie))
    else:
        wait_for(
            lambda: len(proctree.with_cookie(cookie)) == 3,
            "all three with the cookie, which a child has once it is executed",
        )
        os.kill(main.pid, 9)
        main.wait()
        wait_for(lambda: not proctree.with_cookie(cookie), "the end of all")
        wait_for(lambda: proctree.look(guardian) is None, "the guardian's end")


def test_a_guardian_keeps_no_descriptor_open_that_was_given_to_us() -> None:
    """Whoever gave it waits for its end: a pipe of a shell, for example."""
    read, write = os.pipe()
    os.set_inheritable(write, True)
    guardian = Guardian()
    try:
        os.close(write)
        assert os.read(read, 1) == b""  # would wait for ever
        assert proctree.look(guardian.pid) is not None
    finally:
        guardian.dismiss()
        os.close(read)


def test_a_guardian_hears_no_signal_of_a_terminal_and_needs_no_process_without_threads(wait_for: Any) -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    guardian = Guardian()
    try:
        assert os.getsid(guardian.pid) == guardian.pid
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
            os.kill(guardian.pid, number)
        os.kill(guardian.pid, signal.SIGSTOP)  # is taken after those, if they are taken at all
        wait_for(lambda: state(guardian.pid) == "T")
        os.kill(guardian.pid, signal.SIGCONT)
    finally:
        guardian.dismiss()
        over.set()
        thread.join()


def state(pid: int) -> str:
    """One letter; empty where it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def test_a_guardian_starts_beside_a_descriptor_above_the_limit(tmp_path: Path) -> None:
    code = """
import os, resource
os.dup2(0, 60, inheritable=True)
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
from batchwork.workers.guardian import Guardian
Guardian().dismiss()
print("dismissed")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("dismissed\n", "")
