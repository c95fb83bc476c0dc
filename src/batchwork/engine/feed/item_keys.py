"""The keys of items, as the plan says: by default, a fixed one, or a rendered template."""

from __future__ import annotations

from collections.abc import Sequence

from batchwork.engine.unit.brief import StepBrief
from batchwork.errors import RenderError, SourceError
from batchwork.items.keys import default_keys
from batchwork.plan.model import BatchPlan
from batchwork.template import Template
from batchwork.text.jsontext import Json, encode


class ItemKeys:
    """Gives items their keys, in which secrets are masked."""

    def __init__(self, order: StepBrief, batch: BatchPlan) -> None:
        self._scope, self._censor = order.scope, order.censor
        self._written, self._arg_name = batch.key, batch.arg_name

    def of(self, values: Sequence[Json], position: int) -> Sequence[str]:
        """The keys of items, the first of which stands at `position`. Raises SourceError."""
        return self._censor.keys(self._plain(values, position))

    def _plain(self, values: Sequence[Json], position: int) -> Sequence[str]:
        written = self._written
        if written is None:
            return default_keys(values, position)
        if isinstance(written, str):
            return [written] * len(values)
        return [self._rendered(written, value, index) for index, value in enumerate(values, position)]

    def _rendered(self, template: Template, value: Json, index: int) -> str:
        scope = {**self._scope, "item": value, "index": index}
        if self._arg_name is not None:
            scope[self._arg_name] = value
        try:
            key = template.render(scope)
        except RenderError as error:
            raise SourceError(f"key of item {index} (from 0): {error.message}", error.hint) from error
        if isinstance(key, str):
            return key
        return encode(key)
