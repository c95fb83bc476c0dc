"""Code that cannot print is looked at once a call, all other code after each unit; what is printed is kept all the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchwork.workers.python.program.calls import UNHEARD
from batchwork.workers.python.program.prepare import prepare_program
from crash.python_workers import Workers

LOUD = """
import builtins
import os

octal = builtins.oct


class oct:
    __module__ = "builtins"

    def __new__(cls, number):
        if number != 1:
            os.write(1, b"of %d\\n" % number)
        return octal(number)


builtins.oct = oct
"""
"""What nobody can see in the code of items: a name of Python's that leads somewhere else, and looks like Python's own."""


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
        "return list(part for part in item)",
        "return [part for part in item if part] or {part: 1 for part in item} or {*item}",
        "try:\n  return 1 / item\nfinally:\n  item = 0",
        "assert item\nwith item:\n  pass",
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
        "import copy\nreturn copy",
        "from values import items\nreturn items",
        "def ask():\n  import title\nreturn 1",
        "async def ask():\n  pass\nreturn ask()",
        "async def ask():\n  yield 1\nreturn ask()",
        "async def all():\n  return [part async for part in item]\nreturn 1",
        "def parts():\n  try:\n    yield 1\n  finally:\n    1 / 0\nfor part in parts():\n  break",
        "class Own:\n  def __del__(self):\n    1 / 0\nreturn len([Own()])",
    ],
)
def test_what_leads_anywhere_else_is_listened_to(code: str) -> None:
    assert not is_silent(code)


def test_code_with_setup_is_listened_to() -> None:
    """Setup may have started a thread, or loaded a library that prints."""
    assert not is_silent("return abs(item)", setup="x = 1", setup_line=1)


@pytest.mark.parametrize("other", [print, lambda number: f"{number}"])
def test_names_of_python_that_were_replaced_are_listened_to(other: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.oct", other)
    assert not is_silent("return oct(item)")
    assert is_silent("return hex(item)")


def test_warnings_that_are_asked_for_are_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.warnoptions", ["default"])
    assert not is_silent("return ~item")


@pytest.fixture
def loud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    (tmp_path / "sitecustomize.py").write_text(LOUD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    workers = Workers("return oct(item)")
    yield workers
    workers.executor.close()


@pytest.mark.parametrize(
    ("first", "heard"),
    [
        ([0], {0}),
        ([0, 1], set()),
        ([1, 0], set()),
        ([2, 1, 3], set()),
        ([1, 1], set()),
        ([1, 1, None], set()),
        ([0, 1, None], set()),  # one that fails is looked at at once
        ([None, 0], {1}),
        ([0, None, 2], {2}),
    ],
)
def test_what_is_printed_nevertheless_is_of_its_item_or_of_none(
    loud: Workers, first: list[Any], heard: set[int]
) -> None:
    """`heard` are those that are surely told apart; an item that took long is looked at by itself, too."""
    loud.submit(first)
    loud.wait(loud.idle)
    printed = {at: f"of {number}\n" for at, number in enumerate(first) if number not in (1, None)}
    logs = dict(loud.ends.logs)
    unheard = "".join(text for at, text in printed.items() if at not in logs)
    assert heard <= logs.keys()
    assert logs.items() <= printed.items()
    assert loud.ends.unheard == (f"{UNHEARD}\n{unheard}" if unheard else "")
    if printed:  # from now on each is listened to
        loud.submit([4, 1, 5], [10, 11, 12])
        loud.wait(loud.idle)
        assert loud.ends.logs == {**logs, 10: "of 4\n", 12: "of 5\n"}
