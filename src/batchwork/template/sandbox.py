"""The sandbox that Jinja2 runs in: strict names, mapping keys first, nothing to load, limits on sizes, filters. No compiling."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Undefined, pass_context
from jinja2.exceptions import UndefinedError
from jinja2.filters import do_batch
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from batchwork.errors import RenderError
from batchwork.template.forms import plain, settled, text_of
from batchwork.template.lookup import nothing_there
from batchwork.template.path_filters import PATH_FILTERS
from batchwork.template.rounds import COUNTING_FILTERS, COUNTING_TESTS, weigh
from batchwork.text import jsontext

LENGTH_MAX = 10_000_000
"""Longest text or list, in characters or elements, that an operator, method or filter with a number may make."""

BITS_MAX = 100_000
"""Largest integer that `**`, `*` and `<<` may make, in bits."""

_MAPPING_METHODS = frozenset(("items", "keys", "values", "get"))
_PADDING = frozenset(("center", "ljust", "rjust", "zfill", "expandtabs"))


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2 with mapping keys before attributes, undefined as an error, nothing to load, and limits on sizes."""

    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            if attribute in obj:
                return obj[attribute]
            if attribute not in _MAPPING_METHODS and not attribute.startswith("_"):
                return self.undefined(hint=nothing_there(obj, attribute))
        return self._explained(obj, attribute, super().getattr(obj, attribute))

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Mapping) and isinstance(argument, str) and not argument.startswith("_"):
            if argument in obj:
                return obj[argument]
            return self.undefined(hint=nothing_there(obj, argument))
        return self._explained(obj, argument, super().getitem(obj, argument))

    def _explained(self, obj: object, key: object, found: Any) -> Any:
        if (
            isinstance(found, Undefined)
            and found._undefined_exception is UndefinedError
            and not isinstance(obj, Undefined)
        ):
            return self.undefined(hint=nothing_there(obj, key))
        return found

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        _OPERATORS[operator](left, right)
        weigh(context, left)
        return super().call_binop(context, operator, left, right)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        made = super().wrap_str_format(value)
        if made is None:
            return None
        layout: str = value.__self__

        def limited(*args: Any, **kwargs: Any) -> str:
            _limit_width(layout, (*args, *kwargs.values()))
            return made(*args, **kwargs)

        return limited

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        name = getattr(obj, "__name__", "")
        if name in _PADDING and args and isinstance(args[0], int):
            _limit(args[0])
        weigh(context, getattr(obj, "__self__", None))
        return super().call(context, obj, *args, **kwargs)


def _limit(size: int) -> None:
    if size > LENGTH_MAX:
        raise RenderError(f"it would make a text or list of {size:,}; the limit is {LENGTH_MAX:,}")


def _limit_width(layout: str, values: tuple[Any, ...]) -> None:
    """Widths in format strings (`%1000000000d`, `{:{}}`): no number in them may be past the limit."""
    number = ""
    for char in layout + " ":
        if char.isdecimal():
            number += char
        elif number:
            _limit(int(number[:30]))
            number = ""
    if "*" in layout or "{:{" in layout.replace(" ", ""):
        for value in values:
            if isinstance(value, int):
                _limit(value)


def _product(left: Any, right: Any) -> None:
    for many, number in ((left, right), (right, left)):
        if isinstance(many, Sequence) and isinstance(number, int):
            _limit(len(many) * number)
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > BITS_MAX:
        raise RenderError(f"the product would have more than {BITS_MAX:,} bits")


def _power(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() * right > BITS_MAX:
        raise RenderError(f"the power would have more than {BITS_MAX:,} bits")


def _sum(left: Any, right: Any) -> None:
    if isinstance(left, Sequence) and isinstance(right, Sequence):
        _limit(len(left) + len(right))


def _formatted(left: Any, right: Any) -> None:
    if isinstance(left, str):
        _limit_width(left, right if isinstance(right, tuple) else (right,))


_OPERATORS: Mapping[str, Callable[[Any, Any], None]] = {"*": _product, "**": _power, "+": _sum, "%": _formatted}
"""Operators that can make something large, with what refuses it. Raise RenderError."""


# ---------------------------------------------------------------- filters

_NOTHING = object()


def _int(value: Any, default: Any = _NOTHING, base: int = 10) -> Any:
    """As Jinja2's, but what is not a number is an error unless a default is written: 0 would be a guess."""
    try:
        if isinstance(value, str):
            return int(value, base)
        return int(value)
    except (TypeError, ValueError, OverflowError):
        try:
            return int(float(value))
        except (TypeError, ValueError, OverflowError):
            return _defaulted(value, default, "int")


def _float(value: Any, default: Any = _NOTHING) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return _defaulted(value, default, "float")


def _defaulted(value: object, default: object, name: str) -> object:
    if default is not _NOTHING:
        return default
    if isinstance(value, Undefined):
        str(value)  # raises, saying what is not there
    raise RenderError(f"`{name}` needs a number, or a default: `| {name}(0)`")


def _tojson(value: Any, indent: int | None = None) -> str:
    """JSON as it is (Jinja2's own escapes it for HTML)."""
    if isinstance(value, Undefined):
        str(value)
    if indent is None:
        return jsontext.encode(plain(value))
    return json.dumps(plain(value), indent=min(indent, 16), ensure_ascii=False, allow_nan=False)


def _sized(name: str, filter_: Callable[..., Any]) -> Callable[..., Any]:
    """A built-in filter whose first argument, a number, makes text: limited."""

    def limited(value: Any, *args: Any, **kwargs: Any) -> Any:
        for number in (*args[:1], *map(kwargs.get, ("width", "linecount", "slices"))):
            if isinstance(number, int):
                _limit(number * (str(value).count("\n") + 1 if name == "indent" else 1))
        return filter_(value, *args, **kwargs)

    return limited


@lru_cache(maxsize=1)
def sandboxed() -> Sandbox:
    @pass_context  # also keeps Jinja2 from working constants out while it compiles
    def as_text(_context: Context, value: object) -> str:
        if isinstance(value, Undefined):
            return str(value)
        return text_of(settled(value))

    made = Sandbox(
        undefined=StrictUndefined,
        optimized=False,
        autoescape=False,
        keep_trailing_newline=True,
        comment_start_string="{#\x00",  # never: comments are cut out before, and `${#x}` is shell
        comment_end_string="\x00#}",
        finalize=as_text,
        cache_size=0,
    )
    for name in ("cycler", "joiner", "lipsum"):
        del made.globals[name]
    filters = made.filters
    filters.update(COUNTING_FILTERS, int=_int, float=_float, tojson=_tojson, **PATH_FILTERS)
    made.tests.update(COUNTING_TESTS)
    filters["center"] = _sized("center", filters["center"])
    filters["indent"] = _sized("indent", filters["indent"])
    filters["batch"] = _batch
    filters["slice"] = _sized("slice", filters["slice"])
    filters["format"] = _format
    for name in ("pprint", "random", "urlize", "xmlattr"):  # depend on Python's own text, on chance, or on HTML
        del filters[name]
    return made


def _format(value: Any, *args: Any, **kwargs: Any) -> str:
    if isinstance(value, Undefined):
        str(value)
    if args and kwargs:
        raise RenderError("`format` takes values by position or by name, not both")
    layout = text_of(value)
    _limit_width(layout, args or tuple(kwargs.values()))
    return layout % (kwargs or args)


def _batch(value: Any, linecount: int, fill_with: Any = None) -> Iterator[list[Any]]:
    if fill_with is not None:
        _limit(linecount)
    return do_batch(value, linecount, fill_with)
