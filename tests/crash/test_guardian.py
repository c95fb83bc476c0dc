"""The guardian ends what a killed batchwork leaves, even workers that cannot notice, and touches nothing after a good end."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from batchwork import proctree

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
