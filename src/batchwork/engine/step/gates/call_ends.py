"""At which failures a call ends early, so that nothing starts that must not. Breaking a call up costs more than a unit. Pure."""

from __future__ import annotations

from msgspec import Struct

from batchwork.engine.unit.brief import StepBrief
from batchwork.model import Report


class CallEnds(Struct, frozen=True):
    """What failures mean for a step's calls.

    `in_order`: each failure of a unit is done with before the next one starts. `stops`: failures may end the step.
    """

    in_order: bool
    stops: bool
    handled: bool  # by `on_item_error`
    attempts: int
    chosen: bool  # `retry.on` says which failures are tried again

    @classmethod
    def of(cls, brief: StepBrief) -> CallEnds:
        batch, retry = brief.plan.batch, brief.plan.retry
        stops = batch is None or not batch.continue_on_error or batch.max_failures is not None
        handled = batch is not None and batch.on_item_error is not None
        return cls(brief.in_order, stops, handled, retry.max_attempts, bool(retry.on))

    @property
    def alone(self) -> bool:
        """Whether a worker must have no second call: it would start in spite of a failure in the first, or of what that gave back."""
        return self.in_order or self.stops

    def goes_on_after(self, report: Report) -> bool:
        """Whether what is claimed already starts next, and as it would, whatever is decided on the units of a report.

        Where failures may end the step, how many more may fail is known only when this report is settled.
        """
        if self.stops or report.returned or report.cancelled or report.lost or report.adrift:
            return False
        return not report.failures or not (self.handled or self.attempts > 1)

    def at(self, tries: int, spare: int | None) -> tuple[int | None, bool]:
        """For a call whose units have their `tries`th attempt: after how many failures it ends, and whether those that may
        be tried again count. `spare`: how many units may fail before that ends the step.
        """
        last = tries >= self.attempts
        if self.in_order and (self.handled or not last):
            return 1, False
        if spare is None:
            return None, False
        return spare + 1, not last and not self.chosen
