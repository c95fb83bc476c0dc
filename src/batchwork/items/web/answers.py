"""What an answer holds: the elements on its page, and where the next page is. Pure; nothing is asked here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from msgspec import Struct

from batchwork.text.jsontext import Json
from batchwork.text.patterns import pattern
from batchwork.text.spelling import listing
from batchwork.text.wording import short

_step = pattern(r"\.?([^.\[\]]+)|\[(\d+)\]")
_link = pattern(r"<([^<>]*)>\s*;([^,<]*)")
_rel_next = pattern(r"\brel\s*=\s*(?:\"[^\"]*\bnext\b[^\"]*\"|next\b)", re.IGNORECASE)


class NoSuchPart(Exception):
    """The answer has no part under a path. The message says what there is."""


class Answer(Struct, frozen=True):
    """One page: where it is, its value, and its header `Link`."""

    url: str
    value: Json
    link: str = ""


def elements(answer: Answer, path: str) -> list[Json]:
    """The elements under a path; null has none. Raises NoSuchPart."""
    found = part(answer.value, path)
    if found is None:
        return []
    if not isinstance(found, list):
        where = f"`{path}` is" if path else "the answer is"
        raise NoSuchPart(f"{where} no list but {_kind(found)}")
    return found


def part(value: Json, path: str) -> Json:
    """What stands under a path such as `data.results` or `pages[0].rows`. Raises NoSuchPart."""
    for name, number in _step.findall(path.removeprefix("$")):
        if number and isinstance(value, list) and int(number) < len(value):
            value = value[int(number)]
        elif name and isinstance(value, dict) and name in value:
            value = value[name]
        else:
            raise NoSuchPart(f"there is no `{path}` in the answer: `{name or number}` is missing in {_kind(value)}")
    return value


def _kind(value: Json) -> str:
    if isinstance(value, dict):
        return f"a mapping with {listing([*value])}" if value else "an empty mapping"
    return "a list" if isinstance(value, list) else f"the value {short(repr(value), 60)}"


def next_url(answer: Answer, way: str | Mapping[str, Any] | None, count: int) -> str | None:
    """Where the next page is; None at the end. `count` elements were on this one. Raises NoSuchPart."""
    if way is None:
        return None
    if way == "link":
        found = next((link for link, rest in _link.findall(answer.link) if _rel_next.search(rest)), "")
        return urljoin(answer.url, found) if found else None
    if isinstance(way, str):
        return _joined(answer, _part_or_none(answer.value, way), way)
    if "cursor" in way:
        return _after_cursor(answer, way)
    return _after_page(answer.url, way) if count else None


def _after_cursor(answer: Answer, way: Mapping[str, Any]) -> str | None:
    cursor = _part_or_none(answer.value, str(way.get("from", way["cursor"])))
    if cursor in (None, "", False):
        return None
    name = str(way["cursor"]).rpartition(".")[2]
    return _with_parameter(answer.url, name, cursor if isinstance(cursor, str) else str(cursor))


def _after_page(url: str, way: Mapping[str, Any]) -> str:
    name = str(way["page"])
    current = dict(parse_qsl(urlsplit(url).query)).get(name, str(way.get("start", 1)))
    if not current.isdecimal():
        raise NoSuchPart(f"the parameter `{name}` of the URL is no number: {current!r}")
    return _with_parameter(url, name, str(int(current) + int(way.get("step", 1))))


def _part_or_none(value: Json, path: str) -> Json:
    """The same, where the last page may do without it."""
    try:
        return part(value, path)
    except NoSuchPart:
        return None


def _joined(answer: Answer, found: Json, path: str) -> str | None:
    if found is None or found == "":
        return None
    if not isinstance(found, str):
        raise NoSuchPart(f"`{path}` is no URL but {_kind(found)}")
    return urljoin(answer.url, found)


def _with_parameter(url: str, name: str, value: str) -> str:
    """The URL with one parameter of its query set."""
    parts = urlsplit(url)
    others = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != name]
    return urlunsplit(parts._replace(query=urlencode([*others, (name, value)])))


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Where a URL leads to: credentials for one place are not for another."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
