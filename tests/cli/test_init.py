"""`batchwork init`: what it writes is right, has no warning, and runs at once in an empty folder."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from web_files import WebFiles

from batchwork.cli.commands.init import KINDS, starter

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
        assert json.loads((work / "users.json").read_text()) == [{"name": f"user {n}"} for n in range(1, 21)]


def test_nothing_that_is_there_is_replaced(batchwork: Command, work: Path) -> None:
    (work / "files.yaml").write_text("mine")
    assert "there is a file files.yaml already" in batchwork("init", expect=2).stderr
    assert (work / "files.yaml").read_text() == "mine"
    assert "'api'" in batchwork("init", "apis", expect=2).stderr


def without_practice(kind: str) -> str:
    """The workflow as somebody leaves it who has done what its comments say."""
    head, _, rest = starter(kind).partition("  # A server on this machine to practise with")
    lines = rest[rest.index("  - name: fetch") :].splitlines(keepends=True)
    return head + "".join(line for line in lines if "delete this line with it" not in line)


def test_the_one_for_an_api_bears_what_real_ones_answer(batchwork: Command, work: Path) -> None:
    site = WebFiles()
    site.files = {f"/users/{n}": json.dumps({"name": f"user {n}"}).encode() for n in range(1, 21) if n != 5}
    site.files["/users/9"] = b"no JSON at all"
    (work / "api.yaml").write_text(without_practice("api"))
    try:
        done = json.loads(batchwork("run", "api.yaml", f"api={site.url}", "--json", expect=3).stdout)
    finally:
        site.close()
    assert done["steps"]["fetch"]["counts"]["failed"] == 1
    assert done["steps"]["save"]["status"] == "succeeded"
    users = json.loads((work / "users.json").read_text())
    assert len(users) == 19
    assert users[7] is None, "what user 9 gave, in the place of user 9, but one"


def test_the_one_for_python_uses_all_processors(batchwork: Command, work: Path) -> None:
    batchwork("init", "python", expect=0)
    assert "one after another" not in batchwork("plan", "python.yaml", expect=0).stdout
