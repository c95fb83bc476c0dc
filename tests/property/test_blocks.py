"""What is packed into a block comes out of it as it was, or is not packed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batchwork.model import Successes
from batchwork.store.tables.blocks.codec import LEAST, UnfitError, closed, packed, runs, unpacked

KEYS = st.text(max_size=3) | st.integers(-5, 10**20).map(str) | st.sampled_from(["007", "-0", "+1", "٣", "1_0", "\n"])
FIRST = 5 << 40


@st.composite
def parts(draw: st.DrawFn) -> Successes:
    count, start = draw(st.integers(2, 40)), draw(st.integers(0, 50))
    gaps = draw(st.sets(st.integers(0, count - 1), max_size=2))
    width = draw(st.sampled_from([1, 1, 3, 100]))
    seqs = [start + at + width * sum(gap <= at for gap in gaps) for at in range(count)]
    by = draw(st.integers(-3, 3))
    numbers = [str(draw(st.integers(-(10**18), 10**18)) + by * at) for at in range(count)]
    steps = [str(7 + by * seq) for seq in seqs]

    def column(cells: st.SearchStrategy) -> list:
        return draw(st.lists(cells, min_size=count, max_size=count))

    return Successes(
        attempt=draw(st.sampled_from([1, 1, 1, 2])),
        started_ms=draw(st.integers(0, 1 << 40)),
        worker=draw(st.text(max_size=3)),
        seqs=seqs,
        indexes=seqs,
        keys=draw(st.sampled_from([steps, steps, numbers, column(KEYS)])),
        values=draw(st.sampled_from([[None] * count, column(st.none() | st.sampled_from(["1", "[]"]))])),
        results=draw(st.sampled_from([["null"] * count, column(st.sampled_from(["1", "2", '"\\n"']))])),
        durations_us=column(st.integers(0, 2 ** draw(st.integers(0, 63)))),
    )


@given(parts())
def test_a_packed_run_is_unpacked_as_it_was(part: Successes) -> None:
    for run in runs(part):
        assert len(run) >= LEAST
        assert part.attempt == 1
        within = slice(run.start, run.stop)
        try:
            row = packed(part, run, FIRST)
        except UnfitError:
            assert any("\n" in key for key in part.keys[within])
            continue
        number, stop, *cells = row
        assert stop == FIRST + part.seqs[run[-1]] + 1
        found = unpacked((number, *cells), FIRST)
        for name in ("seqs", "indexes", "keys", "values", "results", "durations_us"):
            assert list(getattr(found, name)) == list(getattr(part, name)[within]), name
        assert (found.attempt, found.started_ms, found.worker) == (1, part.started_ms, part.worker)


@given(parts())
def test_runs_are_all_that_lies_close_together(part: Successes) -> None:
    found = runs(part)
    assert [at for run in found for at in run] == sorted({at for run in found for at in run})
    for run in found:
        seqs = part.seqs[run.start : run.stop]
        assert seqs[-1] - seqs[0] < 2 * len(part.seqs)
    if part.attempt == 1 and len(part.seqs) >= LEAST and part.seqs[-1] - part.seqs[0] < len(part.seqs) + 5:
        assert sum(map(len, found)) == len(part.seqs)


@given(parts())
def test_closed_runs_are_all_that_follows_each_other(part: Successes) -> None:
    found = closed(part, range(len(part.seqs)))
    for run in found:
        seqs = part.seqs[run.start : run.stop]
        assert list(seqs) == list(range(seqs[0], seqs[0] + len(seqs)))
    within = {at for run in found for at in run}
    streak = longest = 0
    for at in range(len(part.seqs)):
        goes_on = at - 1 not in within and at > 0 and part.seqs[at] == part.seqs[at - 1] + 1
        streak = 0 if at in within else streak + 1 if goes_on else 1
        longest = max(longest, streak)
    assert longest < LEAST
