"""What every task type must do, as tests: subclass TaskContract for your own and run it with pytest."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from typing import get_type_hints

import msgspec
from msgspec import Meta

from batchwork.errors import NOWHERE
from batchwork.plugins import find_executor
from batchwork.ports import Compiled, Program, Scope, Setting, Task, Written
from batchwork.template import Value
from batchwork.text.jsontext import Json, canonical

UNIT: Mapping[str, Json] = {"item": "an item", "key": "k", "index": 0, "attempt": 1, "idempotency_key": "t"}
"""What units have in these tests."""


class TaskContract:
    """Subclass it and give `task`, and sound `fields`, in which templates may use the names of `UNIT`."""

    def task(self) -> Task:
        """The task type, as it is registered."""
        raise AssertionError("a subclass gives its task type")

    def fields(self) -> Mapping[str, Json]:
        """Fields as they may stand in a workflow."""
        raise AssertionError("a subclass gives fields")

    def _written(self) -> Written:
        literal = self.task().literal
        fields = {
            name: Value.constant(json) if name in literal else Value.of(json) for name, json in self.fields().items()
        }
        return Written(fields, frozenset(UNIT), NOWHERE)

    def _compiled(self) -> Compiled:
        return self.task().compile(self._written())

    def _program(self) -> Program:
        folder = tempfile.gettempdir()
        return self._compiled().program(Setting("s", {}, frozenset(UNIT), dict(os.environ), folder, folder, None))

    # ------------------------------------------------------------ what holds

    def test_the_type_and_its_fields_are_explained(self) -> None:
        task = self.task()
        assert type(task).__doc__
        for name, hint in get_type_hints(task.Fields, include_extras=True).items():
            notes = [note for note in getattr(hint, "__metadata__", ()) if isinstance(note, Meta)]
            assert any(note.description for note in notes), f"the field `{name}` has no description"

    def test_the_fields_of_the_contract_may_be_written(self) -> None:
        task = self.task()
        declared = {field.encode_name: field for field in msgspec.structs.fields(task.Fields)}
        written = self.fields()
        assert task.open_fields or written.keys() <= declared.keys()
        assert {name for name, field in declared.items() if field.required} <= written.keys()
        assert task.literal <= declared.keys()

    def test_sound_fields_compile(self) -> None:
        assert [problem.message for problem in self._compiled().problems] == []

    def test_equal_tasks_compile_alike(self) -> None:
        first, second = self._compiled(), self._compiled()
        assert canonical(first.identity) == canonical(second.identity)
        assert first.names == second.names

    def test_its_program_asks_for_workers_that_there_are(self) -> None:
        assert callable(find_executor(self._program().worker))

    def test_its_program_can_be_sent(self) -> None:
        program = self._program()
        assert canonical(dict(program.prepare))
        assert program.uses <= UNIT.keys()

    def test_units_are_bound_to_what_can_be_sent(self) -> None:
        program = self._program()
        if program.takes_item:
            return
        scope: Scope = {name: value for name, value in UNIT.items() if name in program.uses}
        assert canonical(program.bind(scope)) == canonical(program.bind(scope))
