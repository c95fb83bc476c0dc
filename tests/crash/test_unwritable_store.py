"""A store that nothing can be written to, on a read-only file system or a full disk: it can be looked at, and nothing more."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batchwork.errors import StoreError, StoreFull
from batchwork.model import Checkpoint
from batchwork.ports import Opening, Store
from batchwork.store import open_store
from batchwork.testing.store_case import commit, picture, run_record, successes

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")

LEFT = {
    "ended": ("x.db",),
    "killed": ("x.db", "x.db-wal", "x.db-shm"),
    "copied": ("x.db", "x.db-wal"),
}
"""What may be left of a store: by a process that ended, by one that was killed, by who copied what such a one left."""

Small = Callable[[str], Path]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Small]:
    """Makes a file system of some size, and takes it away after the test."""
    mounted: list[Path] = []

    def mount(size: str) -> Path:
        path = tmp_path / f"small{len(mounted)}"
        path.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("mounting is not allowed here")
        mounted.append(path)
        return path

    yield mount
    for path in mounted:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.fixture
def left(tmp_path: Path) -> Callable[[str, Path], tuple[Path, object]]:
    """Puts what is left of a store into a folder; its path there, and what stands in it."""

    def leave(how: str, folder: Path) -> tuple[Path, object]:
        store = open_store(str(tmp_path / "x.db"))
        lease = store.lease("r1")
        store.create_run(run_record(), [("s", True)])
        commit(store, Checkpoint(1, successes=[successes(range(500))]))
        if how == "ended":
            store.close()
            seen = open_store(str(tmp_path / "x.db"), Opening("look"))
        else:
            seen = store
        content = picture(seen, "r1")
        for name in LEFT[how]:
            shutil.copy(tmp_path / name, folder / name)
        shutil.copytree(tmp_path / "x.db.locks", folder / "x.db.locks")
        seen.close()
        lease.release()
        return folder / "x.db", content

    return leave


@contextmanager
def closing_all() -> Iterator[list[Store]]:
    opened: list[Store] = []
    try:
        yield opened
    finally:
        for store in opened:
            store.close()


@pytest.mark.fault("H04")
@pytest.mark.parametrize("how", LEFT)
@pytest.mark.promise("10.18")
def test_a_store_on_a_read_only_file_system_can_be_looked_at(left, small: Small, how: str) -> None:
    folder = small("20m")
    path, content = left(how, folder)
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    warnings: list[str] = []
    for _ in range(2):
        store = open_store(str(path), Opening("look", warn=warnings.append))
        assert picture(store, "r1") == content
        store.close()
    assert warnings == []
    for purpose in ("run", "resume"):
        with pytest.raises(StoreError, match="cannot be") as caught:
            open_store(str(path), Opening(purpose)).lease("r1")
        assert str(path) in caught.value.message
        assert "writable" in caught.value.hint
    assert sorted(entry.name for entry in folder.iterdir()) == sorted([*LEFT[how], "x.db.locks"])


@pytest.mark.fault("H01")
@pytest.mark.parametrize("how", LEFT)
def test_a_store_on_a_full_disk_can_be_looked_at(left, small: Small, how: str) -> None:
    folder = small("2m")
    path, content = left(how, folder)
    with pytest.raises(OSError, match="No space"), open(folder / "filler", "wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    store = open_store(str(path), Opening("look"))
    assert picture(store, "r1") == content
    store.close()
    for purpose in ("run", "resume"):
        with pytest.raises(StoreFull, match="no space left") as caught, closing_all() as opened:
            opened.append(open_store(str(path), Opening(purpose, patience_s=0.1)))
            opened[0].lease("r1")
            commit(opened[0], Checkpoint(1, successes=[successes(range(500, 20_000))]))
        assert str(path) in caught.value.message
        assert "make room" in caught.value.hint
    (folder / "filler").unlink()
    store = open_store(str(path), Opening("resume"))
    assert picture(store, "r1") == content
    store.close()
