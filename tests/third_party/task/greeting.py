"""A task type as another package adds it: a class with a method, which Python workers run."""

from typing import Annotated, Any

import msgspec

from batchwork import Task


class Greet(Task):
    """Greet someone."""

    name = "greet"

    class Fields(msgspec.Struct):
        whom: Annotated[str, msgspec.Meta(description="who is greeted")]
        word: Annotated[str, msgspec.Meta(description="what is said")] = "hello"

    def run(self, fields: Fields, unit: Any) -> str:
        return f"{fields.word}, {fields.whom}"
