"""Text of other encodings turned into UTF-8 as it streams by. Which encoding a text has is said by its reader, never guessed."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import Annotated, Final, TypeAlias

from msgspec import Meta

from batchwork.errors import SourceError
from batchwork.ports import FieldFault

UTF8: Final = "utf-8"

Encoding: TypeAlias = Annotated[
    str, Meta(description="how its characters are written: `utf-16`, `latin-1`, `cp1252` …")
]


def check_encoding(encoding: object) -> Iterator[FieldFault]:
    """What is wrong with a name of an encoding."""
    if isinstance(encoding, str) and _normal(encoding) is None:
        hint = "for example utf-8, utf-16, latin-1, cp1252, shift_jis"
        yield FieldFault("encoding", f"there is no encoding `{encoding}`", hint)


def to_utf8(name: str, blocks: Iterable[bytes | None], encoding: str) -> Iterable[bytes | None]:
    """The same text in UTF-8. Bytes that mean nothing stay what they are where that can be, else they are a SourceError."""
    normal = _normal(encoding)
    if normal is None:
        raise SourceError(f"{name}: there is no encoding `{encoding}`")
    return blocks if normal in {UTF8, "utf-8-sig"} else _recoded(name, blocks, normal)


def undecodable(text: str, encoding: str) -> tuple[str, str] | None:
    """What is wrong, and what helps, where a text holds bytes that its encoding has not; None where it holds none."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        shown = "UTF-8" if _normal(encoding) in {UTF8, "utf-8-sig"} else encoding
        message = f"not {shown} (byte 0x{ord(text[error.start]) & 0xFF:02x})"
        return message, "`encoding` says how the file is written: latin-1, cp1252 …"
    return None


def _recoded(name: str, blocks: Iterable[bytes | None], encoding: str) -> Iterator[bytes | None]:
    decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
    place = 0
    for block in _ended(blocks):
        if block is None:
            yield None
            continue
        try:
            recoded = decoder.decode(block, final=not block).encode(UTF8, "surrogateescape")
        except UnicodeError as error:
            at = place + getattr(error, "start", 0)
            reason = getattr(error, "reason", str(error))
            message = f"{name}: this is not {encoding}: {reason}, at or shortly before byte {at:,}"
            raise SourceError(message, "`encoding` says how it is written; what comes before was read") from error
        place += len(block)
        if recoded:
            yield recoded


def _ended(blocks: Iterable[bytes | None]) -> Iterator[bytes | None]:
    """The blocks, and an empty one at the end."""
    yield from (block for block in blocks if block is None or block)
    yield b""


def _normal(encoding: str) -> str | None:
    """The usual name of an encoding of text; None where there is none such."""
    try:
        found = codecs.lookup(encoding)
    except (LookupError, ValueError):
        return None
    return found.name if getattr(found, "_is_text_encoding", True) and found.incrementaldecoder is not None else None
