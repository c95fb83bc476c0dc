"""Sources at their edges: line ends, marks, bad lines, commands that fail or hang on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from batchwork.errors import SourceError
from batchwork.items.fields import open_source
from batchwork.items.files import streams
from batchwork.items.literal import open_value
from batchwork.ports import BadRow, ItemSource, Row, Rows
from batchwork.text.jsontext import Json

Wait = Callable[..., None]


def items(source: ItemSource, start: int = 0, size: int = 3) -> list[Row]:
    try:
        return [item for page in source.pages(start, size) for item in page]
    finally:
        source.close()


def command(text: str, folder: Path, form: str = "lines") -> ItemSource:
    return open_source("command", {"command": text, "format": form}, str(folder), os.environ)


def lines_of(content: bytes, folder: Path) -> list[Json]:
    (folder / "f").write_bytes(content)
    return items(open_source("lines", {"path": "f"}, str(folder), {}))


def jsonl_of(content: bytes, folder: Path) -> list[Json]:
    (folder / "f").write_bytes(content)
    return items(open_source("jsonl", {"path": "f"}, str(folder), {}))


# ---------------------------------------------------------------- lines


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"\n\n", []),
        (b"a", ["a"]),
        (b"a\nb\n", ["a", "b"]),
        (b"a\r\nb\r\n\r\nc", ["a", "b", "c"]),
        (b"a\rb\n", ["a\rb"]),
        (b"\xef\xbb\xbfa\nb", ["a", "b"]),
        (b"\xef\xbb\xbf", []),
        (b"a\n\xef\xbb\xbfb", ["a", "\ufeffb"]),
        (b"  a \n\t\n", ["  a ", "\t"]),
        (b"\xe2\x82\xac\n\xff\n", ["€", "\udcff"]),
        (b"a\x00b\n", ["a\x00b"]),
        ("a\u2028b\n".encode(), ["a\u2028b"]),
    ],
)
def test_lines(content: bytes, expected: list[Json], tmp_path: Path) -> None:
    assert lines_of(content, tmp_path) == expected


def test_a_character_and_a_line_across_blocks_stay_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchwork.items.files.file_items.block_bytes", lambda _size: 2)
    assert lines_of("\ufeffa€€\r\n\r\nxyz\n€".encode(), tmp_path) == ["a€€", "xyz", "€"]
    assert jsonl_of('\ufeff"€€"\r\n\r\n[1,\t2]\n3'.encode(), tmp_path) == ["€€", [1, 2], 3]


def test_utf_16_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="UTF-16"):
        lines_of("a\nb".encode("utf-16"), tmp_path)


def test_a_line_beyond_the_limit_is_an_error_naming_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LINE_BYTES_MAX", 1 << 20)
    with pytest.raises(SourceError, match=r"^f:3: the line is longer than 1 MiB"):
        lines_of(b"a\nb\n" + b"x" * (3 << 20), tmp_path)


def test_large_items_make_shorter_pages(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes((b"x" * (1 << 20) + b"\n") * 10)
    pages = [*open_source("lines", {"path": "f"}, str(tmp_path), {}).pages(0, 1000)]
    assert sum(map(len, pages)) == 10
    assert max(map(len, pages)) <= 5


# ---------------------------------------------------------------- jsonl


@pytest.mark.promise("3.06")
def test_values_come_back_exactly(tmp_path: Path) -> None:
    content = b'{"id": 123456789012345678901234567890}\r\n\r\n"\\ud800"\n1e308\n-0.0\n"007"\n 5 \nnull\n[]'
    expected = [{"id": 123456789012345678901234567890}, "\ud800", 1e308, -0.0, "007", 5, None, []]
    assert list(map(repr, jsonl_of(content, tmp_path))) == list(map(repr, expected))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "f:7: not JSON"),
        (b"x", "f:7: not a JSON value: 'x'"),
        (b"1 2", "f:7: there is more after the JSON value: '2'"),
        (b"NaN", "f:7: NaN is not JSON"),
        (b"[-Infinity]", "f:7: -Infinity is not JSON"),
        (b"1e999", "f:7: the number 1e999 is too large"),
        (b"9" * 400 + b".5", "f:7: the number 9999999999999999999999999999999999999999 is too large"),
        (b"9" * 5000, "f:7: a number of 5,000 digits; more than 4,300 must be quoted, as text"),
        (b'"\xff"', "f:7: not UTF-8 (byte 0xff)"),
        (b"[" * 100_000, "f:7: nested too deeply: more than 900 lists and objects in each other"),
        (b'[{"a":' * 450 + b"[]" + b"}]" * 450, "f:7: nested too deeply"),
        (b"'a'", "f:7: not a JSON value"),
    ],
)
def test_a_bad_line_is_named_by_file_and_number(line: bytes, message: str, tmp_path: Path) -> None:
    items = jsonl_of(b'{"a": 1}\r\n\r\n' + b"1\n" * 4 + line + b"\n8\n", tmp_path)
    bad = items.pop(5)
    assert items == [{"a": 1}, 1, 1, 1, 1, 8]
    assert isinstance(bad, BadRow)
    assert (bad.key, bad.text) == ("f:7", line.decode("utf-8", "surrogateescape"))
    assert bad.message.startswith(message)


def test_a_row_may_be_deep_and_wide(tmp_path: Path) -> None:
    deep = b'[{"a":' * 449 + b"[[]]" + b"}]" * 449
    wide = b"[" + b"[]," * 1000 + b"[]]"
    assert [json.dumps(item, separators=(",", ":")).encode() for item in jsonl_of(deep + b"\n" + wide, tmp_path)] == [
        deep,
        wide,
    ]


@pytest.mark.parametrize("source", ["jsonl", "lines"])
@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize("block", [1, 7, 1000])
@pytest.mark.parametrize("start", [0, 2])
def test_rows_know_their_lines(
    source: str, size: int, block: int, start: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batchwork.items.files.file_items.block_bytes", lambda _size: block)
    (tmp_path / "f").write_bytes(b"\n1\n2\n\n\n5\r\n6\n\r\n8")
    found = []
    for page in open_source(source, {"path": "f"}, str(tmp_path), {}).pages(start, size):
        assert isinstance(page, Rows)
        found += [(int(str(item)), page.place(at)) for at, item in enumerate(page)]
    assert found == [(line - 1, f"f:{line}") for line in (2, 3, 6, 7, 9)][start:]


# ---------------------------------------------------------------- files


def test_a_missing_file_and_a_folder_are_said(tmp_path: Path) -> None:
    for path, reason in (("nope", "nope: no such file"), (".", "is a directory"), ("a\x00b", "not a path")):
        source = open_source("lines", {"path": path}, str(tmp_path), {})
        with pytest.raises(SourceError, match=reason):
            source.reading()


def test_a_file_that_vanished_is_an_error_of_the_pages(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        items(open_source("jsonl", {"path": "gone"}, str(tmp_path), {}))


def test_the_fingerprint_changes_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("a\n")
    source = open_source("lines", {"path": "f"}, str(tmp_path), {})
    before = source.reading().fingerprint
    assert source.reading().fingerprint == before
    with file.open("a") as out:
        out.write("b\n")
    assert source.reading().fingerprint != before


def test_a_named_pipe_is_read_once_and_not_opened_beforehand(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    source = open_source("lines", {"path": "pipe"}, str(tmp_path), {})
    assert source.reading().fingerprint == ""
    with subprocess.Popen(["sh", "-c", "seq 5 > pipe"], cwd=tmp_path) as writer:
        assert items(source) == ["1", "2", "3", "4", "5"]
    assert writer.returncode == 0


# ---------------------------------------------------------------- ranges and values


def test_ranges_are_exact_beyond_64_bits(tmp_path: Path) -> None:
    source = open_source("range", {"start": 2**70, "count": 2}, str(tmp_path), {})
    assert source.reading().length == 2
    assert items(source) == [2**70, 2**70 + 1]
    assert items(open_source("range", {"stop": 10**30}, str(tmp_path), {}), start=10**30 - 1) == [10**30 - 1]


@pytest.mark.parametrize("options", [{"stop": 0}, {"stop": -5}, {"count": 0}, {"start": 3, "stop": 9, "step": -1}])
def test_empty_ranges(options: dict[str, Json], tmp_path: Path) -> None:
    source = open_source("range", options, str(tmp_path), {})
    assert source.reading().length == 0
    assert items(source) == []


@pytest.mark.parametrize("value", [None, "text", {"a": 1}, 5, True])
def test_what_is_not_a_list_is_refused(value: object) -> None:
    with pytest.raises(SourceError, match="expected a list"):
        open_value(value)


def test_the_fingerprint_of_a_list_is_that_of_its_content() -> None:
    assert open_value([1, 2]).reading() == open_value([1, 2]).reading()
    assert open_value([1, 2]).reading() != open_value([2, 1]).reading()


# ---------------------------------------------------------------- commands


def test_a_command_runs_in_the_folder_with_the_environment_and_no_input(tmp_path: Path) -> None:
    source = open_source(
        "command",
        {"command": 'pwd; echo "$COLOUR"; cat'},
        str(tmp_path),
        {"COLOUR": "green", "PATH": os.environ["PATH"]},
    )
    assert items(source) == [str(tmp_path), "green"]


def test_file_names_that_are_not_utf_8_come_back_as_their_bytes(tmp_path: Path) -> None:
    name = b"caf\xe9"
    (tmp_path / os.fsdecode(name)).touch()
    (item,) = items(command("ls", tmp_path))
    assert os.fsencode(str(item)) == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "echo a; echo bad thing >&2; exit 3",
            "`echo a; echo bad thing >&2; exit 3` ended with exit code 3: bad thing",
        ),
        ("no-such-command-xyz", "ended with exit code 127"),
        ("echo a; kill -9 $$", "was killed by SIGKILL"),
        ("exec >&-; echo late >&2; exit 4", "exit code 4: late"),
    ],
)
@pytest.mark.promise("6.02")
def test_a_command_that_fails_is_an_error_with_its_words(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        items(command(text, tmp_path))
    assert message in str(caught.value)


def test_a_chatty_standard_error_neither_blocks_nor_grows(tmp_path: Path) -> None:
    text = f"{sys.executable} -c \"import sys; sys.stderr.write('e' * 5_000_000); print(1)\"; echo end >&2; exit 1"
    with pytest.raises(SourceError) as caught:
        items(command(text, tmp_path))
    assert str(caught.value).endswith("end")
    assert len(str(caught.value)) < 3000


@pytest.mark.promise("6.36")
def test_items_come_while_the_command_runs_and_closing_ends_all_of_it(tmp_path: Path, wait_for: Wait) -> None:
    source = command("echo $$; sleep 1000 & echo $!; wait", tmp_path)
    pages = source.pages(0, 1)
    pids = [int(str(next(pages)[0])), int(str(next(pages)[0]))]
    assert all(map(is_alive, pids))
    source.close()
    wait_for(lambda: not any(map(is_alive, pids)), "the command's processes to end")
    source.close()


def test_closing_from_another_thread_ends_a_read_that_waits(tmp_path: Path) -> None:
    source = command("echo a; sleep 1000", tmp_path)
    pages = source.pages(0, 1)
    assert [*next(pages)] == ["a"]
    threading.Timer(0.05, source.close).start()
    with pytest.raises(SourceError, match="was stopped"):
        next(pages)


def test_what_a_finished_command_left_behind_is_ended(tmp_path: Path, wait_for: Wait) -> None:
    (pid,) = items(command("sleep 1000 >/dev/null 2>&1 & echo $!", tmp_path))
    wait_for(lambda: not is_alive(int(str(pid))), "the process in the background to end")
    assert not is_alive(int(str(pid)))


def test_the_command_ends_when_its_reader_is_killed(tmp_path: Path, wait_for: Wait) -> None:
    code = (
        "import os, sys; from batchwork.items.fields import open_source\n"
        "source = open_source('command', {'command': 'echo $$; sleep 1000; true'}, os.getcwd(), os.environ)\n"
        "pages = source.pages(0, 1); print(next(pages)[0], flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        pid = int(reader.stdout.readline())
        assert is_alive(pid)
        reader.send_signal(signal.SIGKILL)
    wait_for(lambda: not is_alive(pid), "the command to end")
    assert not is_alive(pid)


def test_reading_twice_runs_the_command_twice(tmp_path: Path) -> None:
    source = command("echo x >> ran; cat ran", tmp_path)
    assert [item for page in source.pages(0, 5) for item in page] == ["x"]
    assert items(source) == ["x", "x"]


def test_the_fault_point_items_load(tmp_path: Path) -> None:
    code = (
        "from batchwork.errors import SourceError\n"
        "from batchwork.items.fields import open_source\n"
        "pages = open_source('range', {'stop': 9}, '/', {}).pages(0, 3)\n"
        "print([*next(pages)])\n"
        "try: next(pages)\n"
        "except SourceError as error: print(error)"
    )
    environ = {**os.environ, "BATCHWORK_TESTING": "1", "BATCHWORK_FAULT": "items.load:EIO@2"}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[0, 1, 2]", "items: input/output error"]


def is_alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
