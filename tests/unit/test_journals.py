"""Journals: both sides agree on them, and whatever the moment of a death, what is read is what was true."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from mmap import mmap
from pathlib import Path
from typing import NamedTuple

import pytest

from batchwork.model import Failure
from batchwork.ports.journals import NOBODY, ExecutionMark, Noted, Owner
from batchwork.workers.journals.journal import WorkerJournal
from batchwork.workers.journals.keeper import KeptJournals
from batchwork.workers.journals.reading import noted_in
from batchwork.workers.journals.shelf import Shelf
from batchwork.workers.nameless_file import nameless_file
from batchwork.workers.python.program import journal as program
from batchwork.workers.python.program.journal import BEGAN, BLIND, COLUMN, END, MARK, SEGMENT, SETTLED, START, Journal
from batchwork.workers.reactor.program.notes import Notes

MIB = 1 << 20


@contextmanager
def a_journal(*, kept: bool = True) -> Iterator[tuple[WorkerJournal, Journal]]:
    """Both sides of one; `kept`: its worker has to wait until things are on disk."""
    with closing(WorkerJournal(nameless_file("test"), (lambda: None) if kept else None)) as ours:
        yield ours, Journal(ours.descriptor)


def seen(theirs: Journal) -> dict[int, Noted]:
    return noted_in(theirs.pages.map, None, "w")


def test_both_sides_agree() -> None:
    with a_journal() as (ours, theirs):
        theirs.begin(7, 70)
        assert ours.running() is None
        assert not theirs.recalled(7)
        ours.recall(7)
        assert theirs.recalled(7)
        assert not theirs.recalled(8)
        assert not theirs.ending()
        ours.end()
        assert theirs.ending()
        theirs.append(b'D0 12 {"a":1}\nL1 "printed"\nF1 13 1700 {"type":"ValueError","message":"no"}\nC2 5\n')
        theirs.pages.times[BEGAN] = 1.5
        theirs.pages.words[MARK] = 9
        theirs.pages.words[START] = 4
        running = ours.running()
        assert running is not None
        assert (running.call, running.offset, running.began, running.output) == (7, 3, 1.5, 9)
        noted = ours.noted({70}, "w")[70]
        assert noted == Noted(
            "w",
            {3},
            {0: (12, '{"a":1}')},
            {1: (13, 1700, Failure("ValueError", "no"))},
            {2},
            {1: "printed"},
        )
        assert ours.noted({71}) == {}


# ---------------------------------------------------------------- each moment of a death


SPANS = [
    (0, program.HEADER + 4096),
    (program.base_of(1), 4096),
    *((8 * (program.table_of(segment) + column), 4096) for segment in (0, 1) for column in (0, COLUMN)),
]
"""What moments hold of the pages: the beginnings of all their parts."""


class Moments:
    """The pages as they are before and after each single store, as a death at that moment would leave them."""

    def __init__(self, theirs: Journal) -> None:
        self.pages: list[list[bytes]] = []
        self._map = theirs.pages.map
        words, pages = theirs.pages.words, theirs.pages.map
        outer = self

        class Words:
            def __getitem__(self, at: int) -> int:
                return words[at]

            def __setitem__(self, at: int, value: int) -> None:
                words[at] = value
                outer.look()

        class Pages:
            def __getitem__(self, at: int) -> int:
                return pages[at]

            def __setitem__(self, at: slice, value: bytes) -> None:
                half = len(value) // 2
                pages[at.start : at.start + half] = value[:half]  # a death in the midst of it
                outer.look()
                pages[at] = value
                outer.look()

        theirs.pages.words, theirs.pages.map = Words(), Pages()  # type: ignore[assignment]

    def look(self) -> None:
        self.pages.append([self._map[start : start + size] for start, size in SPANS])

    def read(self, number: int) -> dict[int, Noted]:
        with mmap(-1, program.SIZE) as copy:
            for (start, size), part in zip(SPANS, self.pages[number], strict=True):
                copy[start : start + size] = part
            return noted_in(copy, None, "")


def run_unit(theirs: Journal, offset: int, _: Moments | None = None) -> None:
    theirs.pages.words[START] = offset + 1
    theirs.append(b"D%d 5 %d\n" % (offset, offset))


def run_numbers(theirs: Journal, offset: int, moments: Moments | None = None) -> None:
    """A unit whose result is a number."""
    theirs.pages.words[START] = offset + 1
    assert theirs.room is not None
    for column, number in ((theirs.room.values, 10 - offset), (theirs.room.ends, 6)):
        column[offset + 1] = number
        if moments is not None:
            moments.look()


def run_texts_and_numbers(theirs: Journal, offset: int, moments: Moments) -> None:
    run = run_numbers if offset % 2 else run_unit
    run(theirs, offset, moments)


@pytest.mark.parametrize("run", [run_unit, run_numbers, run_texts_and_numbers])
@pytest.mark.parametrize("settled", [True, False], ids=["on disk", "not on disk"])
def test_every_moment_of_two_calls(run: Callable[[Journal, int, Moments], None], settled: bool) -> None:
    """Units end in their order; at each moment what is noted are the first ones, and the next one at most is in doubt."""
    with a_journal() as (ours, theirs):
        moments = Moments(theirs)
        theirs.begin(1, 10, 3)
        for offset in range(3):
            run(theirs, offset, moments)
        theirs.rest()
        theirs.frames += 1
        ended = len(moments.pages)
        if settled:
            ours.receipt()()
        theirs.begin(2, 11, 3)
        run(theirs, 0, moments)
        highest = 0
        for number in range(len(moments.pages)):
            calls = moments.read(number)
            if settled and number >= ended and 10 not in calls:
                continue
            done = len(calls[10].done) if 10 in calls else 0
            assert 10 not in calls or sorted(calls[10].done) == [*range(done)]
            assert done >= highest, "what was noted stays"
            highest = done
            for call, noted in calls.items():
                doubted = noted.started - noted.done.keys()
                assert doubted <= {len(noted.done)}, (call, number)
            if 11 in calls:
                assert done == 3
        assert highest == 3


def test_a_change_of_segments_in_the_midst_of_a_call_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_journal() as (_, theirs):
        theirs.begin(1, 10)
        run_unit(theirs, 0)
        run_unit(theirs, 1)
        moments = Moments(theirs)
        theirs.pages.words[START] = 3
        moments.look()
        assert theirs.switch(theirs.frames + 1)
        assert theirs.append(b"B10\n")
        assert theirs.append(b"D2 5 2\n")
        theirs.pages.words[START] = 4
        for number in range(len(moments.pages)):
            noted = moments.read(number)[10]
            assert {0, 1} <= noted.done.keys()
            assert noted.started - noted.done.keys() == ({2} if 2 not in noted.done else noted.started - {2})
        assert moments.read(len(moments.pages) - 1)[10].started == {3}


def test_numbers_in_a_table_are_read_as_they_were_given() -> None:
    with a_journal() as (_, theirs):
        theirs.begin(1, 10, 4)
        assert theirs.room is not None
        for number, value in ((1, 0), (2, -(10**18) + 1), (4, 10**18 - 1)):
            theirs.room.values[number], theirs.room.ends[number] = value, 1
        assert seen(theirs)[10].done == {0: (0, "0"), 1: (0, "-999999999999999999"), 3: (0, "999999999999999999")}


def test_a_change_of_segments_in_the_midst_of_a_call_leaves_its_numbers_and_goes_on_in_texts() -> None:
    with a_journal() as (_, theirs):
        theirs.begin(1, 10, 5)
        run_numbers(theirs, 0)
        run_numbers(theirs, 1)
        assert theirs.add(b'D2 5 "%s"\n' % (b"x" * (SEGMENT - 4096)))
        assert theirs.room is not None
        assert theirs.add(b'D3 5 "%s"\n' % (b"x" * 8192))
        assert theirs.room is None, "the other segment may be written anew before this call is over"
        assert theirs.add(b"D4 5 null\n")
        done = seen(theirs)[10].done
        assert sorted(done) == [0, 1, 2, 3, 4]
        assert (done[0], done[1], done[4]) == ((5, "10"), (5, "9"), (5, "null"))


def test_a_table_is_used_again_once_all_in_it_is_on_disk() -> None:
    with a_journal() as (ours, theirs):
        receipts = []
        for call in range(1, 9):
            theirs.begin(call, call, COLUMN // 3)
            if theirs.room is not None:
                run_numbers(theirs, call)
            theirs.frames += 1
            receipts.append(ours.receipt())
            assert {each for each, noted in seen(theirs).items() if noted.done} == set(range(1, min(call, 6) + 1))
        assert theirs.room is None, "both tables are full"
        receipts[2]()
        theirs.begin(9, 9, COLUMN // 3)
        assert theirs.room is not None
        assert seen(theirs)[9].done == {}
        assert {4, 5, 6} <= {each for each, noted in seen(theirs).items() if noted.done}
        theirs.begin(10, 10, COLUMN + 1)
        assert theirs.room is None


def test_without_memory_for_a_table_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_journal() as (_, theirs):
        theirs.begin(1, 10, 3)
        assert theirs.room is not None
        theirs.frames += 1
        monkeypatch.setattr(Journal, "_found", lambda self, start, end: start < 8 * program.table_of(0))
        assert theirs.switch(theirs.frames)
        theirs.begin(2, 11, 3)
        assert theirs.room is None
        run_unit(theirs, 0)
        assert seen(theirs)[11].done == {0: (5, "0")}


def test_a_segment_is_written_anew_only_when_all_in_it_is_on_disk() -> None:
    with a_journal() as (ours, theirs):
        receipts: list[Callable[[], None]] = []
        for call in range(1, 6):
            theirs.begin(call, call)
            assert theirs.add(b'D0 5 "%s"\n' % (b"x" * 3 * MIB))
            theirs.frames += 1
            receipts.append(ours.receipt())
            assert {each for each, noted in seen(theirs).items() if noted.done} == set(range(1, call + 1))
        receipts[1]()
        theirs.begin(6, 6)
        assert {3, 4, 5, 6} <= seen(theirs).keys()
        receipts[4]()
        theirs.begin(7, 7)
        assert 7 in seen(theirs)
        assert theirs.end < program.base_of(1) + 100, "it begins at the start of a segment"


def test_memory_stays_bounded_and_is_given_back() -> None:
    with a_journal() as (ours, theirs):
        for call in range(1, 30):
            theirs.begin(call, call)
            for offset in range(12):
                assert theirs.add(b'D%d 5 "%s"\n' % (offset, b"x" * MIB))
            theirs.frames += 1
            ours.receipt()()
        theirs.begin(30, 30)
        used = os.fstat(ours.descriptor).st_blocks * 512
        assert used <= 2 * SEGMENT + MIB
        assert used < 24 * MIB, "what a large call took is given back"


def test_an_outcome_without_room_leaves_its_unit_in_doubt_and_nothing_starts_before_it_is_on_disk() -> None:
    with a_journal() as (ours, theirs):
        theirs.begin(1, 10)
        run_unit(theirs, 0)
        theirs.pages.words[START] = 2
        assert not theirs.add(b"x" * (SEGMENT + 1))
        theirs.unkept(1)
        theirs.frames += 1
        receipt = ours.receipt()
        assert ours.running() is None
        assert seen(theirs)[10].started == {1}
        receipt()
        theirs.wait_until_kept()
        assert seen(theirs)[10].started == set()


def test_without_room_for_anything_it_says_that_it_is_blind(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_journal() as (_, theirs):
        monkeypatch.setattr(Journal, "_allocate", lambda self, end: False)
        theirs.begin(1, 10)
        assert theirs.pages.words[BLIND] == 1
        monkeypatch.undo()
        theirs.begin(2, 11)
        assert theirs.pages.words[BLIND] == 0
        assert [*seen(theirs)] == [11]


# ---------------------------------------------------------------- on the shelf


@pytest.fixture
def keeper(tmp_path: Path) -> KeptJournals:
    return KeptJournals(memory=str(tmp_path / "no memory"))


@pytest.fixture
def mark(keeper: KeptJournals, tmp_path: Path) -> ExecutionMark:
    return keeper.begin("c0ffee", str(tmp_path / "spare"))


def worked(mark: ExecutionMark, step: int = 4, call: int = 10) -> WorkerJournal:
    """A worker of a step has done one unit of a call, and begun another."""
    ours = Shelf(f"{mark.folder}/{step}").new()
    theirs = Journal(ours.descriptor)
    theirs.begin(1, call)
    run_unit(theirs, 0)
    theirs.pages.words[START] = 2
    return ours


def test_what_a_worker_left_is_read_by_another_process(keeper: KeptJournals, mark: ExecutionMark) -> None:
    worked(mark)
    found = keeper.read([mark], 4)
    assert found is not None
    assert (found[10].done, found[10].started) == ({0: (5, "0")}, {1})
    assert keeper.read([mark], 5) is None
    keeper.forget([mark], 4)
    assert keeper.read([mark], 4) is None
    assert keeper.left([mark]) == []
    assert not os.path.exists(mark.folder)


def test_who_may_still_write_is_known_by_the_lock(keeper: KeptJournals, mark: ExecutionMark) -> None:
    ours = worked(mark)
    assert keeper.writers([mark]) == [os.getpid()]
    ours.close()
    assert keeper.writers([mark]) == []


def test_a_past_worker_takes_its_journal_along_once_all_is_on_disk(keeper: KeptJournals, mark: ExecutionMark) -> None:
    ours = worked(mark)
    other = Shelf(f"{mark.folder}/5").new()
    other.close()  # it has reported nothing
    assert keeper.read([mark], 5) == {}
    receipt = ours.receipt()
    ours.close()
    found = keeper.read([mark], 4)
    assert found is not None
    assert 10 in found
    receipt()
    assert keeper.read([mark], 4) == {}


def damaged(change: str, path: Path) -> None:
    match change:
        case "missing":
            path.unlink()
        case "shorter":
            os.truncate(path, 5000)
        case "empty":
            os.truncate(path, 0)
        case "a link":
            path.rename(path.parent.parent / "elsewhere")
            path.symlink_to(path.parent.parent / "elsewhere")
        case "without its index":
            path.with_name("4.index").unlink()
        case "end":
            write(path, 8 * END, b"\xff" * 8)
        case "records":
            write(path, program.HEADER, b"\x00\x01\x02")
        case "not JSON":
            write(path, program.HEADER + 4, b"D0 5 }")
        case "a table beyond the end":
            write(path, program.HEADER, b"B1 99999 0\n")
        case "a table without an end":
            write(path, program.HEADER, b"B11 1\nC0 5\n")
        case "a text":
            write(path, program.HEADER + 4, b"D0 x 0")
        case "identity":
            write(path, program.IDENTITY_AT + 20, b"????")
        case "blind":
            write(path, 8 * BLIND, b"\1")


def write(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


@pytest.mark.parametrize(
    "change",
    [
        "missing",
        "shorter",
        "empty",
        "a link",
        "without its index",
        "end",
        "records",
        "not JSON",
        "a table beyond the end",
        "a table without an end",
        "a text",
        "identity",
        "blind",
    ],
)
def test_what_is_not_whole_says_nothing(keeper: KeptJournals, mark: ExecutionMark, change: str) -> None:
    shelf = Shelf(f"{mark.folder}/4")
    for call in (10, 11):
        theirs = Journal(shelf.new().descriptor)
        theirs.begin(1, call)
        run_unit(theirs, 0)
    assert keeper.read([mark], 4) is not None
    damaged(change, Path(mark.folder, "4.2"))
    assert keeper.read([mark], 4) is None


def test_another_boot_says_nothing(keeper: KeptJournals, mark: ExecutionMark) -> None:
    worked(mark)
    before = ExecutionMark(mark.id, "another", mark.folder)
    assert keeper.read([before], 4) is None
    assert keeper.writers([before]) == []


def test_a_link_to_a_folder_is_not_followed(keeper: KeptJournals, mark: ExecutionMark, tmp_path: Path) -> None:
    worked(mark)
    link = tmp_path / "link-c0ffee"
    link.symlink_to(mark.folder)
    assert keeper.read([ExecutionMark(mark.id, mark.boot, str(link))], 4) is None


def test_the_place(tmp_path: Path) -> None:
    """In memory where there is room, in the spare folder where not; nowhere where there is neither."""
    in_memory = KeptJournals().begin("feed", str(tmp_path / "spare"))
    assert in_memory.folder == f"/dev/shm/batchwork-{os.geteuid()}-feed"
    assert os.stat(in_memory.folder).st_mode & 0o777 == 0o700
    KeptJournals().end(in_memory)
    assert not os.path.exists(in_memory.folder)
    crowded = KeptJournals(least=1 << 62)
    assert crowded.begin("feed", str(tmp_path / "spare")).folder == str(tmp_path / "spare" / "feed")
    assert crowded.begin("feed", None).folder == ""


def test_forgotten_journals_are_tidied_away(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = KeptJournals()
    old, young = keeper.begin("01d", None), keeper.begin("404e6", None)
    worked(old).close()
    os.utime(old.folder, (1, 1))
    keeper.sweep(NOBODY, list)
    assert os.path.exists(old.folder), "it goes on"
    keeper.close()
    keeper.sweep(NOBODY, list)
    assert not os.path.exists(old.folder)
    assert os.path.exists(young.folder)
    keeper.end(young)


def test_journals_that_nobody_will_ask_for_are_swept_away(tmp_path: Path) -> None:
    """Of executions that their store does not know, or of stores that are gone; not while anybody may write, nor others'."""
    keeper, other = KeptJournals(), KeptJournals()
    ours, theirs, lost = (Owner(str(tmp_path / name), f"{name}.db") for name in ("ours", "theirs", "lost"))
    for owner in (ours, theirs):
        (tmp_path / owner.store.removesuffix(".db")).mkdir()
    begun = {
        (owner.store, name): keeper.begin(f"5eeb{at}{name}", None, owner)
        for at, owner in enumerate((ours, theirs, lost))
        for name in ("needed", "past")
    }
    writing = worked(begun["ours.db", "past"])

    def left() -> set[tuple[str, str]]:
        other.sweep(ours, lambda: [begun["ours.db", "needed"].id])
        return {name for name, mark in begun.items() if os.path.exists(mark.folder)}

    assert left() == {*begun}, "their executions go on"
    keeper.close()
    stay = {("ours.db", "needed"), ("theirs.db", "needed"), ("theirs.db", "past")}
    assert left() == stay | {("ours.db", "past")}, "a worker may still write"
    writing.close()
    assert left() == stay
    for mark in begun.values():
        keeper.end(mark)


