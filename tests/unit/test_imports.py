"""What a simple run imports: nothing heavy that it does not use. And regular expressions that are compiled late."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from batchwork.text.patterns import pattern

HEAVY = {"asyncio", "http.client", "jinja2", "pandas", "psutil", "psycopg", "pycurl", "rich", "sqlite3", "ssl"}
HEAVY |= {
    "urllib.request",
    "importlib.metadata",
    "hashlib",
    "tempfile",
}
FOR_OTHERS = {
    "items.command",
    "engine.run.resume_plan",
    "engine.run.choose_failed",
    "telling.deliver",
    "view.bars",
    "testing",
    "workers.reactor.program",
    "workers.python.program.main",
}

AT_MOST = {"--help": 12, "validate": 81, "echo": 185, "shell": 228, "python": 218}
"""Modules of ours, with two or three to spare. Each takes 0.1 ms and more to load. A new one that most runs need may raise it."""

BY_CLICK = {"ast", "collections", "contextlib", "datetime", "dis", "errno", "gettext", "importlib", "inspect"}
BY_CLICK |= {
    "linecache",
    "math",
    "opcode",
    "platform",
    "textwrap",
    "token",
    "tokenize",
    "typing",
    "uuid",
    "warnings",
    "weakref",
}
HELP = BY_CLICK | {"click", "atexit", "gc", "locale", "threading"}
BY_PLANS = {
    "base64",
    "binascii",
    "bisect",
    "cython_runtime",
    "decimal",
    "numbers",
    "select",
    "struct",
    "typing_extensions",
}
VALIDATE = HELP | BY_PLANS | {"msgspec", "yaml"}
RUN = VALIDATE | {"apsw", "encodings", "faulthandler", "fcntl", "heapq", "queue", "shlex", "signal"}
WORKERS = RUN | {"ctypes", "mmap", "selectors", "subprocess"}
LOADED = {"--help": HELP, "validate": VALIDATE, "echo": RUN, "shell": WORKERS, "python": WORKERS}
"""Of packages that are not ours. Those that Python loads by itself are not counted, nor those whose names begin with `_`."""

FLOW = "steps:\n  - name: one\n    task: {}\n    inputs:\n      {}\n"

_REPORT = """
import json, sys
before = set(sys.modules)
from batchwork.cli.main import main
code = main()
print(json.dumps([code, sorted(sys.modules), sorted(before)]), file=sys.stderr)
"""


def imported(cwd: Path, *arguments: str) -> set[str]:
    """The modules that a process has at its end which ran a command."""
    return _loaded(cwd, *arguments)[0]


def _loaded(cwd: Path, *arguments: str) -> tuple[set[str], set[str]]:
    """The modules at the end, and those that it had before."""
    done = subprocess.run(
        [sys.executable, "-c", _REPORT, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    code, modules, before = json.loads(done.stderr.splitlines()[-1])
    assert code == 0, done.stderr
    return set(modules), set(before)


@pytest.mark.parametrize(
    ("task", "inputs", "others"),
    [
        ("echo", "message: hello", {"subprocess", "batchwork.quoting", "batchwork.workers.link"}),
        ("shell", 'command: "true"', set()),
        ("python", "code: return 1", {"batchwork.quoting"}),
    ],
)
def test_a_simple_run_imports_what_it_uses(tmp_path: Path, task: str, inputs: str, others: set[str]) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW.format(task, inputs))
    modules = imported(tmp_path, "run", "flow.yaml")
    assert {"batchwork.engine.step.coordinator", "apsw", f"batchwork.tasks.{task}"} <= modules
    allowed = set() if task == "echo" else {"worker"}
    unused = HEAVY | others | {f"batchwork.{name}" for name in FOR_OTHERS if name not in allowed}
    assert modules & (unused - allowed) == set()


@pytest.mark.parametrize("what", AT_MOST)
def test_nothing_more_is_imported_than_was_thought_of(tmp_path: Path, what: str) -> None:
    """A start is mostly imports. What is listed here came in by somebody's decision, not by chance."""
    inputs = {"echo": "message: hello", "shell": 'command: "true"', "python": "code: return 1"}
    commands = {"--help": ["--help"], "validate": ["validate", "flow.yaml"]}
    task = what if what in inputs else "echo"
    (tmp_path / "flow.yaml").write_text(FLOW.format(task, inputs[task]))
    modules, before = _loaded(tmp_path, *commands.get(what, ["run", "flow.yaml"]))
    ours = {name for name in modules if name.split(".")[0] == "batchwork"}
    others = {name.split(".")[0] for name in modules - before - ours}
    if sys.version_info[:2] == (3, 11):  # what Python's own modules load is another matter in each version
        assert {name for name in others if not name.startswith("_")} - LOADED[what] == set()
    assert len(ours) <= AT_MOST[what], sorted(ours)


@pytest.mark.fault("L02")
def test_validating_opens_no_store(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text("steps:\n  - {name: one, task: echo, inputs: {message: hello}}\n")
    modules = imported(tmp_path, "validate", "flow.yaml")
    assert "batchwork.plan.resolve" in modules
    assert modules & (HEAVY | {"apsw", "batchwork.engine.run.runner", "batchwork.store"}) == set()


def test_a_late_pattern_is_a_pattern() -> None:
    digits = pattern(r"(\d+)x?", re.IGNORECASE)
    found = digits.fullmatch("12X")
    assert found is not None
    assert found[1] == "12"
    assert digits.fullmatch("x") is None
    assert digits.sub("n", "1 22x") == "n n"
    assert [match.end() for match in digits.finditer("1 2")] == [1, 3]
    assert digits.pattern == r"(\d+)x?"
    assert digits.groups == 1
    assert digits.flags & re.IGNORECASE


def test_a_wrong_late_pattern_says_so_when_it_is_used() -> None:
    wrong = pattern("(")
    with pytest.raises(re.error, match="unterminated"):
        wrong.match("")


def test_no_test_imports_from_a_conftest() -> None:
    """Pytest loads several modules of that name, and an import finds any of them: it depends on the order of the tests."""
    tests = Path(__file__).parents[1]
    lines = {
        f"{path.relative_to(tests)}: {line}" for path in tests.rglob("*.py") for line in path.read_text().splitlines()
    }
    assert len(lines) > 1000
    assert [line for line in lines if re.search(r": *(from conftest import|import conftest)\b", line)] == []
