"""The task types for files: paths as they are bound, what is written and read, and what is said where it goes wrong."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from batchwork.errors import BindError, RenderError
from batchwork.plugins import find_task
from batchwork.ports import Setting, Written
from batchwork.tasks.base import TaskFailed
from batchwork.tasks.files import begun, moves, whole
from batchwork.tasks.files.paths import path_field
from batchwork.tasks.files.trouble import said
from batchwork.template import Value
from batchwork.text.jsontext import Json
from batchwork.workers.python.program.failures import ask_for, failure_fields

NAMES = frozenset({"item", "key", "index", "params"})


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(name: str, **fields: Any) -> Any:
    """What the task gives, as in a worker."""
    task: Any = find_task(name)
    return task.run(msgspec.convert(fields, task.Fields), None)


def unit(key: str = "k") -> Any:
    """A unit of a run whose folder is this one."""
    return SimpleNamespace(idempotency_key=key, begun="begun")


def moves_again(source: str, destination: str, key: str = "k") -> Any:
    return find_task("move_file").run(  # type: ignore[attr-defined]
        moves.MoveFileFields(source, destination), unit(key)
    )


def fails(name: str, **fields: Any) -> str:
    with pytest.raises(TaskFailed) as caught:
        run(name, **fields)
    return str(caught.value)


def compiled(name: str, **fields: Json) -> Any:
    literal = find_task(name).literal
    written = {each: Value.constant(json) if each in literal else Value.of(json) for each, json in fields.items()}
    return find_task(name).compile(Written(written, NAMES, Value.of("").place))


def left() -> list[str]:
    return sorted(str(path.relative_to(Path.cwd())) for path in Path.cwd().rglob("*") if path.is_file())


# ---------------------------------------------------------------- paths


@pytest.mark.parametrize(
    ("written", "value", "path"),
    [
        ("{{ item }}", "../a", "../a"),
        ("out/{{ item }}", "a/b", "out/a/b"),
        ("out/{{ item }}", "a..b", "out/a..b"),
        ("../out/{{ item }}", "a", "../out/a"),
        ("{{ item }}", 7, "7"),
        ("{{ item }}", "\udcff", "\udcff"),
    ],
)
def test_paths_that_are_bound(written: str, value: Json, path: str) -> None:
    assert path_field("path", Value.of(written), written=True).render({"item": value}) == path


@pytest.mark.parametrize("value", ["../a", "a/../../b", "..", "", "a/", "a\0b", "\ud800", None, ["a"], True])
def test_paths_that_are_refused(value: Json) -> None:
    written = "out/{{ item }}" if isinstance(value, str) and value else "{{ item }}"
    with pytest.raises(RenderError):
        path_field("path", Value.of(written), written=True).render({"item": value})


def test_what_is_read_may_lie_anywhere() -> None:
    assert path_field("source", Value.of("in/{{ item }}"), written=False).render({"item": "../a"}) == "in/../a"


def test_what_is_wrong_is_said_before_anything_runs() -> None:
    (problem,) = compiled("write_file", path="out/", content="x").problems
    assert "'out/', a folder" in problem.message
    (problem,) = compiled("read_file", path="a", encoding="klingon").problems
    assert "`encoding` must be an encoding" in problem.message
    (warning,) = compiled("write_file", path="out", content="{{ item }}").warnings
    assert "the same for all items" in warning.message
    assert not compiled("append_file", path="out", content="{{ item }}").warnings


def test_a_unit_gets_what_differs_and_nothing_else() -> None:
    setting = Setting("s", {"params": {"n": 1}}, frozenset({"item", "key"}), {}, "/w", "/w", None)
    made = compiled("write_file", path="{{ key }}.{{ params.n }}", content=["{{ params.n }}"]).program(setting)
    assert made.prepare["fields"] == {"content": "[1]"}
    assert (made.uses, made.worker) == ({"key"}, "python")
    assert made.bind({"key": "k", "params": {"n": 1}}) == {"fields": {"path": "k.1"}, "unit": {}}


# ---------------------------------------------------------------- reading and writing


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16", "base64"])
def test_what_is_written_is_read_again(encoding: str) -> None:
    text = "YQ==" if encoding == "base64" else "ä\r\nb\n"
    size = {"utf-8": 6, "latin-1": 5, "utf-16": 12, "base64": 1}[encoding]
    assert run("write_file", path="d/a", content=text, encoding=encoding) == {"path": "d/a", "bytes": size}
    assert run("read_file", path="d/a", encoding=encoding) == text
    assert left() == ["d/a"]


def test_bytes_that_came_as_they_are_are_the_same_bytes_again() -> None:
    name = os.fsdecode(b"\xff name")
    run("write_file", path=name, content="a\udcff")
    assert [os.fsencode(path) for path in left()] == [b"\xff name"]
    assert Path(name).read_bytes() == b"a\xff"
    assert "is not utf-8" in fails("read_file", path=name)
    assert run("read_file", path=name, encoding="base64") == "Yf8="


@pytest.mark.parametrize(
    ("data", "encoding", "message"),
    [
        (b"ab\nc\xff", "utf-8", "a:2: byte 5 (0xff) is not utf-8 (name its `encoding`"),
        (b"a", "nonsense", "`encoding` must be an encoding"),
    ],
)
def test_a_file_in_another_encoding_says_where(data: bytes, encoding: str, message: str) -> None:
    Path("a").write_bytes(data)
    assert message in fails("read_file", path="a", encoding=encoding)


def test_a_text_that_an_encoding_has_not_says_where() -> None:
    assert "has no \\u20ac, the character 2" in fails("write_file", path="a", content="a€", encoding="latin-1")
    assert "is not base64" in fails("write_file", path="a", content="??", encoding="base64")
    assert "puts a mark at the beginning" in fails("append_file", path="a", content="x", encoding="utf-16")
    assert left() == []


def test_a_file_too_large_for_a_result_is_not_read() -> None:
    with open("a", "wb") as file:
        file.truncate(65 << 20)
    assert "has 65 MiB" in fails("read_file", path="a")


def test_a_pipe_or_a_device_is_not_waited_for() -> None:
    os.mkfifo("pipe")
    for path in ("pipe", "/dev/zero"):
        assert "a pipe or a socket" in fails("read_file", path=path)
        assert "a pipe or a socket" in fails("write_file", path=path, content="x")
        assert "a pipe or a socket" in fails("append_file", path=path, content="x")


def test_folders_are_made_or_asked_for() -> None:
    assert "cannot write d/a: its folder is not there" in fails("write_file", path="d/a", content="", create_dirs=False)
    assert run("append_file", path="d/e/a", content="x")["bytes"] == 1
    assert "a part of its path is a file" in fails("write_file", path="d/e/a/b", content="")
    assert "there is a folder of this name" in fails("write_file", path="d/e", content="")
    assert "there is a folder of this name" in fails("read_file", path="d")
    assert "longer than the file system allows" in fails("write_file", path="x" * 300, content="")


def test_what_is_there_is_replaced_whole_or_kept() -> None:
    run("write_file", path="a", content="old")
    os.chmod("a", 0o640)
    assert "there is a file of this name (`overwrite: true`" in fails(
        "write_file", path="a", content="new", overwrite=False
    )
    assert run("write_file", path="a", content="old", overwrite=False) == {"path": "a", "bytes": 3}
    run("write_file", path="a", content="new")
    assert (Path("a").read_text(), os.stat("a").st_mode & 0o777) == ("new", 0o640)


def test_a_link_is_replaced_and_what_it_leads_to_is_kept() -> None:
    Path("real").write_text("real")
    os.symlink("real", "link")
    os.symlink("loop", "loop")
    run("write_file", path="link", content="new")
    assert (Path("real").read_text(), Path("link").read_text(), os.path.islink("link")) == ("real", "new", False)
    assert "leads back to itself" in fails("read_file", path="loop")


@pytest.mark.parametrize("nameless", [True, False])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(monkeypatch: pytest.MonkeyPatch, nameless: bool) -> None:
    if not nameless:
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    run("write_file", path="a", content="old")

    def full(_descriptor: int, _data: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        said = fails("write_file", path="a", content="new")
        assert "no space left on the device; nothing was changed (make room" in said
        assert "no space left" in fails("append_file", path="a", content="new")
    assert [Path(path).read_text() for path in os.listdir()] == ["old"]


@pytest.mark.parametrize("name", ["write_file", "append_file"])
def test_a_file_that_grows_over_a_limit_of_the_system_is_as_before(name: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    code = (
        "import resource, signal; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from batchwork.tasks.files.texts import *\n"
        f"task, fields = {{'write_file': (WriteFile, WriteFileFields), 'append_file': (AppendFile, AppendFileFields)}}['{name}']\n"
        "try: task().run(fields(path='a', content='x' * 5000), None)\n"
        "except Exception as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "larger than is allowed here; nothing was changed" in done.stdout
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("linking", [True, False])
def test_without_names_or_links_it_is_whole_all_the_same(monkeypatch: pytest.MonkeyPatch, linking: bool) -> None:
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    if not linking:

        def refuse(*_args: object, **_options: object) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", refuse)
    assert run("write_file", path="a", content="x", overwrite=False)["bytes"] == 1
    with pytest.raises(FileExistsError):
        whole.write_whole(whole.Target("a", overwrite=False), [b"y"])
    assert run("move_file", source="a", destination="b")["path"] == "b"
    assert [Path(path).read_text() for path in os.listdir()] == ["x"]


# ---------------------------------------------------------------- JSON


def test_json_is_written_for_people_and_read_again() -> None:
    value = {"ä": [1, 2.5, None, "\udcff"], "big": 10**40}
    run("write_json", path="a.json", data=value)
    assert run("read_json", path="a.json") == value
    run("write_json", path="b.json", data={"ä": 1})
    assert Path("b.json").read_text(encoding="utf-8") == '{\n  "ä": 1\n}\n'
    run("write_json", path="c.json", data="ä€", encoding="latin-1")
    assert json.loads(Path("c.json").read_text(encoding="latin-1")) == "ä€"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,\n "b" 2}', "a:2:6: not JSON: expecting ':' delimiter"),
        (" \n", "a:2:1: not JSON: it is empty"),
        ("[NaN]", "a: not JSON: NaN is no JSON value"),
        ("[1, -1e400]", "a: not JSON: the number -1e400 is too large"),
        ("[" + "1" * 6000 + "]", "a: not JSON: a number of 6,000 digits; more than 4,300 must be quoted, as text"),
        ("[" * 100_000, "a: not JSON: it is nested too deeply"),
    ],
)
def test_what_is_no_json_says_where(text: str, message: str) -> None:
    Path("a").write_text(text)
    assert message in fails("read_json", path="a")


def test_a_mark_at_the_beginning_of_a_json_file_is_no_part_of_it() -> None:
    Path("a").write_text("\ufeff[1]", encoding="utf-8")
    assert run("read_json", path="a") == [1]


# ---------------------------------------------------------------- copies and moves


def test_a_copy_has_the_permissions_and_can_be_made_again() -> None:
    Path("a").write_text("x")
    os.chmod("a", 0o750)
    for _ in range(2):
        assert run("copy_file", source="a", destination="d/b") == {"path": "d/b", "bytes": 1}
    assert os.stat("d/b").st_mode & 0o777 == 0o750
    assert run("copy_file", source="a", destination="a")["bytes"] == 1
    Path("d/b").write_text("y")
    assert "there is a file of this name" in fails("copy_file", source="a", destination="d/b")
    Path("d/b").write_text("longer")
    assert "there is a file of this name" in fails("copy_file", source="a", destination="d/b")
    run("copy_file", source="a", destination="d/b", overwrite=True)
    assert Path("d/b").read_text() == "x"


def test_a_move_can_be_made_again() -> None:
    Path("a").write_text("x")
    for _ in range(2):
        assert moves_again("a", "d/b") == {"path": "d/b", "bytes": 1}
    assert left() == ["begun", "d/b"]
    assert "cannot move a: there is no such file (paths are relative to" in fails(
        "move_file", source="a", destination="c"
    )


@pytest.mark.parametrize(
    ("source", "destination", "key"),
    [("a", "b", "other"), ("mispelt", "b", "k"), ("./a", "b", "k"), ("a", "c", "k"), ("mispelt", "c", "other")],
)
def test_a_file_that_is_there_is_no_move_of_one_that_never_was(source: str, destination: str, key: str) -> None:
    """Only the unit itself, which began to move this to there before in this run, has moved it."""
    Path("a").write_text("x")
    moves_again("a", "b")
    Path("c").write_text("y")
    with pytest.raises(TaskFailed, match=f"cannot move {source}: there is no such file, and {destination} was there"):
        moves_again(source, destination, key)
    assert moves_again("a", "b") == {"path": "b", "bytes": 1}
    assert (Path("b").read_text(), Path("c").read_text()) == ("x", "y")


def test_without_a_run_no_move_is_believed() -> None:
    Path("a").write_text("x")
    run("move_file", source="a", destination="b")
    assert "cannot move a: there is no such file, and b was there before" in fails(
        "move_file", source="a", destination="b"
    )


def test_a_move_that_failed_before_it_began_is_not_believed_later() -> None:
    """Something else is in the way, then the source goes away."""
    Path("a").write_text("x")
    Path("b").write_text("y")
    with pytest.raises(TaskFailed, match="there is a file of this name"):
        moves_again("a", "b")
    os.unlink("a")
    with pytest.raises(TaskFailed, match="there is no such file"):
        moves_again("a", "b")


@pytest.mark.parametrize(
    ("place", "step", "far"),
    [
        (begun.Begun, "note", False),
        (begun.Begun, "note", True),
        (moves, "take_name", False),
        (moves, "_copied", True),
        (moves, "_drop_source", True),
    ],
)
def test_a_move_that_was_killed_anywhere_is_completed(
    place: object, step: str, far: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`far`: to another file system, that is by a copy."""
    Path("a").write_text("x")
    if far:
        monkeypatch.setattr(moves, "take_name", _elsewhere)
    with monkeypatch.context() as before:
        before.setattr(place, step, _killed)
        with pytest.raises(KeyboardInterrupt):
            moves_again("a", "b")
    for _ in range(2):
        assert moves_again("a", "b") == {"path": "b", "bytes": 1}
    assert left() == ["b", "begun"]


