"""What every item source must do, as tests: subclass ItemSourceContract and SourceTypeContract for your own and run them with pytest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_type_hints

from msgspec import Meta

from batchwork.items.fields import check_fields
from batchwork.ports import BadRow, ItemSource, SourceType
from batchwork.text.jsontext import Json, canonical


class ItemSourceContract:
    """Subclass it and give `source`, which opens a fresh source, and `expected`, its items (at least seven)."""

    def source(self) -> ItemSource:
        """A source that nothing has been read from."""
        raise AssertionError("a subclass gives its source")

    def expected(self) -> Sequence[Json]:
        """What the source holds."""
        raise AssertionError("a subclass says what its source holds")

    def _read(self, start: int, size: int) -> list[Json]:
        source = self.source()
        try:
            pages = list(source.pages(start, size))
        finally:
            source.close()
        assert all(1 <= len(page) <= size for page in pages), f"a page is empty or has more than {size} items"
        items = [item for page in pages for item in page]
        assert not any(isinstance(item, BadRow) for item in items), (
            "a row of what the source is said to hold cannot be read"
        )
        return items  # type: ignore[return-value]

    def test_all_items_come_in_order_whatever_the_page_size(self) -> None:
        for size in (1, 2, 3, 1000):
            assert canonical(self._read(0, size)) == canonical([*self.expected()]), f"page size {size}"

    def test_reading_can_start_anywhere(self) -> None:
        expected = [*self.expected()]
        assert len(expected) >= 7
        for start in (1, 2, 5, len(expected) - 1, len(expected), len(expected) + 3):
            assert canonical(self._read(start, 2)) == canonical(expected[start:]), f"start {start}"

    def test_the_reading_is_true(self) -> None:
        source = self.source()
        reading = source.reading()
        source.close()
        expected = [*self.expected()]
        assert reading.length in {None, len(expected)}
        if reading.distinct:
            assert len({canonical(item) for item in expected}) == len(expected)

    def test_it_says_whether_it_may_block(self) -> None:
        source = self.source()
        assert isinstance(source.may_block, bool)
        source.close()

    def test_the_fingerprint_is_the_same_while_nothing_changes(self) -> None:
        first, second = self.source(), self.source()
        assert first.reading().fingerprint == second.reading().fingerprint
        first.close()
        second.close()

    def test_closing_early_and_twice_is_fine(self) -> None:
        source = self.source()
        pages = source.pages(0, 1)
        assert canonical([*next(pages)]) == canonical([self.expected()[0]])
        source.close()
        source.close()

    def test_closing_a_source_that_was_never_read_is_fine(self) -> None:
        source = self.source()
        source.close()
        assert source is not None


class SourceTypeContract:
    """Subclass it and give `source_type`, and `fields` with which one can be opened; those that must be written suffice."""

    def source_type(self) -> SourceType:
        """What is registered."""
        raise AssertionError("a subclass gives its type of source")

    def fields(self) -> Mapping[str, Json]:
        """Fields as they may stand beside `from:`."""
        raise AssertionError("a subclass gives fields")

    def test_sound_fields_are_accepted(self) -> None:
        assert check_fields(self.source_type(), self.fields()) == []

    def test_fields_may_be_known_only_later(self) -> None:
        assert check_fields(self.source_type(), {}, [*self.fields()]) == []

    def test_a_field_that_there_is_not_is_named(self) -> None:
        faults = check_fields(self.source_type(), {**self.fields(), "no_such_field": 1})
        assert [fault.field for fault in faults] == ["no_such_field"]

    def test_the_type_and_its_fields_are_explained(self) -> None:
        kind = self.source_type()
        assert type(kind).__doc__
        for name, hint in get_type_hints(kind.Fields, include_extras=True).items():
            notes = [note for note in getattr(hint, "__metadata__", ()) if isinstance(note, Meta)]
            assert any(note.description for note in notes), f"the field `{name}` has no description"
