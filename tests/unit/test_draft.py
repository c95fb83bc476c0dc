"""Rows on their way to the store."""

import pytest

from batchwork.engine.step.checkpoint_draft import Draft, success_rows
from batchwork.engine.step.throughput import Speed
from batchwork.engine.unit.binding import token
from batchwork.engine.unit.stored_value import key_is_value, value_texts
from batchwork.model import Call, Counts, Report, Units
from batchwork.text.jsontext import decode, default_key


def units(values: list[object], keys: list[str] | None = None) -> Units:
    numbers = list(range(len(values)))
    return Units(numbers, numbers, keys or [default_key(value) for value in values], values)


@pytest.mark.parametrize(
    "value", [0, -5, 10**30, 1.5, -0.0, "a", "a#1", "sha256:x", "", "é", None, True, [1, "#"], {"a#": 1}, "x" * 5000]
)
def test_a_value_can_be_had_from_its_key_or_from_its_text(value: object):
    unit = units([value])
    text = value_texts(unit, False)[0]
    assert decode(unit.keys[0] if text is None else text) == value


@pytest.mark.parametrize("key", ['"a"#1', "1#1", "null#12", "true#3", "sha256:00112233", "[1]#2"])
@pytest.mark.promise("6.03")
def test_numbered_and_hashed_keys_are_not_the_value(key: str):
    assert not key_is_value(key)


def test_with_a_written_key_the_value_is_kept_beside_it():
    assert value_texts(units([1, 2], ["1", "2"]), True) == ["1", "2"]


def call(count: int) -> Call:
    some = units(list(range(10, 10 + count)))
    return Call(1, 1, some, some.values)


@pytest.mark.parametrize("done", [[0, 1, 2, 3], [1, 2], [0, 3], [2]])
def test_rows_of_a_part_of_a_call_belong_together(done: list[int]):
    report = Report(1, done=done, results=[f"r{at}" for at in done], durations_us=list(done), worker="w")
    rows = success_rows(call(4), report, 5, False)
    assert list(rows.seqs) == done
    assert list(rows.keys) == [str(10 + at) for at in done]
    assert list(rows.results) == [f"r{at}" for at in done]
    assert rows.members is None


def test_batches_keep_their_members():
    some = Units([0], [0], ["batch:1"], [[1, 2]], [["1", "2"]])
    report = Report(1, done=[0], results=["9"], durations_us=[1])
    rows = success_rows(Call(1, 1, some, some.values), report, 0, False)
    assert rows.members == ['["1","2"]']
    assert rows.values == ["[1,2]"]


def test_a_draft_is_empty_until_something_comes():
    draft = Draft(7)
    assert draft.empty
    draft.claim(call(2), 3.0)
    checkpoint = draft.checkpoint(Counts(total=2))
    assert not draft.empty
    assert draft.since == 3.0
    assert (checkpoint.step, checkpoint.claims[0].keys, checkpoint.counts) == (7, ["10", "11"], Counts(total=2))


@pytest.mark.parametrize("key", ["a b", "é", "x" * 300, "line\nfeed"])
def test_a_token_is_safe_in_a_header_and_always_the_same(key: str):
    made = token("r1/step", key)
    assert made.isascii()
    assert made.isprintable()
    assert " " not in made
    assert made == token("r1/step", key)
    assert made != token("r1/step", key + "2")


def test_a_simple_key_is_its_token():
    assert token("r1/s", '"a"') == 'r1/s/"a"'


def test_speed_is_what_came_since_the_last_look():
    speed = Speed()
    speed.since_last(10.0)
    speed.saw(list(range(1, 101)))
    rate, p50, p95, p99 = speed.since_last(12.0)
    assert rate == 50.0
    assert 45 <= p50 <= 55
    assert p50 < p95 <= p99 <= 100
    assert speed.since_last(13.0) == (0.0, 0, 0, 0)
