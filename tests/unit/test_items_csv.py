"""CSV as items: what records are, which columns there are, what texts in them mean, and what is said of rows that are none."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from batchwork.errors import SourceError
from batchwork.items.csv.records import found_delimiter
from batchwork.items.fields import check_fields, open_source
from batchwork.plugins import find_source
from batchwork.ports import BadRow, Row, Rows
from batchwork.text.jsontext import Json


def rows_of(content: str | bytes, folder: Path, size: int = 3, **fields: Json) -> list[Row]:
    (folder / "f.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    source = open_source("csv", {"path": "f.csv", **fields}, str(folder), {})
    try:
        return [row for page in source.pages(0, size) for row in page]
    finally:
        source.close()


def bad(rows: Iterable[Row]) -> list[tuple[str, str, str]]:
    return [(row.key, row.text, row.message.removeprefix(f"{row.key}: ")) for row in rows if isinstance(row, BadRow)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", []),
        ("\n\n", []),
        ("a,b\n", []),
        ("a,b", []),
        ("a,b\n1,2", [{"a": "1", "b": "2"}]),
        ("\ufeffa,b\r\n1,2\r\n\r\n3,\r\n", [{"a": "1", "b": "2"}, {"a": "3", "b": ""}]),
        ("\n\na\n1\n\n007\n", [{"a": "1"}, {"a": "007"}]),
        ('a\n""\n', [{"a": ""}]),
        ('"a","b"\n"1,\r\n2","say ""hi"""\n', [{"a": "1,\r\n2", "b": 'say "hi"'}]),
        ('"a\nb",c\n1,2\n', [{"a\nb": "1", "c": "2"}]),
        ("a,b\r1,2\r3,4", [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]),
        ('a,b\n5" nail, x \n', [{"a": '5" nail', "b": " x "}]),
        ("a,b\n\u2028\x0b\x85,\x1c\n", [{"a": "\u2028\x0b\x85", "b": "\x1c"}]),
        ('a"b,ü\n1,€\n', [{'a"b': "1", "ü": "€"}]),
        ("null,true\nNaN,1e5\n", [{"null": "NaN", "true": "1e5"}]),
    ],
)
@pytest.mark.parametrize("block", [1, 5, 1000])
def test_rows(content: str, expected: list[Row], block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchwork.items.files.file_items.block_bytes", lambda _size: block)
    assert rows_of(content, tmp_path) == expected


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ('"a";"b"\r\n"1";"two\r\nlines, of text, and more"\r\n"2";""\r\n', ";"),
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2,5\n", ";"),
        ("a\tb\n1,5\t2;5\n", "\t"),
        ("a|b|c\n1|2|3\n", "|"),
        ("name\nDoe\n", ","),
        ("name\nDoe, Jane\nSnow; J\n", ","),
        ('"a,b";c\n"1,2,3";4\n', ";"),
        ("a,b;c,d\n1,2;3,4\n", ","),
        ("a,b,c\n1,2\n1,2,3\n", ","),
        ("", ","),
    ],
)
def test_the_delimiter_is_found(text: str, delimiter: str) -> None:
    assert found_delimiter(text) == delimiter


def test_a_delimiter_may_be_given(tmp_path: Path) -> None:
    assert rows_of("a:b\n1:2,3\n", tmp_path, delimiter=":") == [{"a": "1", "b": "2,3"}]
    for tab in ("\t", "\\t", "tab"):
        assert rows_of("a\tb\n1,2\t3\n", tmp_path, delimiter=tab) == [{"a": "1,2", "b": "3"}]


RAGGED = 'id,a,b\n1,x,y\n2,x\n3,"p\nq",z\n4\n5,1,2,3\n"6,x" z,y\n7,\0,y\n8,x,y\n'


