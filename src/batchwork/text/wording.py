"""Values in words for people: control characters made visible, numbers, shares, durations, rates, sizes. Pure; nothing is printed here."""

from __future__ import annotations

import re

_UNSEEN = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
"""Control characters, what turns the direction of writing, and what cannot be written as UTF-8."""

_ANY = f"[{_UNSEEN}]"  # compiled (and kept by re) when first needed: most runs print nothing of the kind
_IN_BLOCK = f"(?![\n\t])[{_UNSEEN}]"


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}"


def visible(text: str) -> str:
    r"""`text` as one line that is safe on a terminal: line ends as `\n`, other control characters as `\x1b`."""
    if text.isprintable():
        return text
    return re.sub(
        _ANY, _shown, text.replace("\r\n", "\n").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    )


def visible_block(text: str) -> str:
    """`text` safe on a terminal, its lines kept as lines."""
    if text.isprintable():
        return text
    return re.sub(_IN_BLOCK, _shown, text.replace("\r\n", "\n"))


def visible_json(text: str) -> str:
    r"""A JSON text that is safe on a terminal and means the same: what is unseen becomes `\u001b`."""
    if text.isprintable():
        return text
    return re.sub(_ANY, lambda match: f"\\u{ord(match[0]):04x}", text)


def columns(text: str) -> int:
    """How many columns of a terminal `text` takes: wide letters two, combining ones none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    seen = [char for char in text if not combining(char)]
    return len(seen) + sum(east_asian_width(char) in "WF" for char in seen)


def short(text: str, width: int) -> str:
    """`text` cut to `width` columns, the cut shown by an ellipsis."""
    if len(text) * 2 <= width or columns(text) <= width:
        return text
    text = text[: max(width - 1, 0)]
    while text and columns(text) > width - 1:
        text = text[:-1]
    return text + "…"


def ljust(text: str, width: int) -> str:
    """`text` with spaces after it, `width` columns in all."""
    return text + " " * (width - columns(text))


def rjust(text: str, width: int) -> str:
    """`text` with spaces before it, `width` columns in all."""
    return " " * (width - columns(text)) + text


def number(value: int) -> str:
    """`1,234,567`."""
    return f"{value:,}"


def plural(count: int, noun: str, nouns: str = "") -> str:
    """`1 item`, `12,000 items`; `nouns` where it is not the noun and an s."""
    if count == 1:
        return f"{count:,} {noun}"
    return f"{count:,} {nouns or noun + 's'}"


def only_if(fact: object, text: str) -> str:
    """The text, or nothing where the fact is empty, zero, false or None."""
    if fact:
        return text
    return ""


def share(part: int, whole: int) -> str:
    """`12 %`; 100 % only when all is there, 0 % only when nothing is."""
    if part >= whole:
        return "100 %"
    percent = int(100 * part / whole)
    if percent == 0 and part:
        return "<1 %"
    return f"{percent} %"


def duration(seconds: float) -> str:
    """`40 µs`, `1.2 ms`, `12 ms`, `3.2 s`, `42 s`, `3 min 04 s`, `2 h 05 min`, `3 d 04 h`."""
    seconds = max(seconds, 0.0)
    if 0 < seconds < 0.0009995:
        return f"{max(seconds * 1e6, 1):.0f} µs"
    if 0 < seconds < 0.00995:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    minutes = whole // 60
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60:02} h"


def rate(per_s: float) -> str:
    """`1,234/s`, `4.2/s`; slow ones `12/min`, `3.1/h`."""
    if per_s <= 0:
        return "0/s"
    for factor, unit in ((1, "s"), (60, "min")):
        scaled = per_s * factor
        if scaled >= 1:
            return f"{_three_digits(scaled, ',')}/{unit}"
    return f"{per_s * 3600:.3g}/h"


def size(count: int) -> str:
    """`312 B`, `1.5 KiB`, `64 MiB`."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            break
        amount /= 1024
    return f"{_three_digits(amount)} {unit}"


def _three_digits(amount: float, group: str = "") -> str:
    """`4.25`, `42.5`, `425`, `4250`; `group` is what stands between thousands."""
    if amount >= 99.5:
        return f"{amount:{group}.0f}"
    return f"{amount:.3g}"


def when(wall_ms: int) -> str:
    """A moment in local time: `2026-11-24 04:12:33`."""
    from datetime import datetime

    return f"{datetime.fromtimestamp(wall_ms / 1000).astimezone():%Y-%m-%d %H:%M:%S}"
