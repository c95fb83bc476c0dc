"""What is in doubt of a run that crashed, for those who only look: the same decision as a resume takes, and nothing is written."""

from __future__ import annotations

from collections.abc import Sequence

from batchwork.clock import Clock
from batchwork.engine.feed.narrow import still_in_doubt
from batchwork.engine.run.crash.fence import ALONE_S, await_writers
from batchwork.engine.run.kept_options import kept_from
from batchwork.model import Claim, RunRecord
from batchwork.ports.journals import Journals
from batchwork.ports.store import InDoubt


def doubts_seen(journals: Journals, clock: Clock) -> InDoubt:
    """Narrows claims down to what was really running. While workers are still ending, that is not known: all of it stands."""

    def narrowed(run: RunRecord, step: int, claims: Sequence[Claim]) -> Sequence[Claim]:
        marks = kept_from(run).executions
        if not claims or await_writers(marks, journals, clock, ALONE_S):
            return claims
        return still_in_doubt(claims, journals.read(marks, step, {claim.id for claim in claims}))

    return narrowed
