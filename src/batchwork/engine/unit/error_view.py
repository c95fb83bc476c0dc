"""What `error` is in templates and code."""

from __future__ import annotations

from msgspec import Struct

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
