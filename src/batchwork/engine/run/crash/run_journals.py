"""The journals of one run, as its steps need them: where they make new ones, and what earlier executions left of them."""

from __future__ import annotations

import os
from collections.abc import Container, Mapping

from msgspec import Struct

from batchwork.ports.journals import ExecutionMark, Journals, Noted


class RunJournals(Struct, frozen=True):
    """See ports.StepJournals."""

    journals: Journals
    mark: ExecutionMark
    earlier: tuple[ExecutionMark, ...]

    def place(self, step: int) -> str:
        return os.path.join(self.mark.folder, str(step)) if self.mark.folder else ""

    def read(self, step: int, calls: Container[int] | None = None) -> Mapping[int, Noted] | None:
        return self.journals.read(self.earlier, step, calls)

    def forget(self, step: int) -> None:
        self.journals.forget(self.earlier, step)
