"""Histories that the simulation has found, told as tests: crashes, changed sources and retries that used to go wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from step_plans import step_plan, task_plan
from test_coordinator import Bench, failing, half_done

from batchwork.clock import SystemClock
from batchwork.engine.feed.feed import Feed, FreshUnits
from batchwork.engine.feed.in_doubt import StartingPoint, commit_and_wait
from batchwork.engine.run.step_run import broken_sum
from batchwork.engine.step.coordinator import Coordinator
from batchwork.engine.step.fate import StepDone, StepFailed, StepStopped
from batchwork.engine.step.on_item_error import Hook
from batchwork.engine.stopping.stop_level import Control
from batchwork.engine.unit.attempt import Piece
from batchwork.engine.unit.brief import Equipment
from batchwork.errors import SourceError
from batchwork.items.grouping import batch_key
from batchwork.model import Checkpoint, Claim, Counts, Failure, RunningUnit, Successes, UnitRecord, Units, UnitStatus
from batchwork.spec.fields.retry import RetryPolicy
from batchwork.template import compile_template
from batchwork.testing.fakes import CallableTask, callable_executors
from batchwork.text.jsontext import encode


@pytest.fixture
def bench() -> Bench:
    return Bench()


def stopped(bench: Bench, items: list[Any], **changes: Any) -> Any:
    """An execution that is asked to stop before anything starts."""
    bench.control.raise_to(1, "test")
    end = bench.run(lambda _: None, items, resumed=True, **changes)
    bench.control = Control(SystemClock())
    return end


def in_doubt(bench: Bench, seq: int, key: str, attempt: int = 1) -> None:
    """A process that claimed this unit has died."""
    commit_and_wait(bench.store, Checkpoint(bench.number, claims=[Claim(99, attempt, [seq], [key])]))


@pytest.mark.parametrize("left", [[], [0], [0, 1, 2], list(range(10)), [18, 19], [19, 18, 17, 30, 31]])
@pytest.mark.parametrize("stop", [True, False])
def test_a_source_that_has_shrunk_does_not_break_the_sum_of_a_step_that_ends_early(
    bench: Bench, left: list[int], stop: bool
):
    half_done(bench, list(range(20)), stop_after=12)
    items = [*left, "bad"]
    if stop:
        end = stopped(bench, items)
        assert isinstance(end, StepStopped)
    else:
        end = bench.run(failing("bad"), items, slots=1, resumed=True)
        assert isinstance(end, StepFailed)
        assert end.failure.type == "ValueError"
    assert broken_sum(end, bench.store.count(bench.number)) is None
    assert end.counts.pending is None or end.counts.pending >= 0
    end = bench.run(lambda payload: payload["item"], items, resumed=True, continue_on_error=True)
    assert isinstance(end, StepDone)
    assert broken_sum(end, bench.store.count(bench.number)) is None


@pytest.mark.parametrize("views", [False, True])
@pytest.mark.parametrize("item", [5, "a text", {"n": 1}, None, "x" * 500])
def test_a_retried_unit_that_is_in_doubt_keeps_its_value(
    bench: Bench, item: Any, views: bool, monkeypatch: pytest.MonkeyPatch
):
    made = CallableTask._program

    def program(self: CallableTask, *args: Any) -> Any:
        found = made(self, *args)
        found.uses = frozenset({"batch"}) if views else frozenset()
        return found

    monkeypatch.setattr(CallableTask, "_program", program)
    bench.run(failing(item), [item], continue_on_error=True)
    bench.store.reopen(bench.number, None)
    key = bench.store.units(bench.number)[0].record.key
    in_doubt(bench, 0, key, attempt=2)
    seen: list[Any] = []
    bench.run(lambda payload: seen.append(payload["item"]), [], resumed=True, reopened=True)
    assert seen == [item]


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("each", ["item", "batch"])
def test_what_failed_in_doubt_gets_its_value_however_often_the_run_is_stopped_before(
    bench: Bench, written: bool, each: str
):
    items = [{"id": f"k{number}", "text": "x" * 300} for number in range(4)]
    settings: dict[str, Any] = {
        "key": compile_template("{{ item.id }}") if written else None,
        "each": each,
        "batch_size": 2,
    }
    bench.run(lambda _: None, items, **settings)
    keys = [view.record.key for view in bench.store.units(bench.number)]
    bench.store.clear(bench.number)
    in_doubt(bench, 1, keys[1])
    stopped(bench, items, on_in_doubt="fail", **settings)
    stopped(bench, items, on_in_doubt="fail", **settings)
    bench.run(lambda _: None, items, resumed=True, on_in_doubt="fail", continue_on_error=True, **settings)
    bench.store.reopen(bench.number, None)
    seen: list[Any] = []
    bench.run(lambda payload: seen.append(payload["item"]), [], resumed=True, reopened=True, **settings)
    assert seen == [items[1] if each == "item" else items[2:4]]


def test_units_that_fail_in_doubt_are_counted_in_the_same_transaction(bench: Bench):
    half_done(bench, list(range(30)), stop_after=5)
    seq = bench.store.next_seq(bench.number)
    # Given back by one worker and claimed for another: it stands in two claims.
    commit_and_wait(
        bench.store, Checkpoint(bench.number, claims=[Claim(98, 1, [seq], [str(seq)]), Claim(99, 1, [seq], [str(seq)])])
    )
    seen: list[Counts] = []
    submit = bench.store.submit

    def submitted(checkpoint: Checkpoint, committed: Any) -> None:
        submit(checkpoint, committed)
        there, counted = bench.store.steps("r1")[0].counts, bench.store.count(bench.number)
        assert (there.succeeded, there.failed) == (counted.succeeded, counted.failed)
        seen.append(there)

    bench.store.submit = submitted  # type: ignore[method-assign]
    stopped(bench, list(range(30)), on_in_doubt="fail", continue_on_error=True)
    assert seen[0].failed == 1


def test_where_order_counts_a_retry_goes_by_the_order_of_the_source(bench: Bench):
    bench.run(failing(*range(6)), list(range(6)), continue_on_error=True)
    changed = [20, *reversed(range(6)), 21]
    bench.run(failing(20, 21), changed, resumed=True, continue_on_error=True)
    assert bench.store.reopen(bench.number, None) == len(changed)
    seen: list[Any] = []
    bench.run(lambda payload: seen.append(payload["item"]), [], resumed=True, reopened=True, slots=1, parallel=False)
    assert seen == changed


def single(bench: Bench, act: Any, resumed: bool) -> Any:
    """A step without items."""
    order = bench.order(act, [], resumed=resumed)
    plan = step_plan("s", task=task_plan(CallableTask(act)))
    equipment = Equipment(bench.store, callable_executors, bench.sink, SystemClock())
    return Coordinator(replace(order, plan=plan), equipment, bench.control).run()


def test_a_step_without_items_keeps_its_result_where_the_process_died_before_its_end(bench: Bench):
    assert single(bench, lambda _: 42, resumed=False) == StepDone(Counts(1, succeeded=1), "42")
    assert single(bench, failing(None), resumed=True) == StepDone(Counts(1, succeeded=1), "42")


def test_a_step_without_items_has_failed_where_the_process_died_before_its_end(bench: Bench):
    first = single(bench, failing(None), resumed=False)
    assert isinstance(first, StepFailed)
    assert single(bench, lambda _: 42, resumed=True) == first


def test_a_step_that_tolerates_no_failure_has_failed_where_the_process_died_before_its_end(bench: Bench):
    first = bench.run(failing(2), [0, 1, 2], slots=1, parallel=False)
    assert isinstance(first, StepFailed)
    again = bench.run(failing(), [0, 1, 2], slots=1, parallel=False, resumed=True)
    assert isinstance(again, StepFailed)
    assert again.failure == first.failure
    tolerant = bench.run(failing(), [0, 1, 2], resumed=True, continue_on_error=True)
    assert tolerant == StepDone(Counts(3, succeeded=2, failed=1))


def record(bench: Bench, seqs: list[int], members: bool = False) -> None:
    """What an earlier process has recorded: the units (batches of two) of these numbers, but not those between them."""
    lists = [[str(2 * seq), str(2 * seq + 1)] for seq in seqs]
    keys = [batch_key(keys) for keys in lists] if members else [str(seq) for seq in seqs]
    commit_and_wait(
        bench.store,
        Checkpoint(
            bench.number,
            successes=[
                Successes(
                    1, 0, "w", seqs, seqs, keys, [encode([2 * seq, 2 * seq + 1]) if members else None for seq in seqs],
                    ["0"] * len(seqs), [1] * len(seqs), [encode(keys) for keys in lists] if members else None,
                )
            ],
            counts=Counts(None, succeeded=len(seqs)),
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("recorded", "source", "again"),
    [
        ([0, 1, 2, 6], [0, 1, 2, 6], []),
        ([0, 1, 2, 6], [0, 1, 2, 6, 7], [7]),
        ([0, 1, 2, 6, 7], [0, 1, 2, 7, 9], [9]),
        ([5], [5], []),
        ([0, 3, 4], [0, 1, 4], [1]),
        ([0, 3, 4], [0, 1, 2, 3, 4], [1, 2]),
        ([0, 1, *range(10, 6_000)], [0, 1, 5_999, 5_998, 3], [3]),
    ],
)
def test_what_is_recorded_runs_once_though_it_moves_up_to_where_nothing_was_recorded(
    bench: Bench, recorded: list[int], source: list[int], again: list[int]
):
    record(bench, recorded)
    seen: list[Any] = []
    end = bench.run(lambda payload: seen.append(payload["item"]) or payload["item"], source, resumed=True, slots=1)
    assert seen == again
    assert isinstance(end, StepDone)
    assert len(bench.results()) == len(source)
    assert None not in bench.results()


def test_recorded_batches_run_once_though_they_move_up_to_where_nothing_was_recorded(bench: Bench):
    record(bench, [0, 1, 4], members=True)  # of 0 to 9, two at a time; 4 to 7 never ran, and are no more
    seen: list[Any] = []
    end = bench.run(
        lambda payload: seen.append(payload["item"]),
        [0, 1, 2, 3, 20, 8, 9],
        each="batch",
        batch_size=2,
        resumed=True,
    )
    assert isinstance(end, StepDone)
    assert seen == [[20]]


def test_what_was_running_when_a_step_was_left_does_not_cover_its_attempts(bench: Bench):
    bench.run(failing(0), [0, 1], continue_on_error=True, retry=RetryPolicy(max_attempts=3))
    running = [RunningUnit(0, 0, "0", 1, 0, "w")]  # told in the first second of its first attempt
    commit_and_wait(bench.store, Checkpoint(bench.number, running=running))
    bench.store.lease("r1")
    bench.store.reopen(bench.number, None)
    seen: list[Any] = []
    act = failing(0)
    bench.run(
        lambda payload: seen.append(payload["item"]) or act(payload),
        [],
        resumed=True,
        reopened=True,
        continue_on_error=True,
        slots=1,
        parallel=False,
    )
    assert seen == [0]
    assert bench.store.units(bench.number, key="0")[0].record.attempts == 4


def test_a_retry_waits_for_its_slot_though_the_source_has_nothing_left(bench: Bench):
    handling = threading.Event()
    together: list[bool] = []

    def act(payload: dict[str, Any]) -> object:
        together.append(handling.is_set())
        return Failure("No", "no", retryable=payload["item"] == 0)

    def hook(_: object) -> None:
        handling.set()
        threading.Event().wait(0.2)  # the retry is due meanwhile
        handling.clear()

    bench.run(
        act,
        [0, 1],
        slots=1,
        continue_on_error=True,
        retry=RetryPolicy(max_attempts=2, delay_s=0.05),
        on_item_error=hook,
    )
    assert together == [False] * 3


def test_who_waits_to_be_ended_sleeps_though_failures_are_left_to_a_resume(bench: Bench):
    """After the second Ctrl-C, the thread of `on_item_error` has ended: the coordinator was woken at each turn, to no end."""
    order = bench.order(lambda _: None, ["a", "b"], on_item_error=lambda _: None)
    rings: list[int] = []
    hook = Hook(order, callable_executors, lambda: rings.append(1))
    failed = [UnitRecord(seq, seq, str(seq), UnitStatus.FAILED, 1, failure=Failure("E", "no")) for seq in range(2)]
    hook._mail.units.extend(failed)  # which the thread did not come to
    hook.obey(2)
    hook._mail.over = True
    for _ in range(3):
        hook.start(2)
    assert rings == []
    assert hook.taken() == []
    hook._mail.refusal = Failure("worker", "it cannot start")
    hook.start(2)
    assert rings == [1]
    assert [reaction.handled.seq for reaction in hook.taken()] == [0, 1]
    hook.close()


def test_a_shorter_source_that_breaks_does_not_break_the_sum():
    """What is gone is never counted, as the reading has no end: more are recorded than the source says it has."""

    class Breaking(FreshUnits):
        length = 3

        def __init__(self) -> None:
            """There is no stream."""

        def pieces(self) -> Iterator[Piece | None]:
            yield Piece(1, 0, Units([0], [0], ["a"], ["a"]))
            raise SourceError("row 1 cannot be read")

        def found(self) -> tuple[Counts, Sequence[UnitRecord]]:
            return Counts(), []

        def remarks(self) -> Sequence[str]:
            return ()

    feed = Feed(StartingPoint(Counts()), Breaking())
    counts = feed.with_length(Counts(succeeded=3))
    assert counts.total == 3
    assert feed.take(1) is not None
    with pytest.raises(SourceError):
        feed.take(1)
    feed.exhausted = True  # as its coordinator says then
    assert feed.final(counts) == counts
    assert feed.final(counts.add(succeeded=1)) == Counts(total=None, succeeded=4)
