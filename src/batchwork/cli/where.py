"""From `--store PATH_OR_URL` to where the store and the files of runs are. Nothing is opened or made here."""

from __future__ import annotations

import os

from msgspec import Struct

FOLDER = ".batchwork"
FILE = "state.db"


class Where(Struct, frozen=True):
    """`store` is what `open_store` takes; `state_dir`, absolute, holds the logs and folders of runs."""

    store: str
    state_dir: str


def place(said: str | None) -> Where:
    """Where things are: in .batchwork, in the folder that was named, or in and beside the file (`x.db`, `x.db.d/`)."""
    if said is None:
        said = FOLDER
    elif "://" in said or said in ("", "memory:"):
        return Where(said, os.path.abspath(FOLDER))
    elif _is_file(said):
        return Where(said, f"{os.path.abspath(said)}.d")
    return Where(os.path.join(said, FILE), os.path.abspath(said))


def _is_file(path: str) -> bool:
    """Whether a file is meant: it is one, or has a name like one."""
    return os.path.isfile(path) or (
        bool(os.path.splitext(path)[1]) and not path.endswith("/") and not os.path.isdir(path)
    )
