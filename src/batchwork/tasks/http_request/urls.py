"""URLs with values in them: what stands in path or query is percent-encoded, so that no value changes the URL's structure.

A value that is the URL, or begins it, is taken as it is and checked afterwards; a value in the place of the host must be
a host. Nothing is sent here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import TypeAlias
from urllib.parse import quote, urlsplit

from msgspec import Struct

from batchwork.errors import BindError, Problem, RenderError
from batchwork.ports import Scope
from batchwork.tasks.fields import rendered
from batchwork.tasks.http_request.headers import each
from batchwork.template import Expression, Template, Value, text_of
from batchwork.text.patterns import pattern
from batchwork.text.wording import short

_scheme = pattern(r"([A-Za-z][A-Za-z0-9+.-]*):")
_host = pattern(r"(?:[^\s/?#@\\:\[\]%\x00-\x20\x7f]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?\Z")
_usual = pattern(r"https?://[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,4})?(?:[/?#][!-\[\]-~]*)?\Z")
_control = pattern(r"[\x00-\x1f\x7f]")
_DOTS = frozenset((".", ".."))


class _Part(Enum):
    """The part of a URL in which a value stands."""

    START = auto()
    USER = auto()
    HOST = auto()
    PATH = auto()
    QUERY = auto()


_Piece: TypeAlias = str | Callable[[Scope], str]


class BoundUrl(Struct, frozen=True):
    """A URL that is made for each unit. `in_path`: values stand in its path, which must not be `.` or `..`.

    `params` are further query parameters.
    """

    pieces: tuple[_Piece, ...]
    in_path: bool
    params: Value | None = None

    def text(self, scope: Scope) -> str:
        """The URL. Raises RenderError, BindError."""
        url = "".join([piece if isinstance(piece, str) else piece(scope) for piece in self.pieces])
        checked(url)
        if self.in_path and not _DOTS.isdisjoint(url.partition("?")[0].partition("#")[0].split("/")[3:]):
            raise BindError("a value makes `.` or `..` a part of the URL's path, which would mean another path")
        return with_params(url, rendered(self.params, scope))


def compile_url(value: Value, params: Value | None = None) -> BoundUrl:
    """Compile a `url` that has no problems, and its `params`."""
    template = value.template
    if template is None:
        return BoundUrl((text_of(value.json),), False, params)
    parts = list(_parts(template))
    pieces = [_piece(part, where) for part, where in parts]
    in_path = any(where is _Part.PATH for part, where in parts if isinstance(part, Expression))
    return BoundUrl(tuple(pieces), in_path, params)


def url_problems(value: Value) -> Iterator[Problem]:
    """What can be said of a URL before its values are known."""
    template = value.template
    if template is None:
        if not isinstance(value.json, str):
            return
        try:
            checked(value.json)
        except BindError as error:
            yield Problem(value.place, error.message, error.hint)
        return
    if template.has_statements:
        message = "`{% %}` cannot stand in a URL, whose values are encoded for the place they stand in"
        yield Problem(template.place, message, "use {{ a if x else b }}")
        return
    first = template.parts[0]
    if isinstance(first, str):
        try:
            checked_scheme(first)
        except BindError as error:
            yield Problem(template.place, error.message, error.hint)


def url_warnings(value: Value) -> Iterator[Problem]:
    template = value.template
    if template is None:
        return
    for part, where in _parts(template):
        if isinstance(part, Expression) and where is _Part.HOST and not part.roots.isdisjoint(("item", "key", "batch")):
            message = "the host of the URL comes from an item: whoever writes the items chooses where requests go"
            yield Problem(part.place, message, "write the host as it is, if it is always the same")


def checked_scheme(url: str) -> None:
    """Insist on http or https. Raises BindError."""
    match = _scheme.match(url)
    if match is None or (not url[match.end() :].startswith("//") and match[1].lower() not in _OTHER):
        raise BindError(f"the URL `{_shown(url)}` has no scheme", "it begins with http:// or https://")
    scheme = match[1].lower()
    if scheme not in ("http", "https"):
        message = f"the URL's scheme is `{match[1][:20]}`; only http and https are requested"
        hint = {"file": "files are read by a task of type shell or python"}.get(scheme, "")
        raise BindError(message, hint)


_OTHER = frozenset(("file", "data", "javascript", "mailto", "gopher", "dict"))


def checked(url: str) -> None:
    """Insist that a URL can be requested: http or https, a host, no control characters. Raises BindError."""
    if _usual.match(url):
        return
    if _control.search(url):
        raise BindError("the URL has a control character (a line end?) in it; it is not requested")
    checked_scheme(url)
    try:
        url.encode()
    except UnicodeEncodeError as error:
        raise BindError(f"the URL contains {url[error.start]!a}, half of a character") from None
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise BindError(f"`{_shown(url)}` is not a URL: {error}") from None
    if not host:
        raise BindError(f"the URL `{_shown(url)}` has no host")
    if "\\" in parts.netloc or " " in parts.netloc:
        raise BindError(f"the URL `{_shown(url)}` has a host that is not valid")


def _shown(url: str) -> str:
    """The URL for a message, without a password."""
    return short(re.sub(r"//[^/@]*@", "//***@", url), 80)


# ---------------------------------------------------------------- where a value stands


def _parts(template: Template) -> Iterator[tuple[str | Expression, _Part]]:
    """The pieces of a URL with the part that each expression stands in."""
    parts = template.parts
    written = ""  # what stands before, a value as one letter
    for number, part in enumerate(parts):
        if isinstance(part, str):
            yield part, _Part.START
            written += part
            continue
        yield part, _where(written, parts[number + 1 :])
        written += "x"


def _where(written: str, after: Sequence[str | Expression]) -> _Part:
    _, found, rest = written.partition("://")
    if not found:
        # A value began the URL: it may be a scheme and a host, or all of it; what follows a slash is path or query.
        if not written.startswith("x") or set(written).isdisjoint("/?#"):
            return _Part.START
        rest = written
    elif set(rest).isdisjoint("/?#"):
        following = "".join(part for part in after if isinstance(part, str))
        network = re.split(r"[/?#]", following, maxsplit=1)[0]
        if "@" in network:
            return _Part.USER
        return _Part.HOST
    if set(rest).isdisjoint("?#"):
        return _Part.PATH
    return _Part.QUERY


def _piece(part: Expression | str, where: _Part) -> _Piece:
    if isinstance(part, str):
        return part
    take, what = part.value, f"the value of `{{{{ {part.source} }}}}`"
    if where is _Part.START or part.filters[-1:] in (("urlencode",), ("raw",)):
        return lambda scope: text_of(take(scope))
    if where is _Part.HOST:
        return lambda scope: _as_host(text_of(take(scope)), what)
    return lambda scope: encoded(text_of(take(scope)), what)


def _as_host(text: str, what: str) -> str:
    if not _host.match(text):
        raise BindError(f"{what} stands for the URL's host, but is not a valid one")
    return text


def encoded(text: str, what: str = "a value of `params`") -> str:
    """A value for path or query: all but letters, digits and `-._~` percent-encoded. Raises BindError."""
    try:
        return quote(text, safe="")
    except UnicodeEncodeError as error:
        raise BindError(f"{what} contains {text[error.start]!a}, half of a character, which no URL can carry") from None


def with_params(url: str, params: object) -> str:
    """The URL with further query parameters: a list repeats its name, null leaves it out. Raises RenderError, BindError."""
    if params is None:
        return url
    if not isinstance(params, Mapping):
        raise RenderError("`params` must be a mapping of names to values")
    pairs: list[str] = []
    for name, value in params.items():
        pairs += [f"{encoded(str(name))}={encoded(text_of(part))}" for part in each(value) if part is not None]
    if not pairs:
        return url
    front, mark, fragment = url.partition("#")
    joint = "&"
    if front.endswith(("?", "&")):
        joint = ""
    elif "?" not in front:
        joint = "?"
    return f"{front}{joint}{'&'.join(pairs)}{mark}{fragment}"
