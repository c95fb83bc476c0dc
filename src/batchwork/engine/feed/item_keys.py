"""The keys of items, as the plan says: by default, a fixed one, or a rendered template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from batchwork.engine.unit.brief import StepBrief
from batchwork.errors import RenderError
from batchwork.items.keys.guard import default_keys
from batchwork.plan.model import BatchPlan
from batchwork.ports import BadRow, Row, Rows, any_bad
from batchwork.template import Template
from batchwork.text.jsontext import encode, wash
from batchwork.text.jsontexts import Texts, values_at


class ItemKeys:
    """Gives items their keys, in which secrets are masked."""

    def __init__(self, order: StepBrief, batch: BatchPlan) -> None:
        self._scope, self._censor = dict(order.scope), order.censor
        self._written, self._arg_name = batch.key, batch.arg_name

    def read(self, page: Sequence[Row], position: int) -> tuple[Sequence[str], Sequence[Row]]:
        """The keys of items, the first of which stands at `position`, and the items. Raises SourceError.

        One that has no key is a bad row, and a bad row's key is its place.
        """
        items = page.items if isinstance(page, Rows) else page
        if isinstance(self._written, Template):
            keys, items = self._rendered(self._written, page, items, position)
        elif any_bad(items):
            keys = [self._plain(row, index) for index, row in enumerate(items, position)]
        elif self._written is None:
            keys = default_keys(items, position)  # type: ignore[arg-type]  # no bad row is among them
        else:
            keys = [self._written] * len(items)
        return self._censor.keys(keys), items

    def _rendered(
        self, template: Template, page: Sequence[Row], items: Sequence[Row], position: int
    ) -> tuple[Sequence[str], Sequence[Row]]:
        if (found := self._looked_up(template, items)) is not None:
            return found, items
        keyed = [self._keyed(template, page, offset, position) for offset in range(len(page))]
        rows = [row.value for row in keyed]
        return [row.key for row in keyed], rows if any_bad(rows) else items

    def _looked_up(self, template: Template, items: Sequence[Row]) -> list[str] | None:
        """The keys where the template is a path into items that all have a text or a whole number there, else None."""
        path = template.path
        if path is None or path[0] not in ("item", self._arg_name) or not isinstance(items, Texts):
            return None
        found: list[Any] | None = values_at(items, path[1:])
        kinds = {*map(type, found or ())}
        if kinds == {str}:
            return [*map(wash, found or ())]
        return [*map(str, found or ())] if kinds == {int} else None

    def _plain(self, row: Row, index: int) -> str:
        if isinstance(row, BadRow):
            return wash(row.key)
        return default_keys([row], index)[0] if self._written is None else str(self._written)

    def _keyed(self, template: Template, page: Sequence[Row], offset: int, position: int) -> _Keyed:
        row = page[offset]
        if isinstance(row, BadRow):
            return _Keyed(wash(row.key), row)
        scope = self._scope  # one for all items, as in a binding: a copy for each would cost more than the rendering
        scope["item"], scope["index"] = row, position + offset
        if self._arg_name is not None:
            scope[self._arg_name] = row
        try:
            key = template.render(scope)
        except RenderError as error:
            place = page.place(offset) if isinstance(page, Rows) else f"items:{position + offset}"
            text = row if isinstance(row, str) else encode(row)
            return _Keyed(place, BadRow(place, text, f"{place}: it has no key: {error.message}", error.hint))
        # As the store keeps it, so that a resume finds it again: the name of a file may have bytes that are not UTF-8.
        return _Keyed(wash(key if isinstance(key, str) else encode(key)), row)


class _Keyed(NamedTuple):
    key: str
    value: Row
