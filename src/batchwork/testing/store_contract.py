"""What every Store must do, as tests: subclass StoreContract for your own and run it with pytest. What is special to files is not here."""

from __future__ import annotations

from batchwork.testing.store_reading import StoreReading
from batchwork.testing.store_writing import StoreWriting


class StoreContract(StoreWriting, StoreReading):
    """Subclass it and give `store`, which opens an empty store."""
