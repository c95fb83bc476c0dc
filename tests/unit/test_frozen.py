"""The fast dataclass is a dataclass: the standard one and ours are made of the same text and must not differ."""

from __future__ import annotations

import dataclasses
from dataclasses import FrozenInstanceError, asdict, field, fields, is_dataclass, replace
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from batchwork import frozen


def make(dataclass: Any) -> Any:
    """Some classes, made by one of the two decorators."""

    @dataclass(frozen=True, slots=True)
    class Point:
        """A point."""

        x: int
        y: int = 0
        names: list[str] = field(default_factory=list, compare=False)
        hidden: int = field(default=7, repr=False)
        KIND: ClassVar[str] = "point"

        @property
        def far(self) -> int:
            return self.x + self.y

    @dataclass(frozen=True, slots=True, order=True)
    class Place:
        file: str = ""
        line: int = 0

        def __str__(self) -> str:
            return f"{self.file}:{self.line}"

    @dataclass(slots=True)
    class Box:
        content: object
        size: int = field(init=False)
        tries: int = field(init=False, default=3)
        seen: list[int] = field(init=False, default_factory=list)

        def __post_init__(self) -> None:
            self.size = len(str(self.content))

    @dataclass(frozen=True, slots=True)
    class One:
        only: object

    @dataclass(frozen=True, slots=True)
    class Nothing:
        pass

    @dataclass(frozen=True, slots=True)
    class Point3(Point):
        z: int = 1

    return SimpleNamespace(Point=Point, Place=Place, Box=Box, One=One, Nothing=Nothing, Point3=Point3)


OURS, THEIRS = make(frozen.dataclass), make(dataclasses.dataclass)


@pytest.fixture(params=[OURS, THEIRS], ids=["ours", "theirs"])
def kinds(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_values(kinds: Any) -> None:
    point = kinds.Point(1, names=["a"])
    assert (point.x, point.y, point.names, point.hidden, point.far, point.KIND) == (1, 0, ["a"], 7, 1, "point")
    assert point == kinds.Point(1, names=["b"]) and point != kinds.Point(2) and point != "x"
    assert kinds.Point(1).names is not kinds.Point(1).names
    assert repr(point).endswith("Point(x=1, y=0, names=['a'])")
    assert kinds.Point.__doc__ == "A point."
    assert not hasattr(point, "__dict__")


def test_frozen_ones_stay_as_they_are_and_can_be_keys(kinds: Any) -> None:
    point = kinds.Point(1)
    with pytest.raises(FrozenInstanceError):
        point.x = 2
    with pytest.raises(FrozenInstanceError):
        del point.x
    assert {point: 1}[kinds.Point(1)] == 1
    assert hash(kinds.One(5)) == hash(kinds.One(5)) and kinds.One(5) != kinds.One(6)
    assert kinds.Nothing() == kinds.Nothing()


def test_wrong_arguments_are_refused(kinds: Any) -> None:
    for wrong in (kinds.Point, lambda: kinds.Point(1, 2, [], 3, 4), lambda: kinds.Point(1, z=2)):
        with pytest.raises(TypeError):
            wrong()


def test_order(kinds: Any) -> None:
    places = [kinds.Place("b", 1), kinds.Place("a", 2), kinds.Place("a", 1)]
    assert list(map(str, sorted(places))) == ["a:1", "a:2", "b:1"]
    assert places[1] > places[2] and places[1] >= places[1] and places[2] <= places[1]
    with pytest.raises(TypeError):
        assert places[0] < 1


def test_those_that_change(kinds: Any) -> None:
    box = kinds.Box("abc")
    assert (box.size, box.tries, box.seen) == (3, 3, [])
    box.content = 1
    assert box == kinds.Box(1) or box.size == 3
    with pytest.raises(TypeError):
        hash(box)


def test_inheritance(kinds: Any) -> None:
    point = kinds.Point3(1, 2, [], 3, 4)
    assert (point.x, point.z, point.far) == (1, 4, 3)
    assert kinds.Point(1) != kinds.Point3(1)
    assert [f.name for f in fields(point)] == ["x", "y", "names", "hidden", "z"]


def test_what_reads_dataclasses_reads_ours(kinds: Any) -> None:
    point = kinds.Point(1, 2)
    assert is_dataclass(point) and replace(point, y=5) == kinds.Point(1, 5)
    assert asdict(point) == {"x": 1, "y": 2, "names": [], "hidden": 7}
    match point:
        case kinds.Point(x, y):
            assert (x, y) == (1, 2)
        case _:
            pytest.fail("no match")


def test_slots_are_asked_for() -> None:
    with pytest.raises(TypeError, match="has slots"):
        frozen.dataclass(slots=False)
