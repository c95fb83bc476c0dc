"""What `product` and `zip` share: what is known of several sources beforehand, and closing them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from batchwork.ports import ItemSource, Reading
from batchwork.text.wording import only_if


def reading_of(name: str, parts: Mapping[str, ItemSource], length: Callable[[Sequence[int]], int]) -> Reading:
    """What is known of all together. Raises SourceError where one of them cannot be opened."""
    readings = [part.reading() for part in parts.values()]
    lengths = [reading.length for reading in readings if reading.length is not None]
    marks = [f"{key}={reading.fingerprint}" for key, reading in zip(parts, readings, strict=True)]
    mark = only_if(all(reading.fingerprint for reading in readings), f"{name}({','.join(marks)})")
    known = length(lengths) if len(lengths) == len(readings) else None
    return Reading(mark, known, distinct=all(reading.distinct for reading in readings))


def close_all(parts: Iterable[ItemSource]) -> None:
    """Close each source."""
    for part in parts:
        part.close()
