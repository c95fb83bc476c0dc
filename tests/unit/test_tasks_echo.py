"""The echo task: its payload is the text of its message."""

from __future__ import annotations

import pytest

from batchwork.errors import Place
from batchwork.ports import Setting, Written
from batchwork.tasks.echo import EchoTask
from batchwork.template import Value
from batchwork.text.jsontext import Json


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("a {{ item }}", "a [1]"),
        ("{{ item }}", "[1]"),
        (5, "5"),
        (None, "null"),
        ({"a": "{{ item }}"}, '{"a":[1]}'),
        ("{{ '007' }}", "007"),
    ],
)
def test_a_message_is_said(message: Json, text: str) -> None:
    setting = Setting("s", {}, frozenset({"item", "batch"}), {}, "/w", "/w", None)
    fields = {"message": Value.of(message, Place("w.yaml", 1, 1))}
    compiled = EchoTask().compile(Written(fields, frozenset({"item"}), Place()))
    made = compiled.program(setting)
    assert made.bind({"item": [1]}) == text
    assert (made.worker, made.says, made.takes_item, made.prepare) == ("inline", True, False, {"kind": "echo"})
    assert made.uses <= {"item"}
    assert (*compiled.problems, *compiled.warnings) == ()
