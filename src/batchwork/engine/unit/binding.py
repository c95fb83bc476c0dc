"""From units to payloads: the names that a unit has in templates and code, and the binding of a program to them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from batchwork.engine.unit.attempt import Piece
from batchwork.engine.unit.brief import StepBrief
from batchwork.errors import RenderError
from batchwork.model import BAD_ROW, BatchView, Failure, Units
from batchwork.ports import BadRow, Program, Row, any_bad
from batchwork.text.jsontext import Json
from batchwork.text.wording import only_if

TOKEN_KEY_MAX = 100


def token(origin: str, key: str) -> str:
    """The idempotency key of a unit: the same across attempts and resumes, printable ASCII without spaces."""
    simple = len(key) <= TOKEN_KEY_MAX and key.isascii() and key.isprintable() and " " not in key
    if simple:
        return f"{origin}/{key}"
    import hashlib  # most keys are simple

    return f"{origin}/{hashlib.sha256(key.encode()).hexdigest()[:32]}"


class Bound(Struct, frozen=True):
    """Units with their payloads, and those (by offset in the piece) that could not be bound."""

    units: Units
    payloads: Sequence[Json]
    refused: Sequence[tuple[int, Failure]]


class Binding:
    """A step's program and the names that are the same for all units."""

    def __init__(self, brief: StepBrief, program: Program) -> None:
        self._program = program
        self._origin = brief.origin
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
        unread = _bad_rows(piece.units)
        if not unread:
            return self._bound(piece.units, piece.attempt)
        left_out = {offset for offset, _ in unread}
        readable = [offset for offset in range(len(piece.units)) if offset not in left_out]
        bound = self._bound(piece.units.pick(readable), piece.attempt)
        refused = [(readable[offset], failure) for offset, failure in bound.refused]
        return Bound(bound.units, bound.payloads, sorted([*unread, *refused], key=_offset))

    def _bound(self, units: Units, attempt: int) -> Bound:
        if self._program.takes_item:
            return Bound(units, units.values, ())
        payloads: list[Json] = []
        good: list[int] = []
        refused: list[tuple[int, Failure]] = []
        for offset in range(len(units)):
            try:
                payloads.append(self._program.bind(self.scope(units, offset, attempt)))
                good.append(offset)
            except RenderError as error:
                refused.append((offset, _refusal(error)))
        if refused:
            units = units.pick(good)
        return Bound(units, payloads, refused)

    def scope(self, units: Units, offset: int, attempt: int) -> dict[str, object]:
        """All names of one unit. Valid until the next call."""
        scope, key, value = self._scope, units.keys[offset], units.values[offset]
        for name in self._item_names:
            scope[name] = value
        scope["key"] = key
        scope["index"] = units.indexes[offset]
        scope["attempt"] = attempt
        scope["idempotency_key"] = token(self._origin, key)
        if units.batches is not None:
            batch = units.batches[offset]
            scope["batch"] = BatchView(batch.index, batch.items, batch.total, value)
        return scope


def _offset(refused: tuple[int, Failure]) -> int:
    return refused[0]


def _bad_rows(units: Units) -> list[tuple[int, Failure]]:
    """Those of the units that are rows which cannot be read, by offset, with why."""
    values: Sequence[Row] = units.values
    if not any_bad(values):
        return []
    rows = [(offset, row) for offset, row in enumerate(values) if isinstance(row, BadRow)]
    return [(offset, _failure(BAD_ROW, row.message, row.hint)) for offset, row in rows]


def _refusal(error: RenderError) -> Failure:
    """Why a unit cannot be bound."""
    return _failure(error.failure_type, error.message, error.hint)


def _failure(kind: str, message: str, hint: str) -> Failure:
    return Failure(kind, message + only_if(hint, f" ({hint})"), retryable=False)
