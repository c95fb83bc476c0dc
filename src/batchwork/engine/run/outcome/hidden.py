"""Columns without secrets: what a template makes of parameters, the environment and earlier steps is masked before it is written."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from batchwork.censor import Censor
from batchwork.export.pages import ROW_NAMES, Getter
from batchwork.ports.recorded import ErrorView
from batchwork.template import Value, plain
from batchwork.text.jsontext import decode, encode


class Hidden(Struct, frozen=True):
    """A getter whose values have passed the censor."""

    getter: Getter
    censor: Censor

    @property
    def roots(self) -> frozenset[str]:
        return self.getter.roots

    def render(self, scope: Mapping[str, object]) -> object:
        value = self.getter.render(scope)
        if isinstance(value, ErrorView):  # as it was recorded
            return value
        text = encode(plain(value))
        kept = self.censor.text(text)
        return value if kept == text else decode(kept)


def without_secrets(columns: Mapping[str, Value] | None, censor: Censor) -> Mapping[str, Getter] | None:
    """The columns, those behind the censor that use more than the row, which the store has without secrets."""
    if columns is None or not censor.hides:
        return columns
    return {name: Hidden(value, censor) if value.roots - ROW_NAMES else value for name, value in columns.items()}
