"""The fields of `{from: …}` are checked, all at once and with a hint."""

from __future__ import annotations

import pytest

from batchwork.errors import SourceError
from batchwork.items.opening import open_source
from batchwork.items.options import SOURCES, check
from batchwork.text.jsontext import Json


@pytest.mark.parametrize(
    ("source", "fields", "expected"),
    [
        ("range", {"stop": 5}, []),
        ("range", {"start": -3, "count": 2, "step": -2}, []),
        ("lines", {"path": "a"}, []),
        ("command", {"command": "ls", "format": "jsonl"}, []),
        ("line", {}, [("from", "there is no source `line`", "did you mean `lines`?")]),
        ("csv", {"path": "a"}, [("from", "items from `csv` are not there yet", "there are: range, lines, jsonl, command")]),
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
        ("command", {"command": "ls", "format": "csv"}, [("format", "`format` of `from: command` must be lines or jsonl, not 'csv'", "")]),
    ],
)  # fmt: skip
def test_check(source: str, fields: dict[str, Json], expected: list[tuple[str, str, str]]) -> None:
    assert [(fault.field, fault.message, fault.hint) for fault in check(source, fields)] == expected


def test_fields_whose_value_is_not_known_yet_count_as_written() -> None:
    assert check("range", {}, ["stop"]) == []
    assert check("lines", {}, ["path"]) == []
    assert [fault.field for fault in check("range", {"stop": 1}, ["count", "stopp"])] == ["stopp", "count"]


def test_opening_says_everything() -> None:
    with pytest.raises(SourceError, match=r"no field `pathh` \(did you mean `path`\?\)\n.*needs the field `path`"):
        open_source("lines", {"pathh": "x"}, "/", {})


def test_each_field_of_each_source_is_documented() -> None:
    for kind in SOURCES.values():
        assert kind.__doc__
        assert all("description=" in repr(hint) for hint in kind.__annotations__.values()) or kind.__annotations__
