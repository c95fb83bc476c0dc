"""A task as written, wherever its fields stood: beside its type, or under `inputs`."""

from collections.abc import Mapping

from batchwork.errors import Place
from batchwork.spec.fields.retry import AttemptSpec
from batchwork.spec.yaml.nodes import Entry


class TaskSpec(AttemptSpec, frozen=True, kw_only=True):
    """The type and the fields that the type declares; `retry` and `timeout` were written beside or among them."""

    type: str
    type_place: Place
    place: Place
    fields: Mapping[str, Entry]
