"""From units to payloads: the names that a unit has in templates and code, and the binding of a program to them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from batchwork.engine.unit.attempt import Piece
from batchwork.engine.unit.brief import StepBrief
from batchwork.errors import RenderError
from batchwork.model import BatchView, Failure, Units
from batchwork.ports import Program
from batchwork.text.jsontext import Json

TOKEN_KEY_MAX = 100


def token(run: str, step: str, key: str) -> str:
    """The idempotency key of a unit: the same across attempts and resumes, printable ASCII without spaces."""
    simple = len(key) <= TOKEN_KEY_MAX and key.isascii() and key.isprintable() and " " not in key
    if simple:
        return f"{run}/{step}/{key}"
    import hashlib  # most keys are simple

    return f"{run}/{step}/{hashlib.sha256(key.encode()).hexdigest()[:32]}"


class Bound(Struct, frozen=True):
    """Units with their payloads, and those (by offset in the piece) that could not be bound."""

    units: Units
    payloads: Sequence[Json]
    refused: Sequence[tuple[int, Failure]]


class Binding:
    """A step's program and the names that are the same for all units."""

    def __init__(self, brief: StepBrief, program: Program) -> None:
        self._program = program
        self._run, self._step = brief.run, brief.plan.name
        batch = brief.plan.batch
        self._item_names: list[str] = []
        if batch is not None:
            self._item_names = ["item", batch.arg_name or "item"]
        # One dict for all units, only the unit's names change: a copy for each would cost more than the rendering.
        self._scope: dict[str, object] = dict(brief.scope)

    @property
    def uses_batch(self) -> bool:
        """Whether units need their `batch`, which costs memory."""
        return "batch" in self._program.uses

    def constant(self, name: str, value: object) -> None:
        """Set a further name for all units that are bound from now on."""
        self._scope[name] = value

    def bind(self, piece: Piece) -> Bound:
        """The payloads of a piece. What cannot be rendered or carried is refused, one unit at a time."""
        units = piece.units
        if self._program.takes_item:
            return Bound(units, units.values, ())
        payloads: list[Json] = []
        good: list[int] = []
        refused: list[tuple[int, Failure]] = []
        for offset in range(len(units)):
            try:
                payloads.append(self._program.bind(self.scope(units, offset, piece.attempt)))
                good.append(offset)
            except RenderError as error:
                refused.append((offset, _refusal(error)))
        if refused:
            units = units.pick(good)
        return Bound(units, payloads, refused)

    def scope(self, units: Units, offset: int, attempt: int) -> dict[str, object]:
        """All names of one unit. Valid until the next call."""
        scope, key = self._scope, units.keys[offset]
        for name in self._item_names:
            scope[name] = units.values[offset]
        scope["key"] = key
        scope["index"] = units.indexes[offset]
        scope["attempt"] = attempt
        scope["idempotency_key"] = token(self._run, self._step, key)
        if units.batches is not None:
            batch = units.batches[offset]
            scope["batch"] = BatchView(batch.index, batch.items, batch.total, units.values[offset])
        return scope


def _refusal(error: RenderError) -> Failure:
    """Why a unit cannot be bound."""
    message = error.message
    if error.hint:
        message += f" ({error.hint})"
    return Failure(error.failure_type, message, retryable=False)
