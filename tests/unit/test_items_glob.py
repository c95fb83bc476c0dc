"""Patterns for paths, and the walk: against Python's own on trees of many shapes, and where it says nothing."""

from __future__ import annotations

import errno
import glob
import itertools
import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from batchwork.errors import SourceError
from batchwork.items.fields import check_fields, open_source
from batchwork.plugins import find_source
from batchwork.text.jsontext import Json

NAMES = ("a", "b.txt", "-c", ".d", "a b", "ü.txt", "B")


def found(folder: Path, pattern: Json, **fields: Json) -> list[str]:
    source = open_source("glob", {"pattern": pattern, **fields}, str(folder), {})
    try:
        return [str(path) for page in source.pages(0, 3) for path in page]
    finally:
        source.close()


def tree(folder: Path, paths: Sequence[str]) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    return folder


@pytest.fixture
def many(tmp_path: Path) -> Path:
    rng = random.Random(1)
    for _ in range(60):
        path = tmp_path.joinpath(*(rng.choice(NAMES) + str(rng.randrange(2)) for _ in range(rng.randrange(1, 4))))
        if not any(parent.is_file() for parent in path.parents) and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return tmp_path


HEADS = ("", "./", "a0/", "**/", "*/", "**/a*/", "**/a*/**/")
LAST = ("*", "*0", "?0", "[!a]*", ".*", "b.txt1", "no", "**")


@pytest.mark.parametrize(("head", "last"), [*itertools.product(HEADS, LAST)])
@pytest.mark.parametrize("hidden", [False, True])
def test_it_finds_what_python_finds_each_path_once_in_the_order_of_bytes(
    many: Path, head: str, last: str, hidden: bool
):
    theirs = glob.glob(head + last, root_dir=many, recursive=True, include_hidden=hidden)
    expected = {path for path in theirs if not path.endswith("/") and path}  # `**` gives its own folder too
    assert found(many, head + last, hidden=hidden) == sorted(expected, key=os.fsencode)
    assert sorted(found(many, head + last, hidden=hidden, sort=False), key=os.fsencode) == sorted(
        expected, key=os.fsencode
    )


def test_absolute_patterns_and_patterns_without_wildcards(many: Path):
    assert found(many, f"{many}/*") == [f"{many}/{path}" for path in found(many, "*")]
    (many / "one").touch()
    assert found(many, "one") == ["one"]
    assert found(many, ["one", "none", "./one"]) == ["./one", "one"]
    assert found(many, "none/*") == found(many, "one/*") == []


def test_several_patterns_find_a_path_once(tmp_path: Path):
    tree(tmp_path, ["in/a.txt", "in/b.csv", "out/c.txt"])
    patterns: Json = ["in/*.txt", "**/*.txt", "in/*"]
    assert found(tmp_path, patterns) == ["in/a.txt", "in/b.csv", "out/c.txt"]
    assert found(tmp_path, patterns, sort=False) == ["in/a.txt", "in/b.csv", "out/c.txt"]
    assert found(tmp_path, ["*/*.txt", "*/a*"], sort=False).count("in/a.txt") == 1


def test_kinds(tmp_path: Path):
    tree(tmp_path, ["d/f"])
    (tmp_path / "to_d").symlink_to("d")
    (tmp_path / "to_f").symlink_to("d/f")
    (tmp_path / "broken").symlink_to("nowhere")
    (tmp_path / "self").symlink_to("self")
    assert found(tmp_path, "*") == ["broken", "d", "self", "to_d", "to_f"]
    assert found(tmp_path, "*", type="dir") == found(tmp_path, "*/") == ["d", "to_d"]
    assert found(tmp_path, "*", type="file") == ["to_f"]
    assert found(tmp_path, "*/", type="file") == []
    assert found(tmp_path, "**/f") == ["d/f"], "links to folders are not followed by `**`"
    assert found(tmp_path, "*/f") == ["d/f", "to_d/f"]


@pytest.mark.promise("11.30")
def test_exclusion_by_name_and_by_path(tmp_path: Path):
    tree(tmp_path, ["a.txt", "a.bak", "x/a.bak", "x/old/b", "old/c", "x/keep/old.txt"])
    files = {"type": "file"}
    assert found(tmp_path, "**/*", exclude=["*.bak", "old"], **files) == ["a.txt", "x/keep/old.txt"]
    assert found(tmp_path, "./**/*", exclude="x/**", **files) == ["./a.bak", "./a.txt", "./old/c"]
    assert found(tmp_path, "**/*", exclude="**/old/*", **files) == ["a.bak", "a.txt", "x/a.bak", "x/keep/old.txt"]


@pytest.mark.promise("11.30")
def test_names_of_any_bytes(tmp_path: Path):
    for name in (b"\xff.txt", b"a\nb.txt", b"'$(id).txt", "ü".encode() + b".txt"):
        (tmp_path / os.fsdecode(name)).touch()
    assert found(tmp_path, "*.txt") == ["'$(id).txt", "a\nb.txt", "ü.txt", "\udcff.txt"]
    assert found(tmp_path, "?.txt") == ["ü.txt", "\udcff.txt"]
    assert found(tmp_path, "\udcff.*") == ["\udcff.txt"]
    with pytest.raises(SourceError, match="which no path can"):
        found(tmp_path, "\ud800/*")


def test_a_folder_that_must_not_be_read_fails_the_step_unless_it_is_excluded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tree(tmp_path, ["open/a", "shut/b"])
    scandir = os.scandir

    def guarded(place: bytes):
        if place.endswith(b"shut/"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return scandir(place)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(SourceError, match="the folder shut/ cannot be looked into: permission denied"):
        found(tmp_path, "**/a")
    assert found(tmp_path, "**/a", exclude="shut") == ["open/a"]


def test_a_name_that_is_too_long_is_said(tmp_path: Path):
    with pytest.raises(SourceError, match="ile name too long"):
        found(tmp_path, "x" * 300 + "/*")


def test_a_search_that_was_closed_ends(many: Path):
    source = open_source("glob", {"pattern": "**/*"}, str(many), {})
    pages = source.pages(0, 1)
    next(pages)
    source.close()
    with pytest.raises(SourceError, match="was stopped"):
        next(pages)


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"pattern": ""}, "pattern", "holds '', which is no pattern"),
        ({"pattern": ["a", "b\0"]}, "pattern", "holds 'b\\x00'"),
        ({"pattern": "~/x/*"}, "pattern", "`~` does not stand for a home folder"),
        ({"pattern": "*", "exclude": ""}, "exclude", "`exclude` of `from: glob` holds ''"),
        ({"pattern": 3}, "pattern", "`pattern` of `from: glob` must be a text or a list, not 3"),
        ({"pattern": "*", "type": "link"}, "type", "must be file or dir, not 'link'"),
        ({}, "from", "needs the field `pattern`"),
    ],
)
def test_what_is_wrong_is_said(fields: dict[str, Json], field: str, message: str):
    [fault] = check_fields(find_source("glob"), fields)
    assert fault.field == field
    assert message in fault.message
