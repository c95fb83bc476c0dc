"""Modules beside a workflow that are called like Python's own: they break no worker, and the author's code gets them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from python_workers import Workers

Make = Callable[..., Workers]
NAMES = sorted(name for name in sys.stdlib_module_names if not name.startswith("_"))
ASYNC = """
async def twice(item):
    if item == 1:
        raise KeyError(item)
    return item * 2
"""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Workers] = []

    def start(code: str = "return item", **told: Any) -> Workers:
        made.append(Workers(code, told={"path": [str(tmp_path)], "setup_line": 1, **told}, cwd=str(tmp_path)))
        return made[-1]

    yield start
    for workers in made:
        workers.executor.close()


def beside(folder: Path, text: str, names: list[str] = NAMES) -> None:
    for name in names:
        (folder / f"{name}.py").write_text(text)


@pytest.mark.promise("3.50")
def test_no_name_of_the_library_breaks_a_worker(make: Make, tmp_path: Path) -> None:
    """Whatever the worker itself imports, and what installed packages import, is Python's own."""
    beside(tmp_path, "raise RuntimeError('the wrong one')\n")
    (tmp_path / "mine.py").write_text(ASYNC)
    code = "import jinja2\nif item == 1: raise KeyError(item)\nprint('seen')\nreturn len(jinja2.__name__) + item"
    ends = make(code, setup="import msgspec").run([0, 1, 2])
    assert ends.results == {0: "6", 2: "8"} and ends.logs == {0: "seen\n", 2: "seen\n"}
    assert ends.failures[1].type == "KeyError" and "if item == 1" in ends.failures[1].traceback
    ends = make(kind="function", function="mine:twice").run([0, 1, 2])
    assert ends.results == {0: "0", 2: "4"} and "raise KeyError" in ends.failures[1].traceback


def test_code_gets_its_authors_modules(make: Make, tmp_path: Path) -> None:
    """All but those that Python has always imported before any program begins."""
    beside(tmp_path, "WHOSE = 'mine'\n")
    told = subprocess.check_output([sys.executable, "-c", "import sys; print(*sys.modules, *sys.builtin_module_names)"])
    ends = make("return getattr(__import__(item, globals()), 'WHOSE', 'its')").run(list(NAMES))
    its = {name for number, name in enumerate(NAMES) if ends.results.get(number) != '"mine"'}
    assert its == set(told.decode().split()) & set(NAMES)


def test_all_ways_to_import_lead_to_the_authors_module(make: Make, tmp_path: Path) -> None:
    (tmp_path / "token.py").write_text("KIND = 'mine'\nimport helper\ndef issue(n): return f't{n}{helper.KIND}'\n")
    (tmp_path / "helper.py").write_text("import token\nfrom token import KIND as again\nKIND = token.__name__[-5:]\n")
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "__init__.py").write_text("from . import parser\nfrom email.parser import read\n")
    (tmp_path / "email" / "parser.py").write_text("def read(x): return [x]\n")
    code = """
import token, email.parser
from token import issue
from email import parser as p
import email.parser as q
return [token.issue(item), issue(item), email.parser.read(1), p.read(2), q.read(3)]
"""
    ends = make(code, setup="import token\nassert token.KIND == 'mine'").run([1])
    assert ends.results == {0: '["t1token","t1token",[1],[2],[3]]'}
    assert make(kind="function", function="token:issue").run([5]).results == {0: '"t5token"'}


@pytest.mark.parametrize("version", ["3.8", "3.12"])
def test_other_interpreters_do_alike(make: Make, tmp_path: Path, version: str) -> None:
    candidates = sorted(Path.home().glob(f".pyenv/versions/{version}*/bin/python"))
    if not candidates:
        pytest.skip(f"there is no Python {version} here")
    beside(tmp_path, "raise RuntimeError('the wrong one')\n", [name for name in NAMES if name != "token"])
    (tmp_path / "token.py").write_text("def issue(n): return f't{n}'\n")
    code = "import token\nif item == 1: raise KeyError(item)\nreturn token.issue(item)"
    ends = make(code, interpreter=str(candidates[0])).run([0, 1, 2])
    assert ends.results == {0: '"t0"', 2: '"t2"'} and ends.failures[1].type == "KeyError"
