"""`error` as templates and code see it: as text its message, with the parts of the failure as attributes."""

from __future__ import annotations

from batchwork.frozen import dataclass
from batchwork.model import Failure


@dataclass(frozen=True, slots=True)
class ErrorView:
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
