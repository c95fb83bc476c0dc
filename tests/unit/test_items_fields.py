"""The fields of `{from: …}` are checked, all at once and with a hint."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Annotated, Literal, get_type_hints

import msgspec
import pytest

from batchwork.errors import SourceError
from batchwork.items.fields import check_fields, open_source
from batchwork.plugins import find_source, source_names
from batchwork.text.jsontext import Json


@pytest.mark.parametrize(
    ("source", "fields", "expected"),
    [
        ("range", {"stop": 5}, []),
        ("range", {"start": -3, "count": 2, "step": -2}, []),
        ("lines", {"path": "a"}, []),
        ("command", {"command": "ls", "format": "jsonl"}, []),
        ("range", {}, [("from", "a range needs `stop` or `count`", "for example {from: range, stop: 10}: 0 to 9")]),
        ("range", {"stop": 1, "count": 1}, [("count", "a range has `stop` or `count`, not both", "")]),
        ("range", {"stop": "5"}, [("stop", "`stop` of `from: range` must be a whole number, not '5'", "")]),
        ("range", {"stop": True}, [("stop", "`stop` of `from: range` must be a whole number, not true", "")]),
        ("range", {"stop": 1.5, "step": 0}, [
            ("stop", "`stop` of `from: range` must be a whole number, not 1.5", ""),
            ("step", "`step` of a range must not be 0", ""),
        ]),
        ("range", {"count": -1}, [("count", "`count` must not be negative, not -1", "")]),
        ("jsonl", {"pathh": "a"}, [
            ("pathh", "`from: jsonl` has no field `pathh`", "did you mean `path`?"),
            ("from", "`from: jsonl` needs the field `path`", ""),
        ]),
        ("command", {"command": "ls", "format": "xml"}, [("format", "`format` of `from: command` must be lines or nul or jsonl or csv, not 'xml'", "")]),
    ],
)  # fmt: skip
def test_check(source: str, fields: dict[str, Json], expected: list[tuple[str, str, str]]) -> None:
    assert [(fault.field, fault.message, fault.hint) for fault in check_fields(find_source(source), fields)] == expected


def test_fields_whose_value_is_not_known_yet_count_as_written() -> None:
    numbers = find_source("range")
    assert check_fields(numbers, {}, ["stop"]) == []
    assert check_fields(find_source("lines"), {}, ["path"]) == []
    assert [fault.field for fault in check_fields(numbers, {"stop": 1}, ["count", "stopp"])] == ["stopp", "count"]


def test_opening_says_everything() -> None:
    with pytest.raises(SourceError, match=r"no field `pathh` \(did you mean `path`\?\)\n.*needs the field `path`"):
        open_source("lines", {"pathh": "x"}, "/", {})


def test_a_source_that_is_gone_when_the_step_starts() -> None:
    with pytest.raises(SourceError, match="there is no source `cvs`"):
        open_source("cvs", {}, "/", {})


def test_each_field_of_each_source_is_documented() -> None:
    for source in map(find_source, source_names()):
        assert type(source).__doc__
        hints = get_type_hints(source.Fields, include_extras=True).values()
        assert all("description=" in str(hint) for hint in hints)


def test_what_a_field_must_be_is_said_in_words() -> None:
    class Fields(msgspec.Struct):
        words: list[str] = []
        size: Annotated[float | None, msgspec.Meta(description="how large")] = None
        kind: Literal["a", "b"] | bool = "a"
        when: datetime | None = None

    source = SimpleNamespace(name="odd", further="", Fields=Fields, check=lambda constants, written: ())
    faults = check_fields(source, {"words": 1, "size": "x", "kind": "c", "when": 1})
    assert [fault.message.partition(" must be ")[2] for fault in faults] == [
        "a list, not 1",
        "a number, not 'x'",
        "a or b or true or false, not 'c'",
        "of another type, not 1",
    ]
