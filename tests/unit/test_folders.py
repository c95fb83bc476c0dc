"""State folders: private, ours, and not reached through links."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from batchwork import folders
from batchwork.errors import StoreError
from batchwork.folders import STATE_FOLDER, check_state_folder, keep_private, private_folder
from batchwork.ports import Opening
from batchwork.store import open_store

OTHER = 65534


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not root, whoever runs the tests; files of theirs belong to them."""
    uid = os.geteuid() or 1000
    monkeypatch.setattr(folders.os, "geteuid", lambda: uid)


@pytest.mark.promise("10.15")
def test_a_folder_and_those_above_it_are_made_private_whatever_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        private_folder(str(tmp_path / "a" / "b"))
    finally:
        os.umask(umask)
    assert (mode(tmp_path / "a"), mode(tmp_path / "a" / "b")) == (0o700, 0o700)


def test_no_folder_is_made_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("link", "dangling"):
        with pytest.raises(OSError, match="symbolic link"):
            private_folder(str(tmp_path / name))
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        private_folder(str(tmp_path / "file"))


@pytest.mark.parametrize("purpose", ["run", "resume", "look"])
@pytest.mark.promise("10.16")
def test_a_linked_state_folder_is_refused_whatever_it_is_opened_for(here: Path, purpose: str) -> None:
    (here / "elsewhere").mkdir()
    open_store("elsewhere").close()
    before = sorted(os.listdir(here / "elsewhere"))
    (here / STATE_FOLDER).symlink_to("elsewhere")
    with pytest.raises(StoreError, match="symbolic link to elsewhere"):
        open_store(None, Opening(purpose))  # type: ignore[arg-type]
    assert sorted(os.listdir(here / "elsewhere")) == before


@pytest.mark.promise("10.16")
def test_one_that_was_named_may_be_a_link_to_a_folder_of_ours(here: Path) -> None:
    (here / "elsewhere").mkdir()
    (here / "link").symlink_to("elsewhere")
    open_store("link").close()
    assert (here / "elsewhere" / "state.db").exists()
    assert mode(here / "elsewhere") == 0o700
    open_store(str(here / "link"), Opening("look")).close()


@pytest.mark.parametrize("part", ["state.db", "logs", "runs", "state.db-wal", "state.db.locks", ".gitignore"])
@pytest.mark.parametrize("named", [None, "named"])
@pytest.mark.promise("10.16")
def test_links_inside_are_never_followed(here: Path, part: str, named: str | None) -> None:
    (here / "target").mkdir()
    folder = here / (named or STATE_FOLDER)
    folder.mkdir()
    (folder / part).symlink_to(here / "target")
    for purpose in ("run", "look"):
        with pytest.raises(StoreError, match=f"{part}: it is a symbolic link"):
            open_store(named, Opening(purpose))  # type: ignore[arg-type]
    assert os.listdir(here / "target") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.promise("10.16")
def test_a_folder_of_somebody_else_is_refused_but_for_root_who_names_it(here: Path) -> None:
    for name in (STATE_FOLDER, "named"):
        (here / name).mkdir()
        os.chown(here / name, OTHER, OTHER)
    with pytest.raises(StoreError, match=f"belongs to .*{OTHER}"):
        open_store()
    open_store("named").close()
    assert (here / "named" / "state.db").exists()
    assert os.stat(here / "named").st_uid == OTHER


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.usefixtures("as_user")
def test_who_is_not_root_may_not_name_a_folder_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("theirs")
    (tmp_path / "theirs").mkdir()
    for name in ("theirs", "link"):
        for named in (False, True):
            with pytest.raises(StoreError, match="belongs to" if named or name == "theirs" else "symbolic link"):
                check_state_folder(str(tmp_path / name), named=named)


@pytest.mark.promise("9.28")
def test_what_is_ours_becomes_private_and_stays_out_of_version_control(here: Path) -> None:
    folder = here / STATE_FOLDER
    (folder / "logs").mkdir(parents=True)
    (folder / "state.db").write_bytes(b"")
    for path, loose in ((folder, 0o755), (folder / "logs", 0o777), (folder / "state.db", 0o644)):
        path.chmod(loose)
    open_store().close()
    assert (mode(folder), mode(folder / "logs"), mode(folder / "state.db")) == (0o700, 0o700, 0o600)
    ignored = (folder / ".gitignore").read_text().splitlines()
    assert "*" in ignored and mode(folder / ".gitignore") == 0o600
    for path in folder.rglob("*"):
        assert mode(path) & 0o077 == 0, path


def test_an_ignore_file_of_the_users_own_is_left_alone(here: Path) -> None:
    (here / STATE_FOLDER).mkdir()
    (here / STATE_FOLDER / ".gitignore").write_text("mine\n")
    open_store().close()
    assert (here / STATE_FOLDER / ".gitignore").read_text() == "mine\n"


def test_a_folder_that_holds_other_things_keeps_its_mode(here: Path) -> None:
    (here / "project").mkdir()
    (here / "project" / "readme").write_text("")
    (here / "project").chmod(0o755)
    (here / "project" / "readme").chmod(0o644)
    open_store("project").close()
    assert mode(here / "project") == 0o755 and mode(here / "project" / "readme") == 0o644
    assert mode(here / "project" / "state.db") == 0o600
    assert not (here / "project" / ".gitignore").exists()


def test_the_folder_of_a_file_is_left_alone(here: Path) -> None:
    (here / "shared").mkdir(mode=0o755)
    (here / "shared").chmod(0o755)
    open_store("shared/x.db").close()
    assert mode(here / "shared") == 0o755 and mode(here / "shared" / "x.db") == 0o600
    assert not (here / "shared" / ".gitignore").exists()


def test_looking_changes_nothing(here: Path) -> None:
    open_store().close()
    (here / STATE_FOLDER).chmod(0o755)
    (here / STATE_FOLDER / ".gitignore").unlink()
    open_store(None, Opening("look")).close()
    assert mode(here / STATE_FOLDER) == 0o755 and not (here / STATE_FOLDER / ".gitignore").exists()


def test_what_cannot_be_changed_stays(tmp_path: Path) -> None:
    keep_private(str(tmp_path / "missing"), ours=True)
    assert not (tmp_path / "missing").exists()
