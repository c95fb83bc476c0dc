"""Ctrl-C at any moment of the start: no traceback, whatever has been loaded by then."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

BIN = Path(sys.executable).parent / "batchwork"
PYTHON_ITSELF_S = 0.015
"""Before that the interpreter is still starting: nothing of ours is there."""


def test_an_early_ctrl_c_leaves_no_traceback(tmp_path: Path, environ: Mapping[str, str]) -> None:
    (tmp_path / "w.yaml").write_text("steps: [{name: a, task: shell, inputs: {command: sleep 5}}]\n")
    codes = set()
    for moment in range(12):
        process = subprocess.Popen(
            [BIN, "run", "w.yaml", "--quiet"],
            cwd=tmp_path,
            env=dict(environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        time.sleep(PYTHON_ITSELF_S + moment * 0.012)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
        if b"batchwork/__main__" not in said and process.returncode == -signal.SIGINT:
            continue  # Python itself was not yet up, on a slow machine
        codes.add(process.returncode)
        assert b"/batchwork/cli/" not in said, said.decode()
    assert codes <= {0, 130, -signal.SIGINT}, "it may have been told too late, but it never ends otherwise"
