"""Items that are elements of the pages of a web service: `{from: http, url, items, next, …}`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from batchwork.errors import SourceError
from batchwork.items.base import watched
from batchwork.items.web.answers import Answer, NoSuchPart, elements, next_url
from batchwork.items.web.requests import Service
from batchwork.ports import FieldFault, ItemSource, Reading, Row, Rows, SourceType
from batchwork.text.jsontext import Json, encode
from batchwork.text.wording import short

_WAYS = "`link`, a path in the answer, {cursor: NAME} or {page: NAME}"


class HttpSource(SourceType):
    """The elements of JSON answers of a web service, page by page."""

    name = "http"
    may_preview = False

    class Fields(Struct, frozen=True):
        """Where the pages are, and what of them."""

        url: Annotated[str, Meta(description="the first page; http or https")]
        headers: Annotated[dict[str, Any], Meta(description="headers of each request; null leaves one out")] = {}
        auth: Annotated[
            dict[str, Any] | list[str] | None,
            Meta(description="`{bearer: token}`, `{username, password}` or `[username, password]`"),
        ] = None
        items: Annotated[
            str,
            Meta(description="the path to the list in an answer: `data.results`; without one the answer is the list"),
        ] = ""
        next: Annotated[
            str | dict[str, Any] | None,
            Meta(
                description="where the next page is: `link` (the header), a path to its URL, `{cursor: NAME}`, `{page: NAME}`"
            ),
        ] = None

    def check(self, constants: Mapping[str, Any], written: Collection[str]) -> Iterator[FieldFault]:
        """The URL is one of the web, and the way to the next page is known."""
        if not str(constants.get("url", "http://")).lower().startswith(("http://", "https://")):
            yield FieldFault("url", "`url` of `from: http` must begin with http:// or https://")
        way = constants.get("next")
        if isinstance(way, dict) and len({"cursor", "page"}.intersection(way)) != 1:
            yield FieldFault("next", f"`next` must be {_WAYS}")
        for name in set(way if isinstance(way, dict) else ()) - {"cursor", "page", "from", "start", "step"}:
            yield FieldFault("next", f"`next` has no `{name}`", f"it is {_WAYS}")

    def open(self, fields: Fields, cwd: str, environ: Mapping[str, str]) -> ItemSource:
        return _Elements(fields)


class _Elements:
    may_block = True

    def __init__(self, fields: HttpSource.Fields) -> None:
        self._fields = fields
        self._service = Service(fields.url, fields.headers, fields.auth)

    def reading(self) -> Reading:
        """What a service gives is not known beforehand."""
        return Reading("", None, distinct=False)

    def pages(self, start: int, size: int) -> Iterator[Sequence[Row]]:
        return watched("items", self._cut(start, size))

    def _cut(self, start: int, size: int) -> Iterator[Sequence[Row]]:
        for number, found in enumerate(self._answers(), 1):
            rows = Rows(f"page {number}", found, [(0, 1)])
            for at in range(min(start, len(found)), len(found), size):
                page = Rows()
                page.add(rows, at, min(at + size, len(found)))
                yield page
            start = max(0, start - len(found))

    def _answers(self) -> Iterator[list[Json]]:
        """The elements of each page. Raises SourceError where one cannot be had, or leads back."""
        url: str | None = self._fields.url
        seen: dict[int, int] = {}
        number, before = 0, 0
        while url is not None:
            number += 1
            if (earlier := seen.setdefault(hash(url), number)) != number:
                raise SourceError(f"items: page {number - 1} leads back to page {earlier}", f"`next` is {_WAYS}")
            answer = self._service.ask(url, number)
            found, url = self._read(answer, number)
            content = hash(encode(found)) if isinstance(self._fields.next, dict) and found else 0
            if content and content == before:
                hint = "does the service take the parameter that `next` names?"
                raise SourceError(f"items: page {number} holds the same as page {number - 1}", hint)
            before = content
            if found:
                yield found

    def _read(self, answer: Answer, number: int) -> tuple[list[Json], str | None]:
        try:
            found = elements(answer, self._fields.items)
            return found, next_url(answer, self._fields.next, len(found))
        except NoSuchPart as error:
            raise SourceError(
                f"items: page {number}: {error}", f"it begins {short(encode(answer.value), 100)}"
            ) from None

    def close(self) -> None:
        """From any thread: reading ends at once."""
        self._service.stop()
