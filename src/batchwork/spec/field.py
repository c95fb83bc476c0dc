"""How a field that may be written is declared: once, beside the attribute that holds its value. From that comes all else."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from msgspec import NODEFAULT, Struct
from msgspec.structs import replace

from batchwork.spec.readers import Reader

REQUIRED: Final = "required"
FIRST_VERSION: Final = "0.1"


class Field(Struct, frozen=True):
    """What `Annotated[type, Field(…)] = default` says of an attribute.

    `text` explains it to people; `name` is how it is written where the attribute is called otherwise; `default` says in
    words what the attribute's default does not, `REQUIRED` for one. `null` is as good as nothing, and `template` one
    over parameters and the environment, rendered when the plan is made. `since` is the version that brought it.
    """

    reader: Reader[Any]
    text: str
    name: str = ""
    default: str = ""
    synonyms: tuple[str, ...] = ()
    null: bool = False
    template: bool = True
    since: str = FIRST_VERSION


@lru_cache(maxsize=64)
def declared(kind: type[Struct]) -> Mapping[str, Field]:
    """The fields that a struct declares, by attribute, those of its bases last. Other attributes are none of them."""
    found: dict[str, Field] = {}
    for base in kind.__mro__:
        for attribute, hint in base.__dict__.get("__annotations__", {}).items():  # noqa: RUF063 – `inspect` is a lot to import
            for note in getattr(hint, "__metadata__", ()):
                if isinstance(note, Field):
                    found.setdefault(attribute, replace(note, name=note.name or attribute))
    return found


def default_of(kind: type[Struct], attribute: str) -> object:
    """The value of a field that is not written; None where there is none that is always the same."""
    named = kind.__struct_fields__[len(kind.__struct_fields__) - len(kind.__struct_defaults__) :]
    return dict(zip(named, kind.__struct_defaults__, strict=True)).get(attribute)


def default_text(kind: type[Struct], attribute: str, field: Field) -> str:
    """The default in words, "" for nothing."""
    value = default_of(kind, attribute)
    if field.default or value in (None, "", (), NODEFAULT):
        return field.default
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"`{value}`"
    return f"{value:g}"