def test_a_nameless_journal_makes_nobody_wait() -> None:
    with a_journal(kept=False) as (_, theirs):
        theirs.frames = 99
        assert theirs.pages.words[SETTLED] == program.EVER
        theirs.wait_until_kept()
        theirs.begin(1, 1)
        assert theirs.pages.words[BLIND] == 0


# ---------------------------------------------------------------- a reactor's


class AUnit(NamedTuple):
    call: int
    offset: int


def told(ours: WorkerJournal, *calls: int) -> dict[int, tuple[set[int], set[int]]]:
    """For each call, what has an outcome and what is in doubt."""
    found = ours.noted({*calls})
    ends = {call: {*noted.done, *noted.failed, *noted.cancelled} for call, noted in found.items()}
    return {call: (ends[call], noted.started - ends[call]) for call, noted in found.items()}


def test_a_reactor_notes_starts_and_ends() -> None:
    with closing(WorkerJournal(nameless_file("test"), lambda: None)) as ours:
        notes = Notes(ours.descriptor)
        for call, offset in ((1, 0), (2, 0), (1, 1), (2, 1)):
            assert notes.started(AUnit(call, offset))
        notes.done(AUnit(2, 0), 5, '{"a":"\\u00e9"}', "")
        notes.failed(AUnit(1, 1), 6, '{"type":"exit","message":"no","exit_code":3}', '"left one"')
        notes.cancelled(AUnit(2, 1))
        assert told(ours, 1, 2, 3) == {1: ({1}, {0}), 2: ({0, 1}, set())}
        noted = ours.noted({1})[1]
        assert noted.failed[1][2] == Failure("exit", "no", exit_code=3)
        assert noted.logs == {1: "left one"}


