"""Code that cannot print is looked at once a call, all other code after each unit; what is printed is kept all the same."""

from __future__ import annotations

from typing import Any

import pytest

from batchwork.workers.python.program.prepare import prepare_program
from crash.python_workers import Workers

LOUD = """
import builtins
import os
octal = builtins.oct
def loud(number):
    os.write(1, b"of %d\\n" % number)
    return octal(number)
builtins.oct = loud
"""


def is_silent(code: str, **told: Any) -> bool:
    program = {
        "kind": "code",
        "code": code,
        "file": "flow.yaml",
        "line": 1,
        "names": ["item"],
        "takes_item": True,
        **told,
    }
    return prepare_program(program, lambda _query: []).silent


@pytest.mark.parametrize(
    "code",
    [
        "pass",
        "return item * 2",
        "return item['a'][0] if item else None",
        "return sorted(set(item), key=lambda part: -len(part))",
        "result = {word: item.lower().split().count(word) for word in item.split()}",
        "def twice(value):\n  return value * 2\nreturn f'{twice(item):>8}'",
    ],
)
def test_plain_code_cannot_print(code: str) -> None:
    assert is_silent(code)


@pytest.mark.parametrize(
    "code",
    [
        "print(item)",
        "return [print(part) for part in item]",
        "return (lambda: print(item))()",
        "import helper",
        "return item.say()",
        "return __import__('os').getpid()",
        "return eval(item)",
        "return item.__class__.__mro__",
        "raise ValueError(item)",
        "global seen\nseen = item",
    ],
)
def test_what_leads_anywhere_else_is_listened_to(code: str) -> None:
    assert not is_silent(code)


def test_names_of_setup_are_not_those_of_python() -> None:
    told = {"setup": "def len(value):\n  print(value)", "setup_line": 1}
    assert not is_silent("return len(item)", **told)
    assert is_silent("return abs(item)", **told)


def test_code_that_prints_nevertheless_is_found_out_at_the_end_of_its_call() -> None:
    workers = Workers("return oct(item)", {"setup": LOUD, "setup_line": 1})
    workers.submit([0, 1, 2])
    workers.wait(workers.idle)
    assert workers.ends.results == {0: '"0o0"', 1: '"0o1"', 2: '"0o2"'}
    logs = workers.ends.logs
    assert "".join(logs[number] for number in sorted(logs)) == "of 0\nof 1\nof 2\n"
    workers.submit([3, 4], [3, 4])
    workers.wait(workers.idle)
    workers.executor.close()
    assert {number: workers.ends.logs[number] for number in (3, 4)} == {3: "of 3\n", 4: "of 4\n"}