@pytest.mark.parametrize("block", [1, 7, 1000])
@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_row_that_is_none_is_named_by_the_line_where_it_begins(
    block: int, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batchwork.items.files.file_items.block_bytes", lambda _size: block)
    rows = rows_of(RAGGED, tmp_path, size)
    assert bad(rows) == [
        ("f.csv:3", "2,x", "2 fields instead of 3: id, a, b"),
        ("f.csv:6", "4", "1 field instead of 3: id, a, b"),
        ("f.csv:7", "5,1,2,3", "4 fields instead of 3: id, a, b"),
        (
            "f.csv:8",
            '"6,x" z,y',
            "there is text behind a closing quotation mark (inside of a field, a quotation mark is written twice)",
        ),
        (
            "f.csv:9",
            "7,\0,y",
            "there is a NUL byte, which no text has: is the file damaged, or in another `encoding`, such as utf-16?",
        ),
    ]
    assert [row["id"] for row in rows if isinstance(row, dict)] == ["1", "3", "8"]


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_rows_know_the_lines_where_they_begin(block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchwork.items.files.file_items.block_bytes", lambda _size: block)
    (tmp_path / "f.csv").write_text('\na,b\n1,2\n\n"3\n\n",4\n5,6\n7,8\n')
    pages = open_source("csv", {"path": "f.csv"}, str(tmp_path), {}).pages(0, 2)
    places = [page.place(at) for page in pages if isinstance(page, Rows) for at in range(len(page))]
    assert places == ["f.csv:3", "f.csv:5", "f.csv:8", "f.csv:9"]


def test_a_quotation_mark_that_is_not_closed_is_a_bad_row(tmp_path: Path) -> None:
    rows = rows_of('a,b\n1,2\n3,"4\n5,6\n7,8\n', tmp_path)
    assert rows[0] == {"a": "1", "b": "2"}
    message = "a quotation mark opens here that is not closed; 3 lines from here to the end of the file are one field"
    assert bad(rows) == [("f.csv:3", '3,"4\n5,6\n7,8', message)]


def test_a_record_beyond_the_limit_ends_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchwork.items.csv.source.LINE_BYTES_MAX", 100_000)
    monkeypatch.setattr("batchwork.items.files.file_items.block_bytes", lambda _size: 1000)
    with pytest.raises(SourceError, match=r"^f.csv:3: the line is longer than"):
        rows_of('a,b\n1,2\n3,"' + "4\n" * 200_000, tmp_path)


def test_bytes_that_are_not_utf_8_are_a_bad_row_that_says_how_to_read_them(tmp_path: Path) -> None:
    content = "name\nZoe\nZoé\n".encode("latin-1")
    rows = rows_of(content, tmp_path)
    assert rows[0] == {"name": "Zoe"}
    assert bad(rows) == [("f.csv:3", "Zo\udce9", "not UTF-8 (byte 0xe9)")]
    assert rows_of(content, tmp_path, encoding="latin-1") == [{"name": "Zoe"}, {"name": "Zoé"}]


@pytest.mark.parametrize(
    ("encoding", "shown", "octet"),
    [
        ("utf-8", "UTF-8", 0xE9), ("UTF8", "UTF-8", 0xE9), ("utf-8-sig", "UTF-8", 0xE9), ("ascii", "ascii", 0xE9),
        ("cp1252", "cp1252", 0x81), ("Windows-1253", "Windows-1253", 0xD2), ("shift_jis", "shift_jis", 0x85),
    ],
)  # fmt: skip
def test_bytes_that_an_encoding_has_not_name_the_encoding_that_was_asked_for(
    encoding: str, shown: str, octet: int, tmp_path: Path
) -> None:
    rows = rows_of(b"name\nZoe\nZo" + bytes([octet]) + b"\n", tmp_path, encoding=encoding)
    assert [message for _, _, message in bad(rows)] == [f"not {shown} (byte 0x{octet:02x})"]
    (tmp_path / "f.jsonl").write_bytes(b'"Zoe"\n"Zo' + bytes([octet]) + b'"\n')
    source = open_source("jsonl", {"path": "f.jsonl", "encoding": encoding}, str(tmp_path), {})
    found = [row for page in source.pages(0, 10) for row in page]
    assert found[0] == "Zoe"
    assert f"not {shown} (byte 0x{octet:02x})" in found[1].message  # type: ignore[union-attr]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "shift_jis", "utf-8-sig"])
@pytest.mark.parametrize("block", [1, 3, 1000])
def test_other_encodings(encoding: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchwork.items.files.file_items.block_bytes", lambda _size: block)
    content = "a,b\r\n日本,2\r\n".encode(encoding)
    assert rows_of(content, tmp_path, encoding=encoding) == [{"a": "日本", "b": "2"}]


def test_utf_16_without_encoding_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"f.csv: this is UTF-16") as caught:
        rows_of("a,b\n1,2\n".encode("utf-16"), tmp_path)
    assert caught.value.hint == "`encoding: utf-16` reads it"
    with pytest.raises(SourceError, match=r"f.csv:1: the header cannot be read: there is a NUL byte"):
        rows_of("a,b\n1,2\n".encode("utf-16-le"), tmp_path)


def test_text_that_is_not_in_its_encoding_ends_the_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"f.csv: this is not utf-16: truncated data, at or shortly before byte"):
        rows_of("a\n1\n".encode("utf-16") + b"x", tmp_path, encoding="utf-16")


@pytest.mark.parametrize(
    ("header", "fields", "message", "hint"),
    [
        ("a,b,a", {}, "f.csv:1: the header names `a` more than once, in columns 1 and 3", "columns"),
        ("a,,b", {}, "f.csv:1: column 2 of the header has no name", "columns"),
        ('a,"b', {}, "f.csv:1: the header cannot be read: a quotation mark opens here", "CSV"),
        ("name,b", {"columns": ["nam"]}, "f.csv:1: there is no column `nam`", "did you mean `name`?"),
        ("x,y", {"columns": ["zebra"]}, "f.csv:1: there is no column `zebra`", "there are: x, y"),
        ("x,y", {"types": {"z_": "integer"}}, "f.csv, `types`: there is no column `z_`", "there are: x, y"),
    ],
)
def test_a_header_that_cannot_be_used(
    header: str, fields: dict[str, Json], message: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(SourceError) as caught:
        rows_of(f"{header}\n1,2,3\n", tmp_path, **fields)
    assert caught.value.message.startswith(message)
    assert hint in caught.value.hint


def test_columns_are_picked_by_name(tmp_path: Path) -> None:
    assert rows_of("a,b,,b,c\n1,2,3,4,5\n", tmp_path, columns=["c", "a"]) == [{"c": "5", "a": "1"}]


def test_without_a_header(tmp_path: Path) -> None:
    assert rows_of("1,2\n3,4\n", tmp_path, header=False) == [
        {"column_1": "1", "column_2": "2"},
        {"column_1": "3", "column_2": "4"},
    ]
    rows = rows_of("1,2\n3\n", tmp_path, header=False, columns=["x", "y"])
    assert rows[0] == {"x": "1", "y": "2"}
    assert bad(rows) == [("f.csv:2", "3", "1 field instead of 2: x, y")]


@pytest.mark.parametrize("nulls", ["NA", ["NA", "-"]])
def test_fields_that_mean_null(nulls: Json, tmp_path: Path) -> None:
    rows = rows_of("a,b\nNA,\n-,1\n", tmp_path, null=nulls)
    assert rows == [{"a": None, "b": ""}, {"a": None if nulls != "NA" else "-", "b": "1"}]
    assert rows_of("a,b\n1,\n", tmp_path, null="") == [{"a": "1", "b": None}]


def test_typed_columns(tmp_path: Path) -> None:
    types: Json = {"i": "integer", "n": "number", "b": "boolean", "f": "infer"}
    content = "i,n,b,f,t\n007,1.5,Yes,1.0,007\n-3,2,0,007,x\n,,,,\n12345678901234567890123,1e-7,no,TRUE,y\n"
    rows = rows_of(content, tmp_path, types=types)
    assert list(map(repr, rows)) == list(
        map(
            repr,
            [
                {"i": 7, "n": 1.5, "b": True, "f": 1.0, "t": "007"},
                {"i": -3, "n": 2, "b": False, "f": "007", "t": "x"},
                {"i": None, "n": None, "b": None, "f": None, "t": ""},
                {"i": 12345678901234567890123, "n": 1e-7, "b": False, "f": True, "t": "y"},
            ],
        )
    )


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("integer", "1.0", "a whole number"),
        ("integer", "1_000", "a whole number"),
        ("integer", "x", "a whole number"),
        ("integer", "9" * 5000, "a whole number of fewer digits"),
        ("number", "1,5", "a number"),
        ("number", "nan", "a number"),
        ("number", "1e999", "a number"),
        ("boolean", "2", "true or false"),
    ],
)
def test_what_does_not_fit_its_column_is_a_bad_row(kind: str, text: str, expected: str, tmp_path: Path) -> None:
    rows = rows_of(f'a;b\n;1\n"{text}";2\n', tmp_path, types={"a": kind})
    assert rows[0] == {"a": None, "b": "1"}
    [(key, _, message)] = bad(rows)
    assert key == "f.csv:3"
    assert message.startswith(f"`a` must be {expected}, but it is '{text[:20]}")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("-0", 0), ("1.50", 1.5), ("1e5", 1e5), ("true", True), ("False", False), ("", None), ("007", "007")]
    + [(text, text) for text in ("+1", "1,5", "1_0", "1.", ".5", "NaN", "1e999", " 1", "yes", "null", "１")],
)
def test_inferred(text: str, value: Json, tmp_path: Path) -> None:
    assert repr(rows_of(f'a;b\n"{text}";x\n', tmp_path, types="infer")) == repr([{"a": value, "b": "x"}])


def test_the_fields_are_checked() -> None:
    source = find_source("csv")
    for field, value, message in [
        ("delimiter", "ab", "must be one character"),
        ("delimiter", '"', "must be one character"),
        ("encoding", "utf-9", "there is no encoding `utf-9`"),
        ("encoding", "base64", "there is no encoding `base64`"),
        ("columns", [], "must name at least one column"),
        ("columns", ["a", "a"], "none twice"),
        ("types", "integer", "must be text or infer or a mapping"),
        ("types", {"a": "date"}, "must be text or infer or a mapping"),
    ]:
        [fault] = check_fields(source, {"path": "f", field: value})
        assert fault.field == field
        assert message in fault.message
    assert (
        check_fields(source, {"path": ["a", "b"], "delimiter": "tab", "null": ["NA"], "types": {"a": "integer"}}) == []
    )