def _killed(*_args: object) -> None:
    raise KeyboardInterrupt


def _elsewhere(*_args: object) -> None:
    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))


def test_torn_and_foreign_lines_are_no_notes() -> None:
    Path("a").write_text("x")
    moves_again("a", "b")
    (line,) = Path("begun").read_bytes().splitlines(keepends=True)
    Path("begun").write_bytes(line[:-1] + b"\n\n" + b"x" * 70_000 + b"\n" + line[:20])
    assert moves_again("a", "b")["bytes"] == 1
    Path("begun").write_bytes(b"x" + line + line[:20])
    with pytest.raises(TaskFailed, match="there is no such file"):
        moves_again("a", "b")


@pytest.mark.parametrize("make", [os.link, moves._copied], ids=["a second name", "a copy"])
def test_a_move_that_was_killed_between_its_halves_is_completed(make: Callable[..., object]) -> None:
    Path("a").write_text("x")
    if make is os.link:
        os.link("a", "b")
    else:
        moves._copied("a", whole.Target("b"), 0o644)
    run("move_file", source="a", destination="b")
    assert left() == ["b"]
    assert run("move_file", source="b", destination="b")["bytes"] == 1
    assert run("move_file", source="b", destination="./b")["bytes"] == 1
    assert left() == ["b"]


