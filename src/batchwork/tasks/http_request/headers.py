"""What goes into the head of a request, checked before it is sent: the method, names and values of headers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from batchwork.errors import BindError, RenderError
from batchwork.template import text_of
from batchwork.text.patterns import pattern

_token = pattern(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_unsendable = pattern(r"[\x00-\x08\x0a-\x1f\x7f]")
_COMMON = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY")


def checked_method(value: object) -> str:
    """The method in capitals. Raises BindError."""
    if not isinstance(value, str) or not _token.match(method := value.upper()):
        raise BindError(f"{value!r} is not an HTTP method", f"a method is one word, such as {', '.join(_COMMON)}")
    if method == "CONNECT":
        raise BindError("the method CONNECT opens a tunnel, which is of no use here")
    return method


def each(value: object) -> Sequence[object]:
    """The elements of a list; else the value alone."""
    if isinstance(value, list | tuple):
        return value
    return (value,)


def header_pairs(value: object) -> Iterator[tuple[str, str]]:
    """Headers as pairs, each of them sendable. Raises RenderError, BindError."""
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise RenderError("`headers` must be a mapping of names to values")
    for name, parts in value.items():
        for part in each(parts):
            if part is not None:
                yield checked_name(str(name)), checked_value(str(name), text_of(part))


def checked_name(name: str) -> str:
    """Raises BindError."""
    if not _token.match(name):
        raise BindError(f"`{name}` cannot be the name of a header")
    return name


def checked_value(name: str, text: str) -> str:
    """The value of the header `name`, if it can be sent as it is. Raises BindError."""
    if text.isascii() and text.isprintable() and text[:1] != " " and text[-1:] != " ":
        return text
    if kind := _unsendable_kind(text):
        raise BindError(f"the header {name} has {kind} in it, and is not sent")
    if text != text.strip(" \t"):
        raise BindError(f"the header {name} begins or ends with white space, which HTTP takes away")
    return _encodable(f"the header {name}", text)


def checked_credential(text: str) -> str:
    """A username or password, if it can be sent. Raises BindError."""
    if kind := _unsendable_kind(text):
        raise BindError(f"`auth` has {kind} in it")
    return _encodable("the header auth", text)


def _unsendable_kind(text: str) -> str:
    """What is in it that cannot be sent; nothing where it can."""
    if not _unsendable.search(text):
        return ""
    if "\r" in text or "\n" in text:
        return "a line end"
    if "\0" in text:
        return "a NUL"
    return "a control character"


def _encodable(what: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BindError(f"{what} contains {text[error.start]!a}, half of a character") from None
    return text
