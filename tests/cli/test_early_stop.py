"""Ctrl-C while the program is still being loaded: it ends at once and says nothing. The signal comes from an import, so no moment is missed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

INTERRUPTED_AT = """
import importlib.abc, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
module = sys.argv.pop(1)
class Interrupting(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)
        return None
sys.meta_path.insert(0, Interrupting())
from batchwork.__main__ import program
program()
"""


@pytest.mark.parametrize("module", ["batchwork.cli.main", "click", "batchwork.cli.options"])
def test_a_ctrl_c_while_loading_ends_it_without_a_word(module: str, tmp_path: Path, environ: Mapping[str, str]) -> None:
    (tmp_path / "w.yaml").write_text("steps: [{name: a, task: shell, inputs: {command: 'true'}}]\n")
    words = [sys.executable, "-c", INTERRUPTED_AT, module, "validate", "w.yaml"]
    ended = subprocess.run(words, cwd=tmp_path, env=dict(environ), capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_afterwards_ctrl_c_is_what_it_was(tmp_path: Path, environ: Mapping[str, str]) -> None:
    words = [sys.executable, "-c", INTERRUPTED_AT, "batchwork.no_such_module", "validate", "w.yaml"]
    (tmp_path / "w.yaml").write_text("steps: [{name: a, task: shell, inputs: {command: 'true'}}]\n")
    ended = subprocess.run(words, cwd=tmp_path, env=dict(environ), capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, "w.yaml: ok, 1 step, 0 with items\n")
