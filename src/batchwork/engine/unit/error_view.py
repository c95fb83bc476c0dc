"""Failures as they may be seen: `error` of templates and code, and failures without the secrets in them."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from batchwork.model import Failure


class ErrorView(Struct, frozen=True):
    """A failure after `attempts` attempts."""

    type: str
    message: str
    attempts: int
    exit_code: int | None
    status_code: int | None

    @classmethod
    def of(cls, failure: Failure, attempts: int) -> ErrorView:
        return cls(failure.type, failure.message, attempts, failure.exit_code, failure.status_code)

    def __str__(self) -> str:
        return self.message


def masked(failure: Failure, clean: Callable[[str], str] | None) -> Failure:
    """The failure without secrets: what templates say of values has not been through a worker, which takes them out."""
    if clean is None:
        return failure
    return replace(failure, message=clean(failure.message), traceback=clean(failure.traceback))
