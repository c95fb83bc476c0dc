"""The part of the store contract about writing: runs, steps, checkpoints. Subclass StoreContract, not this."""

from __future__ import annotations

import threading
from functools import partial

from batchwork.errors import RunRefused, StoreError
from batchwork.model import (
    AttemptRecord,
    Checkpoint,
    Claim,
    Counts,
    Handled,
    LogRecord,
    RunningUnit,
    RunStatus,
    StepStatus,
    Successes,
    UnitNote,
    UnitRecord,
)
from batchwork.ports import RunChange, StepChange
from batchwork.step_notes import NeedSkipped
from batchwork.testing.store_case import (
    BROKE,
    EXITED,
    FAILED,
    INTERRUPTED,
    PENDING,
    SKIPPED,
    SUCCEEDED,
    StoreCase,
    assert_raises,
    commit,
    picture,
    run_record,
    successes,
    unit,
)


class StoreWriting(StoreCase):
    """What is written is what is there."""

    def test_a_run_and_its_steps_come_back_as_written(self) -> None:
        store = self.store()
        run = run_record()
        store.create_run(run, [("first", True), ("second", False)])
        assert store.run("r1") == run
        assert store.run("r2") is None
        steps = store.steps("r1")
        assert [(step.name, step.order, step.batch, step.status) for step in steps] == [
            ("first", 0, True, StepStatus.PENDING),
            ("second", 1, False, StepStatus.PENDING),
        ]
        assert steps[0].number != steps[1].number
        assert steps[0].counts == Counts()
        store.close()

    def test_a_taken_or_odd_id_is_refused(self) -> None:
        with self._open() as (store, _):
            assert_raises(RunRefused, lambda: store.create_run(run_record(), [("other", True)]))
            assert [step.name for step in store.steps("r1")] == ["s"]
            for odd in ("", ".", "..", ".a", "a/b", "a b", "x" * 65, "ü", "a\n"):
                assert_raises(RunRefused, partial(store.create_run, run_record(odd), []))

    def test_runs_are_listed_newest_first(self) -> None:
        with self._open() as (store, _):
            store.create_run(run_record("r3", 3_000), [])
            store.create_run(run_record("r2", 2_000), [])
            assert [run.id for run in store.runs()] == ["r3", "r2", "r1"]

    def test_a_run_is_forgotten_whole_and_others_stay_as_they_are(self) -> None:
        with self._open() as (store, step):
            store.create_run(run_record("r2", 2_000), [("s", True), ("t", False)])
            other = store.steps("r2")[0].number
            for number in (step, other):
                units = [unit(1, FAILED, 1, BROKE)]
                logs, attempts = [LogRecord(1, 1, "out")], [AttemptRecord(1, 1, BROKE, 5, 6)]
                commit(store, Checkpoint(number, (), [successes([0])], units, attempts, logs, counts=Counts(2, 1, 1)))
            before = picture(store, "r2")
            store.forget("r1")
            store.forget("nobody")
            assert (store.run("r1"), store.steps("r1")) == (None, [])
            assert [run.id for run in store.runs()] == ["r2"]
            assert store.give_back() >= 0
            assert picture(store, "r2") == before
            store.create_run(run_record("r1", 3_000), [("s", True)])
            assert store.steps("r1")[0].counts == Counts()
            assert store.units(store.steps("r1")[0].number) == []

    def test_fields_of_runs_and_steps_can_be_changed_and_others_stay(self) -> None:
        with self._open() as (store, step):
            store.update_run("r1", RunChange(status=RunStatus.PARTIAL, ended_ms=7, window="8 items", options='{"x":1}'))
            run = store.run("r1")
            assert run is not None
            assert (run.status, run.ended_ms, run.window, run.options) == (RunStatus.PARTIAL, 7, "8 items", '{"x":1}')
            counts = Counts(9, 1, 2, 3)
            store.update_step(step, StepChange(status=StepStatus.FAILED, counts=counts, result="[1]", failure=BROKE))
            store.update_step(step, StepChange(started_ms=5, duration_ms=6, stale=True, note=NeedSkipped("é")))
            found = store.steps("r1")[0]
            assert (found.status, found.counts, found.result, found.failure) == (
                StepStatus.FAILED,
                counts,
                "[1]",
                BROKE,
            )
            assert (found.started_ms, found.duration_ms, found.stale, found.note) == (5, 6, True, NeedSkipped("é"))

    def test_steps_can_be_put_in_a_new_order(self) -> None:
        with self._open() as (store, step):
            store.add_steps("r1", [("new", False), ("s", True)])
            assert [(found.name, found.number == step) for found in store.steps("r1")] == [("new", False), ("s", True)]

    def test_a_step_that_is_no_longer_there_leaves_and_may_come_again(self) -> None:
        with self._open() as (store, step):
            commit(store, Checkpoint(step, successes=[successes([0])], counts=Counts(1, 1)))
            for _ in range(2):
                store.add_steps("r1", [("new", False)])
                assert [found.name for found in store.steps("r1")] == ["new"]
            store.add_steps("r1", [("s", True), ("new", False)])
            again = store.steps("r1")
            assert [found.name for found in again] == ["s", "new"]
            assert (again[0].number, again[0].counts) == (step, Counts(1, 1))
            assert store.count(step).succeeded == 1

    def test_what_is_recorded_comes_back(self) -> None:
        with self._open() as (store, step):
            failed = unit(
                1, FAILED, 2, BROKE, duration_us=3, started_ms=4, worker="w", base=1, doubts=2, note=UnitNote.MASKED
            )
            first, second = AttemptRecord(1, 1, EXITED, 5, 6, "w"), AttemptRecord(1, 2, BROKE, 7, 8)
            logs = [LogRecord(1, 1, "out\n"), LogRecord(1, 2, "ü")]
            commit(
                store, Checkpoint(step, (), [successes([0])], [failed], [first, second], logs, counts=Counts(2, 1, 1))
            )
            good, bad = store.units(step)
            assert good.record.result == "0"
            assert (good.record.value, good.record.duration_us, good.record.worker) == ('"v0"', 10, "w1")
            assert (bad.record, bad.status, bad.step) == (failed, "failed", "s")
            assert store.attempts(step, 1) == [first, second]
            assert store.logs(step, 1) == logs
            assert store.attempts(step, 0) == []
            assert store.steps("r1")[0].counts == Counts(2, 1, 1) == store.count(step)

    def test_running_units_are_shown_while_their_run_lives_and_until_they_end(self) -> None:
        with self._open() as (store, step):
            lease = store.lease("r1")
            running = [RunningUnit(seq, seq, f"k{seq}", 2, 17, "w", f"out {seq}", "err") for seq in (1, 3)]
            commit(store, Checkpoint(step, running=running, counts=Counts(8, running=5)))
            assert store.steps("r1")[0].counts == Counts(8, running=5)
            shown = [(view.record.key, view.status, view.record.attempts) for view in store.units(step, "running")]
            assert shown == [("k1", "running", 2), ("k3", "running", 2)]
            assert [view.record.key for view in store.units(step)] == ["k1", "k3"]
            assert [log.text for log in store.logs(step, 1)] == ["out 1", "err"]
            commit(store, Checkpoint(step, successes=[successes([1])]))
            assert [view.record.key for view in store.units(step, "running")] == ["k3"]
            assert store.logs(step, 1) == []
            commit(store, Checkpoint(step, running=[]))
            assert store.units(step, "running") == []
            commit(store, Checkpoint(step, running=running[1:]))
            lease.release()
            assert store.units(step, "running") == []
            assert store.logs(step, 3) == []

    def test_a_unit_that_is_final_is_never_changed(self) -> None:
        with self._open() as (store, step):
            commit(
                store,
                Checkpoint(step, successes=[successes([0])], records=[unit(1, FAILED, 1, BROKE), unit(2, SKIPPED)]),
            )
            before = store.units(step)
            wrong = Successes(9, 9, "x", [0, 1, 2], [0, 1, 2], list("abc"), [None] * 3, ["9"] * 3, [9] * 3)
            commit(store, Checkpoint(step, successes=[wrong]))
            commit(store, Checkpoint(step, records=[unit(seq, PENDING, 9, EXITED) for seq in range(3)]))
            assert store.units(step) == before

    def test_a_checkpoint_that_is_executed_twice_changes_nothing(self) -> None:
        with self._open() as (store, step):
            checkpoint = Checkpoint(
                step,
                claims=[Claim(7, 1, [10, 11], ["k10", "k11"]), Claim(8, 1, [12], ["k12"])],
                successes=[successes(range(5))],
                records=[unit(5, FAILED, 1, BROKE, handled=False), unit(6, PENDING, 1, EXITED)],
                attempts=[AttemptRecord(5, 1, BROKE, 1, 2), AttemptRecord(6, 1, EXITED, 1, 2)],
                logs=[LogRecord(5, 1, "text")],
                handled=[Handled(5, EXITED)],
                ended=[8],
                counts=Counts(None, 5, 1),
            )
            commit(store, checkpoint)
            before = picture(store, "r1")
            commit(store, checkpoint)
            assert picture(store, "r1") == before

    def test_none_leaves_what_there_was_and_a_success_has_no_failure(self) -> None:
        with self._open() as (store, step):
            first = unit(0, PENDING, 1, BROKE, result="1", members='["a"]', base=1, doubts=2)
            commit(store, Checkpoint(step, records=[first]))
            commit(store, Checkpoint(step, records=[UnitRecord(0, None, "k0", INTERRUPTED, 2, base=1, doubts=2)]))
            record = store.units(step)[0].record
            assert (record.index, record.value, record.members, record.result) == (0, '"v0"', '["a"]', "1")
            assert (record.status, record.attempts, record.failure) == (INTERRUPTED, 2, BROKE)
            commit(store, Checkpoint(step, successes=[successes([0], attempt=3)]))
            record = store.units(step)[0].record
            assert (record.status, record.attempts, record.failure, record.result) == (SUCCEEDED, 3, None, "0")
            assert (record.base, record.doubts, record.members) == (1, 2, '["a"]')

    def test_large_calls_are_recorded_whole(self) -> None:
        with self._open() as (store, step):
            start = 0
            for size in (1, 19, 20, 21, 199, 200, 201, 433, 1000):
                commit(store, Checkpoint(step, successes=[successes(range(start, start + size))]))
                start += size
            assert store.results(step, 0, start + 9) == [str(seq) for seq in range(start)]
            assert store.count(step) == Counts(None, start)

    def test_commits_are_reported_once_and_in_order(self) -> None:
        with self._open() as (store, step):
            reported: list[tuple[int, Exception | None]] = []
            done = threading.Event()

            def committed(seq: int, error: Exception | None) -> None:
                reported.append((seq, error))
                if seq == 299:
                    done.set()

            for seq in range(300):
                checkpoint = Checkpoint(step, successes=[successes([seq])], counts=Counts(None, seq + 1))
                store.submit(checkpoint, lambda error, seq=seq: committed(seq, error))  # type: ignore[misc]
            assert done.wait(60)
            assert reported == [(seq, None) for seq in range(300)]
            assert store.steps("r1")[0].counts == Counts(None, 300) == store.count(step)

    def test_a_step_that_does_not_exist_is_an_error(self) -> None:
        with self._open() as (store, step):
            assert_raises(StoreError, lambda: commit(store, Checkpoint(step + 1000, successes=[successes([0])])))

    def test_handled_failures_are_noted(self) -> None:
        with self._open() as (store, step):
            commit(store, Checkpoint(step, records=[unit(seq, FAILED, 1, BROKE, handled=False) for seq in range(3)]))
            commit(store, Checkpoint(step, handled=[Handled(0), Handled(1, EXITED)]))
            views = store.units(step, FAILED)
            assert [view.record.handled for view in views] == [True, True, False]
            assert [view.handler_failure for view in views] == [None, EXITED, None]

    def test_text_that_is_no_utf8_does_no_harm(self) -> None:
        with self._open() as (store, step):
            odd = "a\ud800b"
            rows = Successes(1, 1, "w", [0], [0], [odd], [None], ["1"], [1])
            commit(store, Checkpoint(step, [Claim(1, 1, [1], [odd])], [rows], logs=[LogRecord(0, 1, odd)]))
            assert store.match(step, [odd])[odd].seq == 0
            assert store.logs(step, 0)[0].text in {odd, "a\\ud800b"}

    def test_nul_and_control_characters_come_back(self) -> None:
        with self._open() as (store, step):
            keys = ["", "\x00", "a\x00b", "\n", "'\"\\", "🎉"]
            rows = Successes(1, 1, "w", range(6), range(6), keys, [None] * 6, ["1"] * 6, [1] * 6)
            commit(store, Checkpoint(step, [Claim(1, 1, range(10, 16), keys)], [rows]))
            assert [view.record.key for view in store.units(step, SUCCEEDED)] == keys
            assert {key: record.seq for key, record in store.match(step, keys).items()} == dict(
                zip(keys, range(6), strict=True)
            )
            assert store.claims(step)[0].keys == keys
