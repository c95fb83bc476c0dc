"""Items in several files, and in compressed ones: which files, what they are called, and archives that are broken."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from batchwork.errors import SourceError
from batchwork.items.fields import open_source
from batchwork.ports import ItemSource, Row, Rows
from batchwork.text.jsontext import Json

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda data: zstandard.ZstdCompressor().compress(data),
}
NAMES = {"gz": "gzip", "bz2": "bzip2", "xz": "xz", "zst": "zstd"}


def opened(folder: Path, path: Json, kind: str = "lines", **fields: Json) -> ItemSource:
    return open_source(kind, {"path": path, **fields}, str(folder), {})


def items(source: ItemSource, size: int = 3) -> list[Row]:
    try:
        return [item for page in source.pages(0, size) for item in page]
    finally:
        source.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "d").mkdir()
    (tmp_path / "b.txt").write_text("3\n\n4\n")
    (tmp_path / "a.txt").write_text("1\n2")
    (tmp_path / "d" / "c.txt").write_text("5\n")
    (tmp_path / ".hidden.txt").write_text("6\n")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("b.txt", ["3", "4"]),
        (["b.txt", "a.txt"], ["3", "4", "1", "2"]),
        ("*.txt", ["1", "2", "3", "4"]),
        ("**/*.txt", ["1", "2", "3", "4", "5"]),
        (["d/*", "a.txt", "a.txt"], ["5", "1", "2", "1", "2"]),
        ("*.none", []),
        ([], []),
        ("*", ["1", "2", "3", "4"]),
    ],
)
def test_which_files(folder: Path, path: Json, expected: list[str]) -> None:
    assert items(opened(folder, path)) == expected


def test_a_name_that_is_there_is_no_pattern(folder: Path) -> None:
    (folder / "[ab].txt").write_text("itself\n")
    assert items(opened(folder, "[ab].txt")) == ["itself"]
    assert items(opened(folder, "file://" + str(folder / "a.txt"))) == ["1", "2"]


@pytest.mark.parametrize("path", ["no.txt", ["a.txt", "no.txt"]])
def test_a_named_file_that_is_missing_is_an_error(folder: Path, path: Json) -> None:
    source = opened(folder, path)
    with pytest.raises(SourceError, match=r"^no.txt: no such file"):
        source.reading()
    with pytest.raises(SourceError, match=r"^no.txt: no such file"):
        items(source)


def test_a_directory_is_an_error(folder: Path) -> None:
    with pytest.raises(SourceError, match=r"^d: is a directory"):
        items(opened(folder, "d"))


def test_places_say_which_file(folder: Path) -> None:
    [page] = opened(folder, ["b.txt", "d/*"]).pages(0, 10)
    assert isinstance(page, Rows)
    assert [page.place(at) for at in range(3)] == ["b.txt:1", "b.txt:3", "d/c.txt:1"]
    (folder / "x.jsonl").write_text("1\n{\n")
    (folder / "y.jsonl").write_text("{\n")
    rows = items(opened(folder, "*.jsonl", "jsonl"))
    assert [getattr(row, "key", row) for row in rows] == [1, "x.jsonl:2", "y.jsonl:1"]


def test_each_csv_file_has_a_header_of_its_own(folder: Path) -> None:
    (folder / "1.csv").write_text("a,b\n1,2\n")
    (folder / "2.csv").write_text("b;a\n3;4\n")
    assert items(opened(folder, "*.csv", "csv")) == [{"a": "1", "b": "2"}, {"b": "3", "a": "4"}]


def test_the_fingerprint_is_another_when_a_file_or_the_list_is(folder: Path) -> None:
    source = opened(folder, "*.txt")
    seen = [source.reading().fingerprint]
    assert source.reading().fingerprint == seen[0] != ""
    (folder / "c.txt").write_text("")
    seen.append(source.reading().fingerprint)
    os.utime(folder / "c.txt", ns=(1, 1))
    seen.append(source.reading().fingerprint)
    (folder / "a.txt").unlink()
    seen.append(source.reading().fingerprint)
    assert len({*seen}) == 4


def test_nul_parts_anything(folder: Path) -> None:
    (folder / "n").write_bytes(b"\xef\xbb\xbfa\nb\0\0c\r\0\xff")
    assert items(opened(folder, "n", separator="nul")) == ["\ufeffa\nb", "c\r", "\udcff"]


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_other_encodings(folder: Path, encoding: str) -> None:
    (folder / "e").write_bytes('"é"\r\n\r\n"ü"\r\n'.encode(encoding))
    assert items(opened(folder, "e", encoding=encoding)) == ['"é"', '"ü"']
    assert items(opened(folder, "e", "jsonl", encoding=encoding)) == ["é", "ü"]


# ---------------------------------------------------------------- compressed


LINES = [f"line {number}" for number in range(20_000)]
CONTENT = "\n".join(LINES).encode()


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("size", [3, 4000])
def test_compressed_files_are_read_as_they_are(folder: Path, ending: str, size: int) -> None:
    (folder / f"x.{ending}").write_bytes(PACK[ending](CONTENT))
    assert items(opened(folder, f"x.{ending}"), size) == LINES


@pytest.mark.parametrize("ending", PACK)
def test_a_file_may_have_several_members(folder: Path, ending: str) -> None:
    pack = PACK[ending]
    (folder / f"x.{ending}").write_bytes(pack(CONTENT) + pack(b"") + pack(b"\nmore\n") + b"\0" * 512)
    assert items(opened(folder, f"x.{ending}")) == [*LINES, "more"]


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("cut", [-1, -5, 12])
def test_an_archive_that_breaks_off_is_an_error(folder: Path, ending: str, cut: int) -> None:
    (folder / f"x.{ending}").write_bytes((PACK[ending](CONTENT) * 2)[:cut])
    with pytest.raises(SourceError, match=f"^x.{ending}: the {NAMES[ending]} file breaks off before its end$"):
        items(opened(folder, f"x.{ending}"))


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("size", [100, 1_000_000])
def test_rows_before_the_break_are_read(folder: Path, ending: str, size: int) -> None:
    (folder / f"x.{ending}").write_bytes(PACK[ending](CONTENT + b"\n") + PACK[ending](CONTENT)[:20])
    found: list[Row] = []
    with pytest.raises(SourceError, match="breaks off"):
        for page in opened(folder, f"x.{ending}").pages(0, size):
            found.extend(page)
    assert found == LINES


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("what", ["middle", "behind"])
def test_an_archive_that_is_damaged_is_an_error(folder: Path, ending: str, what: str) -> None:
    data = bytearray(PACK[ending](CONTENT))
    if what == "behind":
        data += b"garbage behind the end"
    else:
        data[len(data) // 2 : len(data) // 2 + 40] = b"\xa5" * 40
    (folder / f"x.{ending}").write_bytes(bytes(data))
    with pytest.raises(SourceError, match=f"^x.{ending}: the {NAMES[ending]} file is damaged: "):
        items(opened(folder, f"x.{ending}"))


@pytest.mark.parametrize(("content", "seen"), [(b"plain\n", "it begins otherwise"), (b"", "it is empty")])
def test_a_name_that_promises_an_archive_is_believed(folder: Path, content: bytes, seen: str) -> None:
    (folder / "x.gz").write_bytes(content)
    with pytest.raises(SourceError, match=f"x.gz: this is no gzip file: {seen}"):
        items(opened(folder, "x.gz"))


def test_what_is_compressed_is_unpacked_whatever_its_name(folder: Path) -> None:
    (folder / "log.1").write_bytes(gzip.compress(b"a\nb\n"))
    assert items(opened(folder, "log.1")) == ["a", "b"]


@pytest.mark.parametrize("ending", PACK)
def test_an_archive_of_zeros_is_not_unpacked_at_once(folder: Path, ending: str) -> None:
    """It is many times as large as what may come at once: thirty times; of zstd, which gives up to 32 MiB, twice."""
    lines = 30_000_000 if ending == "zst" else 1_000_000
    (folder / f"x.{ending}").write_bytes(PACK[ending](b"0\n" * lines))
    from batchwork.items.files.unpacking import unpacked

    with (folder / f"x.{ending}").open("rb") as file:
        sizes = [len(block) for block in unpacked(f"x.{ending}", file, 65536)]
    assert sum(sizes) == 2 * lines
    assert max(sizes) <= (32 << 20 if ending == "zst" else 65536)
