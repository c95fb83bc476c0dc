"""Forgetting runs: which ones, and what of them lies beside the store. What is in the store is its own to remove."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from batchwork.engine.run.scope import run_folder
from batchwork.errors import RunLocked, StoreError
from batchwork.model import RunRecord, RunStatus
from batchwork.ports import Store

ENDED: Final = frozenset({RunStatus.SUCCEEDED, RunStatus.PARTIAL, RunStatus.FAILED})
"""Runs that nobody waits for: those that were interrupted, paused or killed are to be gone on with."""


def finished_runs(records: Iterable[RunRecord]) -> list[RunRecord]:
    """Those that have come to an end, in their order."""
    return [record for record in records if record.status in ENDED and not record.living]


def to_forget(latest_first: Sequence[RunRecord], keep: int, ended_before_ms: int | None) -> list[RunRecord]:
    """Of all runs those that have finished, but for the `keep` latest of these; and only those that ended before a time."""
    return [
        record
        for record in finished_runs(latest_first)[keep:]
        if ended_before_ms is None or (record.ended_ms or record.created_ms) < ended_before_ms
    ]


def forget(store: Store, state_dir: str, run: str) -> None:
    """Remove a run, its folder and its log. Raises RunLocked where somebody works on it, StoreError.

    Files go first: whoever is killed here leaves a run that is still listed, and can be forgotten again.
    """
    lease = store.lease(run)
    try:
        _remove_files(state_dir, run)
        store.forget(run)
    finally:
        lease.release()


def forget_unless_locked(store: Store, state_dir: str, run: str) -> bool:
    """The same for a run that nobody named; False where somebody works on it again. Raises StoreError."""
    try:
        forget(store, state_dir, run)
    except RunLocked:
        return False
    return True


def _remove_files(state_dir: str, run: str) -> None:
    """Links are removed, never followed."""
    folder = run_folder(state_dir, run)
    try:
        if os.path.islink(folder):
            os.unlink(folder)
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(state_dir, "logs", f"{run}.jsonl"))
    except OSError as error:
        raise StoreError(
            f"what run {run} left in {state_dir} cannot be removed: {error.filename}: {error.strerror}",
            "see who owns it, remove it, and clean again",
        ) from error