def test_a_move_replaces_only_where_it_is_said() -> None:
    Path("a").write_text("x")
    Path("b").write_text("y")
    assert "there is a file of this name" in fails("move_file", source="a", destination="b")
    assert left() == ["a", "b"]
    run("move_file", source="a", destination="b", overwrite=True)
    assert (left(), Path("b").read_text()) == (["b"], "x")


def test_a_move_to_another_file_system_is_a_copy_that_is_whole_first(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a").write_text("x")
    os.symlink("a", "link")

    monkeypatch.setattr(moves, "take_name", _elsewhere)
    run("move_file", source="a", destination="d/b")
    assert left() == ["d/b"]
    assert "cannot move link" in fails("move_file", source="link", destination="d/c")


def test_folders_are_not_moved_or_deleted() -> None:
    os.mkdir("d")
    assert "it is a folder (`mv --" in fails("move_file", source="d", destination="e")
    assert "it is a folder (`rm -r --" in fails("delete_file", path="d")
    assert "there is a folder of this name" in fails("copy_file", source="d", destination="e")


def test_what_is_deleted_may_be_gone_already() -> None:
    Path("a").write_text("xy")
    os.symlink("a", "link")
    assert run("delete_file", path="link") == {"path": "link", "bytes": 1}
    assert run("delete_file", path="a") == {"path": "a", "bytes": 2}
    assert run("delete_file", path="a") == {"path": "a", "bytes": 0}


# ---------------------------------------------------------------- templates


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "`template` or `source` is required"),
        ({"template": "x", "source": "t"}, "exclude each other"),
        ({"source": "{{ item }}.tpl"}, "must be named as it is"),
        ({"source": "gone.tpl"}, "`source`: cannot read gone.tpl: there is no such file"),
        ({"source": "wrong.tpl"}, "there is no `itme`"),
        ({"source": "broken.tpl"}, "expected token 'in'"),
    ],
)
def test_what_is_wrong_with_a_template_is_said_before_anything_runs(fields: dict[str, Json], message: str) -> None:
    Path("wrong.tpl").write_text("a\n{{ itme }}")
    Path("broken.tpl").write_text("{% for x %}")
    (problem,) = compiled("template", output="o{{ item }}", **fields).problems
    assert message in problem.message
    if "source" in fields and str(fields["source"]).startswith("wrong"):
        assert str(problem.place) == "wrong.tpl:2:1"


