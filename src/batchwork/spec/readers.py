"""Readers: one node to one typed value, or a problem that says what was expected. Each knows its JSON Schema and its name for people."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from batchwork.errors import Problem
from batchwork.spec.written import Rate, Threshold
from batchwork.spec.yaml.nodes import ListNode, MapNode, Node, ScalarNode, describe
from batchwork.text.durations import seconds_of
from batchwork.text.jsontext import Json
from batchwork.text.patterns import pattern
from batchwork.text.spelling import listing, suggest

T = TypeVar("T")
L = TypeVar("L", bound=str)

_RATE = pattern(r"\s*(\d[\d_]*)\s*(?:/|per)\s*(s|sec|second|m|min|minute|h|hour)\s*\Z")
_PER = {"s": 1.0, "m": 60.0, "h": 3600.0}
_PERCENT = pattern(r"\s*(\d+(?:\.\d*)?)\s*%\s*\Z")
_PERCENT_SCHEMA: dict[str, Json] = {"type": "string", "pattern": r"^\s*\d+(\.\d*)?\s*%\s*$"}
_DURATION_SCHEMA = r"^\s*(\d+(\.\d*)?|\.\d+)\s*(ms|s|sec|m|min|h|d)?\s*$"
_NAMES = {False: (pattern(r"[^\W\d]\w*\Z"), ""), True: (pattern(r"[^\W\d][\w-]*\Z"), " and `-`")}
_TEMPLATE_WORDS = frozenset({"true", "false", "none", "self", "loop"})

MAX_DURATION_S = 366 * 86400.0


def wrong(field: str, expected: str, node: Node, hint: str = "") -> Problem:
    """`field` must be something, but is something else."""
    return Problem(node.place, f"`{field}` must be {expected}, but it is {describe(node)}", hint)


def has_template(node: Node) -> bool:
    """Whether a node is a text with a template in it."""
    return isinstance(node, ScalarNode) and isinstance(node.value, str) and ("{{" in node.value or "{%" in node.value)


def is_null(node: Node | None) -> bool:
    """Whether nothing is written, or nothing stands behind the key."""
    return node is None or (isinstance(node, ScalarNode) and node.value is None)


class Reader(Struct, Generic[T], frozen=True):
    """Reads the node of a field. `kind` is a word for people, `schema` the JSON Schema of what may be written, templates apart."""

    kind: str
    schema: Mapping[str, Json]

    def __call__(self, field: str, node: Node, problems: list[Problem]) -> T | None:
        """The value, or None and a problem."""
        raise NotImplementedError


class ValueReader(Reader[T], frozen=True):
    """`accept` gives the value, or None where the node is not what is `expected`."""

    accept: Callable[[Node], T | None]
    expected: str
    hint: Callable[[Node], str] | str = ""

    def __call__(self, field: str, node: Node, problems: list[Problem]) -> T | None:
        value = self.accept(node)
        if value is None:
            problems.append(wrong(field, self.expected, node, _hint(self.hint, node)))
        return value


class ListReader(Reader[tuple[T, ...]], frozen=True):
    """A list of what `part` accepts, or one such thing; the parts that are wrong are left out."""

    part: Callable[[Node], T | None]
    expected: str
    part_expected: str
    hint: str | Callable[[Node], str] = ""

    def __call__(self, field: str, node: Node, problems: list[Problem]) -> tuple[T, ...] | None:
        if not isinstance(node, ListNode):
            alone = self.part(node)
            if alone is None:
                problems.append(wrong(field, self.expected, node, _hint(self.hint, node)))
                return None
            return (alone,)
        found = []
        for node_of_part in node.items:
            value = self.part(node_of_part)
            if value is None:
                problems.append(wrong(field, self.part_expected, node_of_part, _hint(self.hint, node_of_part)))
            else:
                found.append(value)
        return tuple(found)


def _hint(hint: Callable[[Node], str] | str, node: Node) -> str:
    if isinstance(hint, str):
        return hint
    return hint(node)


class NameReader(Reader[str], frozen=True):
    """A name: letters of any language, digits, `_`; in step names also `-`. `what` it names, for messages."""

    what: str
    dashes: bool = False

    def __call__(self, field: str, node: Node, problems: list[Problem]) -> str | None:
        value = _text_of(node)
        form, also = _NAMES[self.dashes]
        if not form.match(value) or len(value) > 200:
            hint = f"letters, digits, `_`{also}, and a letter or `_` first"
            problems.append(Problem(node.place, f"{self.what} must be an identifier, but it is {describe(node)}", hint))
            return None
        if not self.dashes and (keyword.iskeyword(value) or value in _TEMPLATE_WORDS):
            problems.append(Problem(node.place, f"{self.what} may not be `{value}`, a word of Python or of templates"))
            return None
        return value


def _scalar(node: Node) -> object:
    return getattr(node, "value", None)


def _text_of(node: Node) -> str:
    """The text that a node is, "" for all else."""
    value = _scalar(node)
    return value if isinstance(value, str) else ""


# ---------------------------------------------------------------- numbers


def integer(low: int, high: int) -> Reader[int]:
    def accept(node: Node) -> int | None:
        value = _scalar(node)
        if type(value) is int and low <= value <= high:
            return value
        return None

    def hint(node: Node) -> str:
        if _text_of(node).strip().isdigit():
            return "a number is written without quotes"
        return ""

    expected = f"an integer, at least {low:,} and at most {high:,}"
    return ValueReader("integer", {"type": "integer", "minimum": low, "maximum": high}, accept, expected, hint)


def number_between(low: float, high: float) -> Reader[float]:
    def accept(node: Node) -> float | None:
        value = _real(node)
        if value is None or not low <= value <= high:
            return None
        return value

    schema: dict[str, Json] = {"type": "number", "minimum": low, "maximum": high}
    return ValueReader("number", schema, accept, f"a number from {low:g} to {high:g}")


def duration_text(zero: bool = False) -> Reader[float]:
    """Seconds, or a text such as "100ms", "30s", "5m", "2h"."""

    def accept(node: Node) -> float | None:
        seconds = _seconds(node)
        if seconds is None or not 0 <= seconds <= MAX_DURATION_S or not (seconds or zero):
            return None
        return seconds

    what = "a duration that is not negative" if zero else "a duration greater than 0"
    amount: dict[str, Json] = {"type": "number", ("minimum" if zero else "exclusiveMinimum"): 0}
    written: dict[str, Json] = {"type": "string", "pattern": _DURATION_SCHEMA}
    schema: dict[str, Json] = {"anyOf": [amount, written]}
    return ValueReader(
        "duration", schema, accept, f"{what}, at most a year", "seconds, or a text such as 100ms, 30s, 5m, 2h"
    )


def _seconds(node: Node) -> float | None:
    seconds = seconds_of(_text_of(node))
    return _real(node) if seconds is None else seconds


def _real(node: Node) -> float | None:
    """A number, but not true or false."""
    value = _scalar(node)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value)


def _percentage(node: Node) -> float | None:
    """A text such as "5%" as a share from 0 to 1."""
    match = _PERCENT.match(_text_of(node))
    if match is None or float(match[1]) > 100:
        return None
    return float(match[1]) / 100


class _RateReader(ValueReader[Rate], frozen=True):
    def __call__(self, field: str, node: Node, problems: list[Problem]) -> Rate | None:
        if not isinstance(node, MapNode):
            return ValueReader.__call__(self, field, node, problems)
        message = f"`{field}` as a mapping comes in a later version"
        problems.append(Problem(node.place, message, "write it as 50/s, 3000/min or 100/h"))
        return None


def _rate(node: Node) -> Rate | None:
    match = _RATE.match(_text_of(node))
    if match is None or len(match[1]) > 9 or int(match[1]) == 0:
        return None
    return Rate(int(match[1]), _PER[match[2][0]])


RATE: Reader[Rate] = _RateReader(
    "rate",
    {"type": "string", "pattern": r"^\s*\d[\d_]*\s*(/|per)\s*(s|sec|second|m|min|minute|h|hour)\s*$"},
    _rate,
    "attempts in a time, at least 1",
    "for example 50/s, 3000/min or 100/h",
)


def _threshold(node: Node) -> Threshold | None:
    value = _scalar(node)
    if type(value) is int and value >= 0:
        return Threshold(count=value)
    part = _percentage(node)
    if part is None:
        return None
    return Threshold(share=part)


THRESHOLD: Reader[Threshold] = ValueReader(
    "count or percentage",
    {"anyOf": [{"type": "integer", "minimum": 0}, _PERCENT_SCHEMA]},
    _threshold,
    "a count or a percentage up to 100%",
    "for example 10 or 5%",
)


def _share(node: Node) -> float | None:
    amount = _real(node)
    if amount is not None and 0 <= amount <= 1:
        return amount
    return _percentage(node)


SHARE: Reader[float] = ValueReader(
    "percentage",
    {"anyOf": [_PERCENT_SCHEMA, {"type": "number", "minimum": 0, "maximum": 1}]},
    _share,
    "a percentage",
    "for example 5%",
)
"""A percentage, or a number from 0 to 1."""


# ---------------------------------------------------------------- words and text


def _true_or_false(node: Node) -> bool | None:
    value = _scalar(node)
    return value if isinstance(value, bool) else None


def _not_a_word(node: Node) -> str:
    if _text_of(node).lower() in {"yes", "no", "on", "off", "true", "false"}:
        return "yes, no, on, off and quoted words are text"
    return ""


BOOLEAN: Reader[bool] = ValueReader("true/false", {"type": "boolean"}, _true_or_false, "true or false", _not_a_word)


def _quote(node: Node) -> str:
    if isinstance(node, ScalarNode) and node.value is not None:
        return "put it into quotes"
    return ""


def _text(node: Node) -> ScalarNode | None:
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return node
    return None


TEXT: Reader[ScalarNode] = ValueReader("text", {"type": "string"}, _text, "text", _quote)
"""A text, as a node, which knows its place."""
SCALAR_TEXT: Reader[str] = ValueReader(
    "text",
    {"type": ["string", "number", "boolean", "null"]},
    lambda node: getattr(node, "text", None),
    "text",
)
"""Text, or a number as it was written: for what only people read."""


def word(words: Sequence[L]) -> Reader[L]:
    """One of some words."""
    accept, expected, hint = _word_of(words)
    return ValueReader(" or ".join(words), {"enum": list(words)}, accept, expected, hint)


def _word_of(words: Sequence[L]) -> tuple[Callable[[Node], L | None], str, Callable[[Node], str]]:
    def accept(node: Node) -> L | None:
        value = _scalar(node)
        return next((known for known in words if value == known), None)

    return accept, listing(words, last="or"), lambda node: suggest(_text_of(node), words)


def words_of(words: Sequence[L]) -> Reader[tuple[L, ...]]:
    """Some of some words: one, or a list."""
    accept, expected, hint = _word_of(words)
    one: dict[str, Json] = {"enum": list(words)}
    return ListReader("list", _one_or_list(one), accept, expected, expected, hint)


def _one_or_list(one: Mapping[str, Json]) -> dict[str, Json]:
    return {"anyOf": [dict(one), {"type": "array", "items": dict(one)}]}


NAME_LIST: Reader[tuple[ScalarNode, ...]] = ListReader(
    "list", _one_or_list({"type": "string"}), _text, "a list of names or one name", "a list of names"
)
"""Names, as nodes, which know their places."""


def identifier(what: str, dashes: bool = False) -> Reader[str]:
    """A name that templates can use; with `dashes` one that only people use."""
    more = "-" if dashes else ""
    schema: dict[str, Json] = {"type": "string", "pattern": rf"^[^\W\d][\w{more}]*$", "maxLength": 200}
    return NameReader("name", schema, what, dashes)


# ---------------------------------------------------------------- nodes


NODE: Reader[Node] = ValueReader("anything", {}, lambda node: node, "")
"""Anything, as it stands."""
MAPPING: Reader[MapNode] = ValueReader(
    "mapping", {"type": "object"}, lambda node: node if isinstance(node, MapNode) else None, "a mapping"
)
