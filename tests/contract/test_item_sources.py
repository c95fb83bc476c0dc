"""Each source keeps the contract of ItemSource."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from batchwork.items.combined import kept
from batchwork.items.fields import open_source
from batchwork.items.literal import open_value
from batchwork.items.narrowing import NarrowedItems, Narrowing
from batchwork.ports import ItemSource
from batchwork.testing.source_contract import ItemSourceContract
from batchwork.text.jsontext import Json

TEXTS: list[Json] = ["a", "b c", "ü", "'", "a", "$(id)", "007", "-rf"]
VALUES: list[Json] = [1, "x", None, True, {"a": [1, {"b": None}]}, 2**70, 1.5, "\ud800", [], "1"]


class Lazy:
    """Gives slices as a store's results do."""

    fingerprint = "v1"

    def __init__(self, items: Sequence[Json]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, part: slice) -> Sequence[Json]:
        assert isinstance(part, slice)
        return tuple(self._items[part])


@pytest.fixture(autouse=True)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if request.instance is not None:
        request.instance.folder = tmp_path
        (tmp_path / "items.txt").write_text("\n".join(map(str, TEXTS)) + "\n")
        (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, VALUES)))


class Base(ItemSourceContract):
    folder: Path
    items: Sequence[Json] = VALUES

    def expected(self) -> Sequence[Json]:
        return self.items

    def open(self, kind: str, **options: Json) -> ItemSource:
        return open_source(kind, options, str(self.folder), os.environ)


class TestList(Base):
    def source(self) -> ItemSource:
        return open_value([*VALUES])


class TestLazySequence(Base):
    def source(self) -> ItemSource:
        return open_value(Lazy(VALUES))


class TestRange(Base):
    items = range(10, 24, 2)  # type: ignore[assignment]

    def source(self) -> ItemSource:
        return self.open("range", start=10, stop=24, step=2)


class TestRangeDownwards(Base):
    items = [5, 3, 1, -1, -3, -5, -7]

    def source(self) -> ItemSource:
        return self.open("range", start=5, step=-2, count=7)


class TestLines(Base):
    items = TEXTS

    def source(self) -> ItemSource:
        return self.open("lines", path="items.txt")


class TestJsonl(Base):
    def source(self) -> ItemSource:
        return self.open("jsonl", path="items.jsonl")


class TestCommand(Base):
    items = TEXTS

    def source(self) -> ItemSource:
        return self.open("command", command="cat items.txt")


class TestCommandPrintingJson(Base):
    def source(self) -> ItemSource:
        return self.open("command", command="cat items.jsonl", format="jsonl")


class TestGlob(Base):
    items = ["in/-d", "in/a b", "in/a/1", "in/b\nc", "in/c", "in/ü", "in/\udcff"]

    def source(self) -> ItemSource:
        (self.folder / "in/a").mkdir(parents=True, exist_ok=True)
        for path in self.items:
            (self.folder / str(path)).touch()
        return self.open("glob", pattern="in/**", type="file")


class TestProduct(Base):
    items = [{"a": a, "b": b, "c": c} for a in (1, 2) for b in ("x", None) for c in ([], "\ud800")]

    def source(self) -> ItemSource:
        parts = {"a": open_value([1, 2]), "b": open_value(["x", None]), "c": open_value([[], "\ud800"])}
        return self.open("product", of=parts)  # type: ignore[arg-type]


class TestProductOfMoreThanIsKeptInMemory(Base):
    items = [{"a": a, "b": b, "c": c} for a in (1, 2) for b in ("x", "\ud800", "z") for c in range(3)]

    @pytest.fixture(autouse=True)
    def _little_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kept, "IN_MEMORY", 1)

    def source(self) -> ItemSource:
        parts = {"a": open_value([1, 2]), "b": open_value(["x", "\ud800", "z"]), "c": self.open("range", count=3)}
        return self.open("product", of=parts)  # type: ignore[arg-type]


class TestZip(Base):
    items = [{"text": text, "number": number} for number, text in enumerate(TEXTS)]

    def source(self) -> ItemSource:
        parts = {"text": self.open("lines", path="items.txt"), "number": self.open("range", count=len(TEXTS))}
        return self.open("zip", of=parts)  # type: ignore[arg-type]


class TestNarrowed(Base):
    items = list(range(14, 30, 2))

    def source(self) -> ItemSource:
        even = Narrowing(lambda item: item % 2 == 0, "even", skip=2, limit=8)  # type: ignore[operator]
        return NarrowedItems(self.open("range", start=10, stop=100), even)


class TestNarrowedRows(Base):
    items = [row for row in TEXTS if row != "a"] + ["z"]

    def source(self) -> ItemSource:
        (self.folder / "more.txt").write_text("\n".join([*map(str, TEXTS), "z"]) + "\n")
        return NarrowedItems(self.open("lines", path="more.txt"), Narrowing(lambda item: item != "a", "not a"))


class TestPartOfASource(Base):
    items = list(range(13, 20))

    def source(self) -> ItemSource:
        return NarrowedItems(self.open("range", start=10, stop=100), Narrowing(skip=3, limit=7))
