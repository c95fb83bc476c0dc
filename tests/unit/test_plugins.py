"""Task types, executors and stores are found by name, and imported only then."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from batchwork.plugins import EXECUTORS, STORES, TASKS, Group, find_executor, find_store, find_task, task_names


def python(code: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(path or "")}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environ)


def package(folder: Path, name: str, body: str, group: str = "batchwork.tasks") -> Path:
    """A package as if installed, with one entry point."""
    (folder / f"{name}_code.py").write_text(body)
    meta = folder / f"{name}-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text(f"[{group}]\n{name} = {name}_code:Foreign\n")
    return folder


def test_built_in_types_are_found_by_name() -> None:
    assert {"echo", "shell", "python", "http_request"} <= set(task_names())
    assert find_task("echo").name == "echo"
    assert find_task("shell") is find_task("shell")
    with pytest.raises(KeyError):
        find_task("nowhere")


def test_nothing_is_imported_before_it_is_named() -> None:
    done = python(
        "import sys; from batchwork.plugins import task_names, find_task; task_names(); find_task('echo');"
        "assert not [m for m in sys.modules if m in ('batchwork.tasks.shell', 'batchwork.tasks.http_request', 'pycurl')]"
    )
    assert done.returncode == 0, done.stderr


def test_a_foreign_type_is_loaded_only_when_named(tmp_path: Path) -> None:
    body = (
        "from batchwork.tasks.echo import EchoTask\nimport pathlib; pathlib.Path(__file__).with_name('loaded').touch()\n"
        "class Foreign(EchoTask):\n    name = 'speak'\n"
    )
    folder = package(tmp_path, "speak", body)
    done = python("from batchwork.plugins import task_names; assert 'speak' in task_names()", folder)
    assert done.returncode == 0, done.stderr
    assert not (folder / "loaded").exists()
    done = python("from batchwork.plugins import find_task; assert find_task('speak').name == 'speak'", folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "loaded").exists()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import nowhere_at_all\n", "cannot be loaded"),
        ("class Foreign: pass\n", "has no `name`"),
        ("", "cannot be loaded"),
    ],
)
def test_a_broken_foreign_type_is_named(tmp_path: Path, body: str, said: str) -> None:
    folder = package(tmp_path, "broken", body)
    code = (
        "from batchwork.plugins import find_task\nfrom batchwork.errors import UsageError\n"
        "try: find_task('broken')\nexcept UsageError as e: print(e)\n"
    )
    done = python(code, folder)
    assert said in done.stdout and "package broken" in done.stdout, done.stderr


def test_a_foreign_type_cannot_replace_a_built_in_one(tmp_path: Path) -> None:
    folder = package(tmp_path, "shell", "raise SystemExit('loaded')\n")
    done = python("from batchwork.plugins import find_task; print(type(find_task('shell')).__module__)", folder)
    assert done.stdout.strip() == "batchwork.tasks.shell.task", done.stderr


@pytest.mark.parametrize("group", [TASKS, EXECUTORS, STORES], ids=lambda group: group.noun)
def test_all_that_is_built_in_can_be_loaded(group: Group) -> None:
    for name in group.built_in:
        found = group.find(name)
        assert all(hasattr(found, part) for part in group.parts)


@pytest.mark.parametrize(("group", "find"), [("executors", "find_executor"), ("stores", "find_store")])
def test_executors_and_stores_of_other_packages_are_found_by_name(tmp_path: Path, group: str, find: str) -> None:
    folder = package(tmp_path, "far", "def Foreign(*arguments): return 'made'\n", f"batchwork.{group}")
    done = python(f"from batchwork.plugins import {find}; print({find}('far')(None))", folder)
    assert done.stdout == "made\n", done.stderr


@pytest.mark.promise("5.31")
def test_a_store_of_another_package_is_opened_by_its_url(tmp_path: Path) -> None:
    body = "from batchwork.store.memory import MemoryPlace\nclass Foreign(MemoryPlace): pass\n"
    folder = package(tmp_path, "far", body, "batchwork.stores")
    code = "from batchwork.store import open_store; print(open_store('far://user:secret@host/db').runs())"
    done = python(code, folder)
    assert done.stdout == "[]\n", done.stderr


def test_executors_and_stores_that_there_are_not() -> None:
    for find in (find_executor, find_store):
        with pytest.raises(KeyError):
            find("nowhere")
