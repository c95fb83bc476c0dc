"""How long a worker serves: for so many units, or until an error that another worker may not have. Then one takes its place."""

from __future__ import annotations

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Mapping, Sequence

_EVER = 1 << 62


class Service:
    """What is left of a worker's service: `most` units (None: any number), and none after an error of the types `until`."""

    def __init__(self, most: int | None = None, until: Sequence[str] = ()) -> None:
        self.left = _EVER if most is None else most
        self.deadline = 0.0
        """When the call that runs is to end; what it has not started by then goes back."""
        self._until = frozenset(until)

    @property
    def over(self) -> bool:
        return self.left <= 0

    def failed(self, failure: Mapping[str, Any]) -> None:
        """Note a failure: the service, and the call, may end with it."""
        if self._until.isdisjoint((failure.get("type"), *failure.get("kinds", ()))):
            return
        self.left = 0
        self.deadline = 0.0
