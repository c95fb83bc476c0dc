"""`batchwork init`: what it writes is right, has no warning, and runs at once in an empty folder."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from batchwork.cli.commands.init import KINDS

Command = Callable[..., "CompletedProcess[str]"]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.mark.promise("9.61")
@pytest.mark.parametrize("kind", KINDS)
def test_what_it_writes_runs_at_once(batchwork: Command, work: Path, kind: str) -> None:
    said = batchwork("init", kind, expect=0).stdout
    assert f"batchwork run {kind}.yaml" in said
    assert os.listdir(work) == [f"{kind}.yaml"]
    checked = batchwork("validate", f"{kind}.yaml", expect=0)
    assert "warning" not in checked.stdout + checked.stderr
    words = [f"api=http://127.0.0.1:{free_port()}"] if kind == "api" else []
    done = json.loads(batchwork("run", f"{kind}.yaml", *words, "--json", expect=0).stdout)
    assert done["status"] == "succeeded"
    assert {step["status"] for step in done["steps"].values()} == {"succeeded"}
    if kind == "api":
        assert json.loads((work / "users.json").read_text()) == [f"user {n}" for n in range(1, 21)]


def test_nothing_that_is_there_is_replaced(batchwork: Command, work: Path) -> None:
    (work / "files.yaml").write_text("mine")
    assert "there is a file files.yaml already" in batchwork("init", expect=2).stderr
    assert (work / "files.yaml").read_text() == "mine"
    assert "'api'" in batchwork("init", "apis", expect=2).stderr
