"""What a Python task may give: what stands for values that JSON has no form of, and what is refused, with its path."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import json
import sys
import types
import uuid
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from batchwork.workers.python.program.values.encoding import ResultError, encode_result


class Status(str, enum.Enum):  # noqa: UP042  which has another text than StrEnum
    OK = "ok"
    BAD = "not ok"


class Word(enum.StrEnum):
    ONE = "one"


class Plain(enum.Enum):
    TEXT = "text"
    PAIR = (1, "b")
    WHEN = dt.date(2026, 1, 2)
    NOTHING = None
    STRANGE = object()
    LOST = float("nan")


class Level(enum.IntEnum):
    HIGH = 3


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Weight(float, enum.Enum):
    HALF = 0.5


class Shouting(str):  # noqa: SLOT000  as authors write them
    def __str__(self) -> str:
        return self.upper()


class Counted(int):
    def __int__(self) -> int:
        return 99

    def __str__(self) -> str:
        return "many"


@dataclasses.dataclass
class Point:
    x: int


CONVERTED: list[tuple[Any, Any]] = [
    (Status.OK, "ok"),
    ([Status.BAD, Word.ONE], ["not ok", "one"]),
    ({Status.OK: Status.BAD, Word.ONE: 1}, {"ok": "not ok", "one": 1}),
    (Plain.TEXT, "text"),
    (Plain.PAIR, [1, "b"]),
    ([Plain.WHEN, Plain.NOTHING], ["2026-01-02", None]),
    ({Plain.TEXT: 1, Plain.WHEN: 2, Level.HIGH: 3}, {"text": 1, "2026-01-02": 2, "3": 3}),
    ([Level.HIGH, Weight.HALF, Right.READ | Right.WRITE], [3, 0.5, 3]),
    ([Shouting("low"), {Shouting("key"): Counted(7)}], ["low", {"key": 7}]),
    (decimal.Decimal("-0.10"), "-0.10"),
    ({decimal.Decimal("1.0"): uuid.UUID(int=0)}, {"1.0": "00000000-0000-0000-0000-000000000000"}),
    ([PurePosixPath("a/b"), Path("c")], ["a/b", "c"]),
    (
        [dt.datetime(2026, 1, 2, 3, 4), dt.date(2026, 1, 2), dt.time(5)],
        ["2026-01-02T03:04:00", "2026-01-02", "05:00:00"],
    ),
    (dt.datetime(2026, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))), "2026-01-02T00:00:00+02:00"),
]


@pytest.mark.parametrize(("value", "data"), CONVERTED, ids=lambda value: repr(value)[:40])
@pytest.mark.parametrize("place", ["alone", "inside"])
@pytest.mark.promise("5.12")
def test_what_stands_for_values_that_json_has_no_form_of(value: Any, data: Any, place: str) -> None:
    if place == "inside":
        value, data = {"a": [1, (value,)]}, {"a": [1, [data]]}
    assert json.loads(encode_result(value)) == data


NUMPY: list[tuple[str, Any]] = [
    ("int8(-3)", -3),
    ("uint64(2**63)", 2**63),
    ("float16(0.5)", 0.5),
    ("longdouble('0.25')", 0.25),
    ("bool_(True)", True),
    ("str_('a')", "a"),
    ("array(3)", 3),
    ("array('b')", "b"),
    *((f"datetime64('2024-03-01', '{unit}')", "2024-03-01") for unit in ("D", "W", "M")),
    *((f"datetime64('2024-03-01', '{unit}')", "2024-03-01T00:00:00") for unit in ("h", "m", "s", "ms", "us")),
    ("datetime64('2024-03-01T01:02:03.000000004', 'ns')", "2024-03-01T01:02:03.000000004"),
    ("datetime64('20000-01-01', 's')", "20000-01-01T00:00:00"),
    ("array(np.datetime64('2024-03-01', 'ns'))", "2024-03-01T00:00:00.000000000"),
]


@pytest.mark.parametrize(("made", "data"), NUMPY)
@pytest.mark.promise("5.12")
def test_numpy_scalars_are_what_they_say(made: str, data: Any) -> None:
    numpy = pytest.importorskip("numpy")
    value = eval(f"np.{made}", {"np": numpy})
    found = json.loads(encode_result([value]))[0]
    if made.startswith("datetime64('2024-03-01', 'W')"):
        data = "2024-02-29"  # weeks begin on Thursdays
    assert found == data and type(found) is type(data)


MISSING = [
    (float("nan"), "nan"),
    (float("inf"), "inf"),
    (float("-inf"), "-inf"),
    (Plain.LOST, "nan"),
    (decimal.Decimal("NaN"), "NaN"),
    (decimal.Decimal("sNaN"), "sNaN"),
    (decimal.Decimal("-Infinity"), "-Infinity"),
]
MISSING_OF_LIBRARIES = [
    *(
        (f"np.{kind}('{word}')", word)
        for kind in ("float16", "float32", "float64", "longdouble")
        for word in ("nan", "inf")
    ),
    ("np.datetime64('NaT')", "NaT"),
    ("np.datetime64('NaT', 'ns')", "NaT"),
    ("np.timedelta64('NaT', 'ns')", "NaT"),
    ("np.array(np.nan)", "nan"),
    ("np.ma.masked", "a masked element"),
    ("pd.NaT", "NaT"),
    ("pd.NA", "NA"),
    ("pd.Timestamp('NaT')", "NaT"),
]


def refused(value: Any) -> str:
    with pytest.raises(ResultError) as caught:
        encode_result(value)
    return str(caught.value)


@pytest.mark.parametrize(("value", "shown"), MISSING, ids=repr)
@pytest.mark.promise("5.13")
def test_no_number_and_no_time_in_any_dress_are_refused_with_their_path(value: Any, shown: str) -> None:
    assert f"{shown} at $ " in refused(value)
    assert f"{shown} at $.a[1] " in refused({"a": [0, value]})
    if shown != "sNaN":  # which cannot be a key
        assert f"{shown} at $.a (a key) " in refused({"a": {value: 1}})


@pytest.mark.parametrize(("made", "shown"), MISSING_OF_LIBRARIES)
def test_missing_values_of_libraries_are_refused_with_their_path(made: str, shown: str) -> None:
    value = eval(made, {"np": pytest.importorskip("numpy"), "pd": pytest.importorskip("pandas")})
    assert f"{shown} at $.a[1] " in refused({"a": [0, value]})
    if "array" not in made and "masked" not in made:  # which cannot be keys
        assert f"{shown} at $.a (a key) " in refused({"a": {value: 1}})


def test_a_missing_time_is_known_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    class NaTType(dt.datetime):
        def __ne__(self, other: object) -> bool:
            return True

        __hash__ = dt.datetime.__hash__

        def __str__(self) -> str:
            return "NaT"

        def isoformat(self, *_: Any, **__: Any) -> str:
            return "NaT"

    class NAType:
        pass

    NAType.__module__ = "pandas._libs.missing"
    monkeypatch.setitem(sys.modules, "pandas", types.ModuleType("pandas"))
    assert "NaT at $.when " in refused({"when": NaTType(2000, 1, 1)})
    assert "NA at $.when " in refused({"when": NAType()})


ADVICE: list[tuple[Any, str]] = [
    (dt.timedelta(1), "datetime.timedelta at $; use .total_seconds()"),
    ({1}, "set at $; use sorted(…) or list(…)"),
    (b"x", "bytes at $; decode it"),
    (Point(1), "Point at $; use dataclasses.asdict(…)"),
    (fractions.Fraction(1, 3), "fractions.Fraction at $; use float(…)"),
    (range(3), "range at $; use list(…)"),
    ({}.keys(), "dict_keys at $; use list(…)"),
    (collections.deque(), "collections.deque at $; use list(…)"),
    (types.MappingProxyType({}), "mappingproxy at $; use dict(…)"),
    (len, "builtin_function_or_method at $; call it"),
    (Plain.STRANGE, "object at $"),
    ({(1, 2): 3}, "a key at $ is of type tuple, not text"),
    ({object(): 3}, "object at $ (a key)"),
    ({1: "a", Level.HIGH: "b", "3": "c"}, 'two keys at $ are both "3"'),
    ({dt.date(2026, 1, 1): 1, "2026-01-01": 2}, 'two keys at $ are both "2026-01-01"'),
]


@pytest.mark.parametrize(("value", "message"), ADVICE, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.promise("5.13")
def test_anything_else_is_refused_and_says_what_to_write(value: Any, message: str) -> None:
    assert message in refused(value)


@pytest.mark.parametrize(
    "made", ["np.timedelta64(5, 'ns')", "np.timedelta64(5, 's')", "np.complex128(1)", "np.clongdouble(1)"]
)
def test_numpy_scalars_that_would_lose_their_meaning_are_refused(made: str) -> None:
    value = eval(made, {"np": pytest.importorskip("numpy")})
    assert " at $.a" in refused({"a": value})


def test_a_coroutine_that_was_not_awaited_is_refused() -> None:
    async def fetch() -> int:
        return 1

    made = fetch()
    assert "coroutine at $; await it" in refused(made)
    made.close()
