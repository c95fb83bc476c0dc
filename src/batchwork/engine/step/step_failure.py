"""What a step says when it cannot go on: items in doubt, workers that cannot run, outcomes that cannot be recorded. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from batchwork.engine.step.checkpoint_draft import Draft
from batchwork.errors import BatchworkError, StoreError
from batchwork.model import Failure
from batchwork.text.wording import plural

IN_DOUBT = "in doubt"
"""The type of that failure."""


def lost_with_worker(keys: Sequence[str], policy: str) -> str:
    """What is said of units whose worker is gone, and what becomes of them with `on_in_doubt`."""
    what = {"retry": "run again", "fail": "fail, with `on_in_doubt: fail`", "stop": "stop the step"}[policy]
    if len(keys) == 1:
        what = {"retry": "runs again", "fail": "fails, with `on_in_doubt: fail`", "stop": "stops the step"}[policy]
    return f"a worker process was killed; {plural(len(keys), 'item')} that it ran may have been done or not, and {what}: {_shown(keys)}"


def _shown(keys: Sequence[str]) -> str:
    shown = ", ".join(keys[:10])
    if len(keys) > 10:
        shown += f" and {len(keys) - 10} more"
    return shown


def refused_in_doubt(keys: Sequence[str]) -> Failure:
    """The step's failure with `on_in_doubt: stop`."""
    message = (
        f"{len(keys)} in doubt after a crash, and `on_in_doubt: stop`: {_shown(keys)} "
        "(see what became of them, then resume with `on_in_doubt: retry` or `fail`)"
    )
    return Failure(IN_DOUBT, message, retryable=False)


def with_hint(kind: str, error: BatchworkError) -> Failure:
    """The step's failure where something that a person can mend ends it."""
    message = error.message
    if error.hint:
        message += f" ({error.hint})"
    return Failure(kind, message, retryable=False)


def unrecorded(drafts: Iterable[Draft], error: Exception) -> Exception:
    """The store's error, with how many outcomes it costs."""
    if not isinstance(error, StoreError):
        return error
    lost = sum(len(rows.seqs) for draft in drafts for rows in draft.rows.successes)
    note = ""
    if lost:
        note = f" ({lost} finished since the last commit are not recorded and will run again)"
    return type(error)(error.message + note, error.hint)
