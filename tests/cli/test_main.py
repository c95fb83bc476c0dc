"""The command itself: help, wrong words, streams that are closed or full, how fast it starts importing little."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Command = Callable[..., "CompletedProcess[str]"]
BIN = Path(sys.executable).parent / "batchwork"

COMMANDS = (
    "init",
    "run",
    "resume",
    "retry",
    "validate",
    "plan",
    "runs",
    "status",
    "items",
    "errors",
    "logs",
    "results",
    "clean",
    "tasks",
    "sources",
    "docs",
    "completion",
    "schema",
)


def test_help(batchwork: Command, golden: Callable[[str, str], None]) -> None:
    golden("help", batchwork("--help", env={"COLUMNS": "80"}).stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(batchwork: Command, golden: Callable[[str, str], None], command: str) -> None:
    shown = batchwork(command, "--help", env={"COLUMNS": "80"}).stdout
    golden(f"help_{command}", shown)
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("rnu", "x.yaml"), "There is no command `rnu`. Did you mean `batchwork run`?"),
        (("flow.yaml",), "Did you mean `batchwork run flow.yaml`?"),
        (("serve",), "`serve` comes in a later version"),
        (("run", "x.yaml", "--jsno"), "--json"),
        (("items", "--status", "sucess"), "succeeded"),
        (("run",), "WORKFLOW"),
        (("run", "x.yaml", "--sample", "3"), "comes in a later version"),
        (("run", "x.yaml", "limit"), "No such file"),
        (("results", "--format", "cvs"), "jsonl"),
    ],
)
@pytest.mark.promise("9.18")
def test_a_wrong_command_line_is_exit_2_with_a_hint(batchwork: Command, words: tuple[str, ...], expected: str) -> None:
    done = batchwork(*words, expect=2)
    assert expected in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_no_words_at_all_show_the_help(batchwork: Command) -> None:
    done = batchwork(expect=2)
    assert "Usage: batchwork" in done.stderr


def test_version(batchwork: Command) -> None:
    assert batchwork("--version").stdout.startswith("batchwork ")


def test_a_closed_standard_output_is_no_error(environ: Mapping[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-c", f"'{BIN}' --help >&-; echo $?; '{BIN}' --help 2>&- | true; echo ${{PIPESTATUS[0]}}"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["0", "0"]
    assert done.stderr == ""


def test_a_full_standard_output_is_exit_4_where_output_is_all_there_is(environ: Mapping[str, str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([BIN, "--help"], env=environ, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 4
    assert done.stderr == "error: cannot write to standard output: No space left on device\n"


def test_help_imports_nothing_heavy(environ: Mapping[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "batchwork.cli.main", "--help"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in imported
    heavy = {"rich", "msgspec", "jinja2", "yaml", "apsw", "sqlite3", "psutil", "pycurl", "asyncio", "batchwork.model"}
    assert imported & heavy == set()
