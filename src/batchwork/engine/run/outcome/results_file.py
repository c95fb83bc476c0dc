"""The file of a step's results: it grows while the step runs, and takes its name when every unit has an outcome.

A thread of its own follows the store, so that nobody waits for a file. Positions may change while a source is read again;
then the file is written at the end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from threading import Event, Thread
from typing import Final

from batchwork.engine.run.outcome.hidden import without_secrets
from batchwork.engine.unit.brief import Start, StepBrief
from batchwork.errors import OutputError, UsageError
from batchwork.export.layout import TableSpec
from batchwork.export.rows import RowReader, UnitRows
from batchwork.export.sink import Sink, unwritable
from batchwork.export.table import laid_out, load, spec_for, write_rows, writer_of
from batchwork.export.target import IN_A_NAME, Target, target_of
from batchwork.faults import fault
from batchwork.plan.model import ResultsPlan
from batchwork.ports import Store
from batchwork.template import Value

LOOK_S: Final = 1.0
"""How often the thread looks for further outcomes."""


class _GivenUp(Exception):
    """The file is not wanted."""


def target_for(to: Value, shape: str | None, brief: StepBrief) -> Target:
    """What `to` names for this step. Raises UsageError, RenderError, OutputError."""
    target = target_of(to.text(brief.scope), shape)
    if target.is_url:
        return target
    if (shown := brief.censor.text(target.place)) != target.place:
        raise UsageError(f"a secret would stand in the name of the file {shown}", IN_A_NAME)
    return _beside(target, brief.setting.cwd)


def _beside(target: Target, cwd: str) -> Target:
    """The target with a path that begins where batchwork was started; its folder is made."""
    path = os.path.join(cwd, target.place)
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {folder} cannot be made: {error.strerror}") from error
    return Target(path, target.format, target.compression)


class ResultsFile(Thread):
    """The file of one step while the step goes on. It is opened at once. Raises BatchworkError where that cannot be done."""

    def __init__(self, plan: ResultsPlan, brief: StepBrief, store: Store) -> None:
        super().__init__(name=f"results of {brief.plan.name}", daemon=True)
        batch = brief.plan.batch
        batches = batch is not None and batch.each == "batch"
        self._target = target_for(plan.to, plan.format, brief)
        columns = without_secrets(plan.columns, brief.censor)
        self._spec = spec_for(self._target.format, TableSpec(columns, plan.join, batches, constants=brief.scope))
        self._reader = RowReader(store, brief.number, items=self._spec.wants_items, failures=self._spec.wants_failures)
        self._grows = brief.start is Start.FRESH and not self._target.is_url
        self._sink = None if self._target.is_url else Sink(self._target, visible=True)
        load(self._target.format)
        self._over, self._given_up = Event(), False
        self._error: Exception | None = None
        self.start()

    def finish(self) -> None:
        """Every unit has its outcome: write the rest. Raises OutputError, StoreError."""
        self._over.set()
        self.join()
        if self._error is not None:
            raise self._error
        fault("results.write")
        assert self._sink is not None
        self._sink.commit()
        fault("results.written")

    def give_up(self) -> None:
        """There is no file."""
        self._given_up = True
        self._over.set()
        self.join()
        if self._sink is not None:
            self._sink.discard()

    def run(self) -> None:
        """What the thread does."""
        try:
            if not self._grows:
                self._wait()
            self._sink = self._sink or Sink(self._target)
            write_rows(laid_out(self._rows(), self._spec), writer_of(self._target.format, self._sink.file))
        except _GivenUp:
            pass
        except OSError as error:
            self._error = unwritable(self._target, error)
        except Exception as error:  # noqa: BLE001  # raised again in the step's thread
            self._error = error

    def _wait(self) -> None:
        self._over.wait()
        if self._given_up:
            raise _GivenUp

    def _rows(self) -> Iterator[UnitRows]:
        while self._grows and not self._over.wait(LOOK_S):
            yield from self._settled()
            assert self._sink is not None
            self._sink.flush()
        for rows in self._reader.all():
            if self._given_up:
                raise _GivenUp
            fault("results.part")
            yield rows
        if self._given_up:
            raise _GivenUp

    def _settled(self) -> Iterator[UnitRows]:
        while not self._over.is_set() and (rows := self._reader.settled()) is not None:
            yield rows
