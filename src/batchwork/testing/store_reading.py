"""The part of the store contract about reading: resuming, looking, ownership, threads. Subclass StoreContract, not this."""

from __future__ import annotations

import threading

from batchwork.errors import RunLocked, StoreError
from batchwork.model import (
    AttemptRecord,
    Checkpoint,
    Claim,
    Counts,
    Handled,
    LogRecord,
    RunStatus,
    StepStatus,
    Successes,
    UnitRecord,
)
from batchwork.ports import RunChange, StepChange
from batchwork.ports.store import Sample
from batchwork.step_notes import WhenFalse
from batchwork.testing.store_case import (
    BROKE,
    EXITED,
    FAILED,
    PENDING,
    SUCCEEDED,
    StoreCase,
    assert_raises,
    commit,
    owned,
    paged,
    picture,
    successes,
    unit,
)


class StoreReading(StoreCase):
    """What is there is found again."""

    def test_claims_have_only_what_is_not_settled(self) -> None:
        with self._open() as (store, step):
            claims = [
                Claim(1, 1, [0, 1, 2], ["k0", "k1", "k2"]),
                Claim(2, 2, [5, 3], ["k5", "k3"]),
                Claim(3, 1, [8, 9], ["k8", "k9"], members=[["a", "b"], ["c"]]),
            ]
            commit(store, Checkpoint(step, claims))
            assert [(c.id, c.attempt, list(c.seqs), list(c.keys), c.members) for c in store.claims(step)] == [
                (c.id, c.attempt, list(c.seqs), list(c.keys), c.members) for c in claims
            ]
            commit(
                store,
                Checkpoint(
                    step,
                    successes=[successes([0])],
                    records=[unit(1, PENDING, 1, BROKE), unit(5, FAILED, 2, BROKE), unit(3, PENDING, 1, BROKE)],
                    attempts=[AttemptRecord(1, 1, BROKE, 0, 0), AttemptRecord(3, 1, BROKE, 0, 0)],
                    ended=[3],
                ),
            )
            assert [(c.id, list(c.seqs), list(c.keys)) for c in store.claims(step)] == [
                (1, [2], ["k2"]),
                (2, [3], ["k3"]),
            ]

    def test_the_next_number_is_beyond_units_and_claims(self) -> None:
        with self._open() as (store, step):
            assert store.next_seq(step) == 0
            commit(store, Checkpoint(step, successes=[successes([0, 4])]))
            assert store.next_seq(step) == 5
            commit(store, Checkpoint(step, [Claim(1, 1, [9, 7], ["a", "b"])]))
            assert store.next_seq(step) == 10

    def test_units_are_read_by_pages_in_order_of_their_numbers(self) -> None:
        with self._open() as (store, step):
            commit(
                store,
                Checkpoint(step, successes=[successes([3, 1, 0])], records=[unit(7, PENDING, 2, base=1, doubts=1)]),
            )
            page = store.page(step, -1, 2)
            assert (list(page.seqs), list(page.keys), list(page.indexes)) == ([0, 1], ["k0", "k1"], [0, 1])
            assert page.all_final
            page = store.page(step, 1, 10)
            assert (list(page.seqs), list(page.statuses)) == ([3, 7], ["succeeded", "pending"])
            assert (list(page.attempts), list(page.bases), list(page.doubts)) == ([1, 2], [0, 1], [0, 1])
            assert not page.all_final
            assert list(store.page(step, 7, 10).seqs) == []

    def test_units_are_found_by_key_also_when_recorded_later(self) -> None:
        with self._open() as (store, step):
            commit(store, Checkpoint(step, successes=[successes([0, 1])]))
            assert {key: r.seq for key, r in store.match(step, ["k1", "k9", "k0"]).items()} == {"k0": 0, "k1": 1}
            commit(store, Checkpoint(step, records=[unit(9, FAILED, 2, BROKE, base=1, doubts=1)]))
            found = store.match(step, ["k9"])["k9"]
            assert (found.status, found.attempts, found.base, found.doubts) == (FAILED, 2, 1, 1)
            store.update_step(step, StepChange(status=StepStatus.SUCCEEDED))
            assert store.match(step, ["k9"])["k9"].seq == 9

    def test_batches_are_found_by_the_keys_of_their_members_also_when_recorded_later(self) -> None:
        with self._open() as (store, step):
            rows = Successes(
                1, 1, "w", [0, 1], [0, 1], ["b0", "b1"], ["[1,2]", "[3]"], ["1", "2"], [1, 1], ['["1","2"]', '["3"]']
            )
            commit(store, Checkpoint(step, successes=[rows]))
            assert {key: batch.seq for key, batch in store.members(step, ["2", "3", "9"]).items()} == {"2": 0, "3": 1}
            later = [UnitRecord(seq, seq, f"b{seq}", PENDING, 1, "[4]", members='["4","3"]') for seq in (7, 3)]
            commit(store, Checkpoint(step, records=later))
            assert {key: batch.seq for key, batch in store.members(step, ["4", "3"]).items()} == {"4": 3, "3": 1}
            store.reading(step)
            commit(store, Checkpoint(step, moves=[(0, 0), (7, 1)]))
            store.sweep(step, 0)
            found = store.members(step, ["1", "4", "3"])
            assert {key: batch.seq for key, batch in found.items()} == {"1": 0, "4": 7, "3": 7}
            assert (found["4"].status, found["4"].attempts, found["4"].index) == (PENDING, 1, 1)

    def test_a_value_can_be_given_to_a_unit_that_was_recorded_without(self) -> None:
        with self._open() as (store, step):
            bare = [UnitRecord(seq, seq, "b", FAILED, 0, failure=BROKE) for seq in (0, 1)]
            commit(store, Checkpoint(step, records=bare, successes=[successes([2])]))
            commit(store, Checkpoint(step, values=[(1, "[7]", '["7"]'), (2, "8", None)]))
            assert store.values(step, [1, 2]) == ["[7]", '"v2"']
            assert [view.record.members for view in store.units(step)] == [None, '["7"]', None]

    def test_values_are_given_in_the_order_that_was_asked(self) -> None:
        with self._open() as (store, step):
            rows = Successes(1, 1, "w", [0, 1], [0, 1], ["7", "k"], [None, '{"a":1}'], ["1", "2"], [1, 1])
            commit(store, Checkpoint(step, successes=[rows]))
            assert store.values(step, [1, 0]) == ['{"a":1}', "7"]
            assert_raises(StoreError, lambda: store.values(step, [5]))

    def test_a_new_reading_moves_units_and_sweeps_what_is_gone(self) -> None:
        with self._open() as (store, step):
            records = [unit(3, FAILED, 1, BROKE), unit(4, PENDING, 1, EXITED)]
            commit(store, Checkpoint(step, successes=[successes([0, 1, 2])], records=records, counts=Counts(5, 3, 1)))
            assert not store.was_reread(step)
            first = store.reading(step)
            assert store.was_reread(step)
            commit(store, Checkpoint(step, moves=[(2, 1), (1, 2)]))
            assert store.match(step, ["k1"])["k1"].reading == first
            assert store.sweep(step, 1) == 2
            assert store.count(step) == Counts(5, 3, 0, 2) == store.steps("r1")[0].counts
            assert [(v.record.seq, v.record.index, v.record.gone) for v in store.units(step)] == [
                (0, 0, None), (2, 1, None), (1, 2, None), (3, None, "failed"), (4, None, "pending"),
            ]  # fmt: skip
            assert store.results(step, 0, 10) == ["0", "2", "1"]
            assert store.reading(step) == first + 1
            commit(store, Checkpoint(step, moves=[(4, 0), (0, 1)]))
            assert store.sweep(step, 0) == 3
            found = {view.record.seq: view for view in store.units(step)}
            assert (found[4].status, found[4].record.index, found[4].record.gone) == ("pending", 0, None)
            assert (found[1].status, found[1].record.gone) == ("skipped", "succeeded")
            assert store.sweep(step, 0) == 3

    def test_failed_units_get_fresh_attempts(self) -> None:
        with self._open() as (store, step):
            records = [unit(seq, FAILED, 3, BROKE, doubts=3, handled=True) for seq in (1, 2, 3)]
            commit(store, Checkpoint(step, successes=[successes([0])], records=records, counts=Counts(4, 1, 3)))
            commit(store, Checkpoint(step, handled=[Handled(1, EXITED)]))
            assert store.reopen(step, [1, 0, 99]) == 1
            view = store.units(step, PENDING)[0]
            assert (view.record.seq, view.record.attempts, view.record.base, view.record.doubts) == (1, 3, 3, 0)
            assert view.handler_failure is None
            assert store.steps("r1")[0].counts == Counts(4, 1, 2) == store.count(step)
            assert store.reopen(step, None) == 2
            assert store.reopen(step, None) == 0
            assert store.count(step) == Counts(4, 1, 0)

    def test_a_cleared_step_is_as_new(self) -> None:
        with self._open() as (store, step):
            before = picture(store, "r1")
            store.reading(step)
            commit(store, Checkpoint(step, successes=[successes([0, 1], [1, 0])], counts=Counts(3, 2)))
            record = unit(2, FAILED, 1, BROKE)
            attempt, log = AttemptRecord(2, 1, BROKE, 0, 0), LogRecord(2, 1, "x")
            commit(store, Checkpoint(step, [Claim(1, 1, [5], ["k5"])], (), [record], [attempt], [log]))
            assert store.match(step, ["k1"])
            store.update_step(
                step, StepChange(status=StepStatus.FAILED, result="1", failure=BROKE, note=WhenFalse(), stale=True)
            )
            store.clear(step)
            assert picture(store, "r1") == before
            assert store.attempts(step, 2) == []
            assert store.logs(step, 2) == []

    def test_units_are_listed_by_position_whatever_the_page_size(self) -> None:
        with self._open() as (store, step):
            order = [5, 3, 0, 4, 1, 2, 6]
            commit(
                store, Checkpoint(step, successes=[successes(range(6), order[:6])], records=[unit(6, FAILED, 1, BROKE)])
            )
            expected = [2, 4, 5, 1, 3, 0, 6]
            for size in (1, 2, 3, 100):
                assert [view.record.seq for view in paged(store, step, size)] == expected, f"page size {size}"
            assert [view.record.seq for view in store.units(step, start=4, limit=2)] == [3, 0]
            assert [view.record.seq for view in store.units(step, start=1, limit=2)] == [4, 5]
            assert store.units(step, start=7) == []
            assert [view.record.seq for view in store.units(step, FAILED)] == [6]
            assert [view.record.seq for view in store.units(step, SUCCEEDED, 1, 3)] == [4, 5, 1]
            assert [view.record.seq for view in store.units(step, key="k3")] == [3]
            assert store.units(step, FAILED, key="k3") == []
            assert store.results(step, 0, 100) == ["2", "4", "5", "1", "3", "0", None]
            assert store.results(step, 2, 2) == ["5", "1"]

    def test_results_have_an_entry_for_each_position(self) -> None:
        with self._open() as (store, step):
            assert store.results(step, 0, 10) == []
            commit(store, Checkpoint(step, successes=[successes([1, 3])], counts=Counts(None, 2)))
            assert store.results(step, 0, 10) == [None, "1", None, "3"]
            commit(store, Checkpoint(step, counts=Counts(6, 2)))
            assert store.results(step, 0, 10) == [None, "1", None, "3", None, None]
            assert store.results(step, 5, 10) == [None]
            assert store.results(step, 6, 10) == []
            assert store.results(step, 3, 1) == ["3"]
            commit(store, Checkpoint(step, records=[unit(0, FAILED, 1, BROKE, result="9")]))
            assert store.results(step, 0, 2) == [None, "1"]

    def test_claimed_units_are_in_doubt_when_nobody_works_on_the_run(self) -> None:
        with self._open() as (store, step):
            lease = store.lease("r1")
            claims = [Claim(1, 1, [0, 1], ["k0", "k1"]), Claim(2, 2, [3, 7], ["k3", "k7"])]
            records = [unit(3, PENDING, 1, BROKE), unit(4, PENDING, 1, BROKE)]
            commit(store, Checkpoint(step, claims, [successes([0, 2])], records, counts=Counts(8, 2)))
            assert store.steps("r1")[0].counts == Counts(8, 2, in_doubt=0)
            assert store.units(step, "in_doubt") == []
            assert len(store.units(step, PENDING)) == 2
            lease.release()
            assert store.steps("r1")[0].counts == Counts(8, 2, in_doubt=3) == store.count(step)
            for size in (1, 2, 3, 100):
                views = paged(store, step, size)
                assert [(view.record.seq, view.status) for view in views] == [
                    (0, "succeeded"), (1, "in_doubt"), (2, "succeeded"),
                    (3, "in_doubt"), (4, "pending"), (7, "in_doubt"),
                ]  # fmt: skip
            assert [view.record.seq for view in store.units(step, "in_doubt")] == [1, 3, 7]
            assert [view.record.seq for view in store.units(step, PENDING)] == [4]
            assert [view.status for view in store.units(step, key="k3")] == ["in_doubt"]
            for status in (
                RunStatus.INTERRUPTED,
                RunStatus.FAILED,
            ):  # `on_in_doubt: stop` ends a run without settling them
                store.update_run("r1", RunChange(status=status))
                assert store.count(step) == Counts(8, 2, in_doubt=3)

    def test_samples_come_back_in_order(self) -> None:
        with self._open() as (store, _):
            late, early = Sample(20, 1.5, 2, 3, 4, 5.5, 6, 7, 8), Sample(10, 0.0, 2, 3, 4, 0.0, 0, 0, 0)
            store.add_sample("r1", late)
            store.add_sample("r1", early)
            assert store.samples("r1") == [early, late]
            assert store.samples("r2") == []

    def test_a_run_has_one_owner_at_a_time(self) -> None:
        with self._open() as (store, _):
            assert not owned(store)
            lease = store.lease("r1")
            assert owned(store)
            assert_raises(RunLocked, lambda: store.lease("r1"))
            store.lease("r2").release()
            lease.release()
            assert not owned(store)
            second = store.lease("r1")
            lease.release()  # the second time it does nothing
            assert owned(store)
            second.release()

    def test_other_threads_read_whole_checkpoints(self) -> None:
        with self._open() as (store, step):
            stop, wrong = threading.Event(), list[object]()

            def look() -> None:
                while not stop.is_set():
                    page = store.page(step, -1, 1000)
                    if len(page.seqs) % 10:
                        wrong.append(page.seqs)

            threads = [threading.Thread(target=look) for _ in range(2)]
            for thread in threads:
                thread.start()
            for start in range(0, 300, 10):
                commit(store, Checkpoint(step, successes=[successes(range(start, start + 10))]))
            stop.set()
            for thread in threads:
                thread.join(60)
            assert wrong == []
            assert store.count(step) == Counts(None, 300)

    def test_what_was_submitted_before_closing_is_written(self) -> None:
        reported: list[Exception | None] = []
        with self._open() as (store, step):
            for seq in range(50):
                store.submit(Checkpoint(step, successes=[successes([seq])]), reported.append)
        assert reported == [None] * 50
        store.close()  # the second time it does nothing
        assert_raises(StoreError, lambda: store.run("r1"))
        assert_raises(StoreError, lambda: store.update_run("r1", RunChange(window="x")))
