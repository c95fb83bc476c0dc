"""The seam of journals: what workers left behind of their work, for who comes after a crash. No journal is here, see batchwork.workers.journals."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from msgspec import Struct, field

from batchwork.model import Failure


class ExecutionMark(Struct, frozen=True):
    """One execution of a run: `id` marks its processes. Its journals are in `folder` (none are kept, if that is empty).

    `boot` names the time between two starts of the machine: what was in memory then is gone now.
    """

    id: str
    boot: str = ""
    folder: str = ""


class Owner(NamedTuple):
    """The store that knows of an execution: the folder beside it, and what it is called."""

    folder: str
    store: str


NOBODY: Final = Owner("", "")


class Noted(Struct):
    """What journals say of one call, by the offsets of its units. What is `started` and nothing else may have run or not."""

    worker: str = ""
    started: set[int] = field(default_factory=set)
    done: dict[int, tuple[int, str]] = field(default_factory=dict)
    """Microseconds and result."""
    failed: dict[int, tuple[int, int, Failure]] = field(default_factory=dict)
    """Microseconds, and the wall clock (ms) at the end."""
    cancelled: set[int] = field(default_factory=set)
    logs: dict[int, str] = field(default_factory=dict)


class Journals(Protocol):
    """The journals of executions."""

    def begin(self, execution: str, spare: str | None, owner: Owner = NOBODY) -> ExecutionMark:
        """Make room for the journals of an execution: in memory, or in the folder `spare` where there is no place for them."""
        ...

    def sweep(self, owner: Owner, needed: Callable[[], Container[str]]) -> None:
        """Remove what executions left in memory that nobody will ask for: of stores that are gone, and, if it is the owner's, that are not `needed`."""
        ...

    def writers(self, marks: Sequence[ExecutionMark]) -> list[int]:
        """The workers (process ids) that may still write into journals of these executions."""
        ...

    def read(
        self, marks: Sequence[ExecutionMark], step: int, calls: Container[int] | None = None
    ) -> Mapping[int, Noted] | None:
        """What is noted of a step's `calls` (None: of all), by their numbers. None where that is not complete: then it says nothing.

        Calls that are not in it did not begin.
        """
        ...

    def forget(self, marks: Sequence[ExecutionMark], step: int) -> None:
        """A step's journals are not needed any more."""
        ...

    def left(self, marks: Sequence[ExecutionMark]) -> list[ExecutionMark]:
        """Those executions that have journals."""
        ...

    def end(self, mark: ExecutionMark) -> None:
        """An execution has ended, and all it did is recorded."""
        ...


class StepJournals(Protocol):
    """The journals of one run, as its steps need them."""

    def place(self, step: int) -> str:
        """Where the journals of a step's workers are made now; empty where none are kept."""
        ...

    def read(self, step: int, calls: Container[int] | None = None) -> Mapping[int, Noted] | None:
        """What earlier executions left of a step, as `Journals.read`."""
        ...

    def forget(self, step: int) -> None:
        """What earlier executions left of a step is recorded."""
        ...


class NoJournals:
    """StepJournals and Journals where none are kept."""

    def place(self, step: int) -> str:
        return ""

    def sweep(self, *_: object) -> None:
        """There is nothing to remove."""

    def begin(self, execution: str, spare: str | None, owner: Owner = NOBODY) -> ExecutionMark:
        return ExecutionMark(execution)

    def writers(self, marks: Sequence[ExecutionMark]) -> list[int]:
        return []

    def read(self, *_: object) -> Mapping[int, Noted] | None:
        return None

    def forget(self, *_: object) -> None:
        """There is nothing to forget."""

    def left(self, marks: Sequence[ExecutionMark]) -> list[ExecutionMark]:
        return []

    def end(self, mark: ExecutionMark) -> None:
        """There is nothing to end."""


NO_JOURNALS: Final = NoJournals()
