"""Texts to bytes and back, in a named encoding; `base64` for bytes that are no text. Where it does not fit, FileTrouble says where."""

from __future__ import annotations

import base64
import binascii
import codecs

from batchwork.tasks.files.trouble import FileTrouble, shown

UTF_8 = "utf-8"
BASE64 = "base64"
_MARKED = frozenset(("utf-16", "utf-32", "utf-8-sig"))
"""Encodings that put a mark at the beginning of a file."""


def checked_encoding(value: object) -> str:
    """The usual name of an encoding. Raises ValueError with what was expected."""
    if value == BASE64:
        return BASE64
    expected = ValueError("an encoding, such as utf-8, latin-1, utf-16, or base64 for bytes that are no text")
    if not isinstance(value, str) or "\0" in value:
        raise expected
    try:
        found = codecs.lookup(value)
        "".encode(value)  # refuses those that make no bytes of texts, such as rot13
    except (LookupError, ValueError):
        raise expected from None
    return found.name


def encoding_of(text: str) -> str:
    """The usual name of an encoding that a value named."""
    try:
        return checked_encoding(text)
    except ValueError as error:
        raise FileTrouble(f"`encoding` must be {error}, but it is {text[:60]}", kind="encoding") from None


def to_bytes(text: str, encoding: str, path: str) -> bytes:
    """The bytes of a text; in UTF-8, bytes that came as lone surrogates are the same bytes again."""
    if encoding == BASE64:
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise FileTrouble(
                f"cannot write {shown(path)}: the text is not base64 ({error})", kind="encoding"
            ) from None
    try:
        return text.encode(encoding, "surrogateescape" if encoding == UTF_8 else "strict")
    except UnicodeEncodeError as error:
        found = text[error.start].encode("unicode_escape").decode()
        message = (
            f"cannot write {shown(path)}: {encoding} has no {found}, the character {error.start + 1:,} of the text"
        )
        raise FileTrouble(message, "`encoding: utf-8` has all characters", "encoding") from None


def to_text(data: bytes, encoding: str, path: str) -> str:
    """The text of bytes."""
    if encoding == BASE64:
        return base64.b64encode(data).decode("ascii")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"{shown(path)}:{line}: byte {error.start + 1:,} (0x{data[error.start]:02x}) is not {encoding}"
        raise FileTrouble(
            message, "name its `encoding`, such as latin-1; base64 for bytes that are no text", "encoding"
        ) from None


def unmarked(encoding: str, path: str) -> str:
    """An encoding in which text can stand behind other text."""
    if encoding in _MARKED:
        instead = "utf-8" if encoding == "utf-8-sig" else f"{encoding}-le"
        message = f"cannot append to {shown(path)} in {encoding}, which puts a mark at the beginning of each text"
        raise FileTrouble(message, f"`encoding: {instead}`", "encoding")
    return encoding