def test_a_template_of_a_file_is_rendered_for_each_item() -> None:
    Path("t").write_text("{% for x in item %}<{{ x }}>{% endfor %}\n")
    made = compiled("template", source="t", output="o{{ index }}")
    setting = Setting("s", {}, frozenset({"item", "index"}), {}, "/w", "/w", None)
    bound = made.program(setting).bind({"item": [1, "a"], "index": 3})
    assert bound["fields"] == {"template": "<1><a>\n", "output": "o3"}
    assert run("template", **bound["fields"]) == {"path": "o3", "bytes": 7}
    before = made.identity
    Path("t").write_text("{{ item }}")
    assert compiled("template", source="t", output="o").identity != before


# ---------------------------------------------------------------- failures


def test_a_failure_tells_its_kind_and_no_traceback() -> None:
    with pytest.raises(TaskFailed) as caught:
        run("read_file", path="gone")
    ask_for(["OSError", "ValueError"])
    try:
        told = failure_fields(caught.value)
    finally:
        ask_for([])
    assert (told["type"], told["retryable"], told["kinds"]) == ("FileNotFoundError", True, ["OSError"])
    assert "traceback" not in told


def test_what_the_table_of_reasons_lacks_the_system_says() -> None:
    assert said("read", "a\nb", OSError(errno.EIO, "Input/output error")) == "cannot read a\\nb: Input/output error"


def test_a_value_that_no_path_can_be_fails_its_unit() -> None:
    setting = Setting("s", {}, frozenset({"item"}), {}, "/w", "/w", None)
    with pytest.raises(BindError, match="half of a character"):
        compiled("delete_file", path="{{ item }}").program(setting).bind({"item": "\ud800"})
