"""The error tree: every failure has a name, a place and a hint. Failures of items are values (`model.Failure`), not here.

    BatchworkError                a person can do something about it; never shown with a traceback
    ├── UsageError                exit 2  the command line is wrong
    ├── WorkflowError             exit 2  the workflow is wrong; carries every Problem found
    ├── StoreError                exit 4  the store is damaged, full, not writable, of another version
    │   ├── NothingStored         exit 4  nothing has been recorded in it yet
    │   ├── StoreFull             exit 4  no space left (also: file too large)
    │   └── StoreVersionError     exit 4  written by a newer batchwork
    ├── RunRefused                exit 4  the run is missing, or its workflow changed
    │   └── RunLocked             exit 4  another process works on the run
    ├── TooManyFiles              exit 4  the process may open no more files
    ├── NodesGone                 exit 4  no machine of the cluster is there, or none is left (the run is interrupted)
    ├── OutputError           exit 4  a file of results or standard output cannot be written
    ├── SourceError               exit 1  the items of a step cannot be read to their end (the step fails)
    ├── WorkerError               exit 1  workers of a step cannot be started or prepared (the step fails)
    └── RenderError               a template failed on the values of one unit (that unit fails)
        └── BindError             a value cannot be carried by the channel (NUL in a command, lone surrogate in HTTP)
            └── OptionLikeValue   a value would be taken for an option of a command

Anything else that escapes is a bug and shows its traceback.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import NamedTuple


class Place(NamedTuple):
    """Where something was written. Lines and columns count from 1; 0 means the place is not known."""

    file: str = ""
    line: int = 0
    column: int = 0
    flat: bool = False
    """Of a text: that its lines are not lines of the file, as in "one\\ntwo"."""

    def below(self, lines: int, columns: int = 0) -> Place:
        """The place in the text that begins here, so many lines below; where lines mean nothing, where it begins."""
        if not self.line or (self.flat and lines):
            return self
        return Place(self.file, self.line + lines, self.column + columns)

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"


NOWHERE = Place()


class Problem(NamedTuple):
    """One thing that is wrong (or, as a warning, risky) in what a person wrote. `excerpt` is the line that it is about."""

    place: Place
    message: str
    hint: str = ""
    excerpt: str = ""

    def __str__(self) -> str:
        lines = [": ".join(filter(None, (str(self.place), self.message)))]
        if self.place.line:
            lines.append(" | ".join(filter(None, (f"line {self.place.line}", self.excerpt))))
        if self.hint:
            lines.append(self.hint)
        return "\n    ".join(lines)


class BatchworkError(Exception):
    """Something that a person can mend. `hint` says how."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(BatchworkError):
    """The command line is wrong; nothing ran."""

    exit_code = 2


class WorkflowError(BatchworkError):
    """The workflow is wrong; nothing ran. `problems` holds all that were found, in the order of the file."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.place))
        super().__init__("\n".join(map(str, self.problems)))


class StoreError(BatchworkError):
    """The store cannot be used."""

    exit_code = 4


class NothingStored(StoreError):
    """Nothing has been recorded in the store yet."""


class StoreFull(StoreError):
    """There is no space left for the store."""


class StoreVersionError(StoreError):
    """The store was written by a newer batchwork."""


class RunRefused(BatchworkError):
    """The run cannot be continued as asked."""

    exit_code = 4


class RunLocked(RunRefused):
    """Another process works on the run."""


class TooManyFiles(BatchworkError):
    """The process may open no more files."""

    exit_code = 4

    def __init__(self) -> None:
        super().__init__("too many files are open", MORE_FILES)


MORE_FILES = "raise the limit of open files (`ulimit -n`), or lower `max_parallel`"


def lacks_files(error: BaseException | None) -> bool:
    """Whether an error, or one that it followed from, is that no more files may be opened."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return True
        error = error.__cause__ or error.__context__
    return False


class NodesGone(BatchworkError):
    """There is no node to work on, and none comes. What was recorded is there, and the run can be resumed."""

    exit_code = 4


class OutputError(BatchworkError):
    """What was asked for cannot be written where it was to go."""

    exit_code = 4


class SourceError(BatchworkError):
    """The items of a step cannot be read to their end."""


class WorkerError(BatchworkError):
    """The workers of a step cannot be started or prepared."""


class RenderError(BatchworkError):
    """A template failed on the values of one unit. `failure_type` is what that unit's failure is called."""

    failure_type = "template"


class BindError(RenderError):
    """A value cannot be carried to where it is needed."""

    failure_type = "refused"


class OptionLikeValue(BindError):
    """A value would be taken for an option of the command that it is an argument of."""

    failure_type = "option-like value"
