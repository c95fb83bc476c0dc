"""What a simple run imports: nothing that it does not use. And the stand-ins that put work at imports off."""

from __future__ import annotations

import inspect
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from batchwork.late import cleandoc, late_imports, pattern, system

HEAVY = {"asyncio", "http.client", "jinja2", "pandas", "psutil", "psycopg", "pycurl", "rich", "sqlite3", "ssl"}
HEAVY |= {
    "urllib.request",
    "importlib.metadata",
    "hashlib",
    "tempfile",
    "inspect",
    "ast",
    "textwrap",
    "msgspec.inspect",
}
FOR_OTHERS = {
    "items.command",
    "engine.revival",
    "engine.choosing",
    "engine.delivering",
    "view.bars",
    "testing",
    "worker",
}

_REPORT = """
import json, sys
from batchwork.cli.main import main
code = main()
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


def imported(cwd: Path, *arguments: str) -> set[str]:
    """The modules that a process has at its end which ran a command."""
    done = subprocess.run(
        [sys.executable, "-c", _REPORT, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0, done.stderr
    return set(modules)


@pytest.mark.parametrize(
    ("task", "inputs", "others"),
    [
        ("echo", "message: hello", {"subprocess", "batchwork.quoting", "batchwork.executors.link"}),
        ("shell", 'command: "true"', set()),
        ("python", "code: return 1", {"batchwork.quoting"}),
    ],
)
def test_a_simple_run_imports_what_it_uses(tmp_path: Path, task: str, inputs: str, others: set[str]) -> None:
    flow = f"steps:\n  - name: one\n    task: {task}\n    inputs:\n      {inputs}\n"
    (tmp_path / "flow.yaml").write_text(flow)
    modules = imported(tmp_path, "run", "flow.yaml")
    assert {"batchwork.engine.coordinator", "apsw", f"batchwork.tasks.{task}"} <= modules
    allowed = {"ast", "worker"} if task == "python" else {"worker"} if task == "shell" else set()
    unused = HEAVY | others | {f"batchwork.{name}" for name in FOR_OTHERS if name not in allowed}
    assert modules & (unused - allowed) == set()


def test_validating_opens_no_store(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text("steps:\n  - {name: one, task: echo, inputs: {message: hello}}\n")
    modules = imported(tmp_path, "validate", "flow.yaml")
    assert "batchwork.plan.resolve" in modules
    assert modules & (HEAVY | {"apsw", "batchwork.engine.runner", "batchwork.store"}) == set()


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


@pytest.mark.parametrize("text", ["", "one", "one\n  two\n    three\n  ", "\n\n  a\n\tb\n\n", "  a\n\n  \n b\n"])
def test_help_texts_are_cleaned_as_by_inspect(text: str) -> None:
    assert cleandoc(text) == inspect.cleandoc(text)


def test_the_system_is_named_as_by_platform() -> None:
    assert system() == platform.system()


def test_the_stand_ins_are_gone_afterwards(environ: Mapping[str, str]) -> None:
    program = """
import sys
from batchwork.late import late_imports
import re as real
with late_imports():
    import inspect, re, textwrap
    late = inspect
    blank = re.compile("( *)")
    assert re is not real and "inspect" not in dir(late)
    try:
        import typing_extensions
        raise SystemExit("typing_extensions is there")
    except ImportError:
        pass
    assert textwrap.dedent("  a") == "a"
import inspect, re
assert re is real and re.compile("a") is real.compile("a")
assert inspect is not late and late.signature is inspect.signature
assert blank.match("  ").end() == 2 and blank.groups == 1
assert late.cleandoc(" a") == "a"
"""
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_is_put_off_where_there_are_other_threads(environ: Mapping[str, str]) -> None:
    program = """
import threading
from batchwork.late import late_imports
over = threading.Event()
other = threading.Thread(target=over.wait)
other.start()
try:
    with late_imports():
        import re, inspect
        assert type(re.compile("a")) is re.Pattern and "signature" in dir(inspect)
finally:
    over.set()
    other.join()
"""
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_error_inside_takes_the_stand_ins_away() -> None:
    with pytest.raises(ZeroDivisionError), late_imports():
        _ = 1 / 0
    assert sys.modules["re"] is re
    assert sys.modules["inspect"] is inspect