def test_what_runs_long_is_told_of_in_every_segment() -> None:
    """A long unit holds up no reuse of segments, and is in doubt to the end; memory stays bounded."""
    with closing(WorkerJournal(nameless_file("test"), lambda: None)) as ours:
        notes = Notes(ours.descriptor)
        assert notes.started(AUnit(1, 0))
        result = '"' + "x" * (MIB // 4) + '"'
        for call in range(2, 100):
            assert notes.started(AUnit(call, 0))
            notes.outcomes(1)
            notes.done(AUnit(call, 0), 5, result, "")
            assert told(ours, 1, call) == {1: (set(), {0}), call: ({0}, set())}
            notes.sent(written=True)
            ours.receipt()()
        assert os.fstat(ours.descriptor).st_blocks * 512 < 12 * MIB


def test_where_an_outcome_finds_no_room_nothing_starts_before_it_is_on_disk() -> None:
    with closing(WorkerJournal(nameless_file("test"), lambda: None)) as ours:
        notes = Notes(ours.descriptor)
        for offset in (0, 1):
            assert notes.started(AUnit(1, offset))
        notes.done(AUnit(1, 0), 5, '"' + "x" * SEGMENT + '"', "")
        notes.outcomes(1)
        assert told(ours, 1) == {1: (set(), {0, 1})}
        assert notes.held
        notes.sent(written=True)
        assert notes.held
        ours.receipt()()
        assert not notes.held
        assert notes.started(AUnit(2, 0))
