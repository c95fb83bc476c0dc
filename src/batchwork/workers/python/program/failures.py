"""What a task raised, as a failure: its type, message and the tail of its traceback from the author's own lines on. Never raises."""

from __future__ import annotations

import os
import sys

from .values.encoding import ResultError

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from types import TracebackType
    from typing import Any, Sequence

MESSAGE_MAX = 16 << 10
TRACEBACK_MAX = 16 << 10
FRAMES_MAX = 30
LINE_MAX = 2000

_OWN = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Refused(Exception):
    """What a unit was given does not fit the task (a wrong operand, a missing argument): not worth another attempt."""


class Unprepared(Exception):
    """The program cannot be prepared, for a reason that its message tells in full."""


def failure_fields(error: BaseException) -> dict[str, Any]:
    """The failure as fields of `model.Failure`."""
    if isinstance(error, ResultError):
        return {"type": "result", "message": clean_text(str(error)), "retryable": False}
    if isinstance(error, Refused):
        return {"type": "refused", "message": clean_text(str(error)), "retryable": False}
    told = _told(error)
    fields: dict[str, Any] = told or {
        "type": type(error).__name__,
        "message": message_of(error),
        "traceback": traceback_of(error),
    }
    cause = error.__cause__ if told else None
    kinds = [name for name in _asked if is_of_kind(error, name) or is_of_kind(cause, name)]
    if kinds:
        fields["kinds"] = kinds
    return fields


def _told(error: BaseException) -> dict[str, Any] | None:
    """What an error of a task type says of itself, where that is all there is to say."""
    told = BaseException.__getattribute__(error, "__dict__").get("batchwork_failure")
    if not isinstance(told, dict):
        return None
    return {**told, "message": clean_text(str(told["message"]))}


_asked: list[str] = []
"""Names of error types by which failures are to be known."""


def ask_for(names: Sequence[str]) -> None:
    """From now on, failures say which of these names they go by."""
    _asked[:] = names


def is_of_kind(error: BaseException | None, name: str) -> bool:
    """Whether `except NAME` would catch it: its type or one that it derives from, by its plain, full or imported name."""
    for kind in type(error).__mro__[:-1] if error is not None else ():
        if name in (kind.__name__, f"{kind.__module__}.{kind.__qualname__}"):
            return True
    place, _, last = name.rpartition(".")
    found = getattr(sys.modules.get(place or "builtins"), last, None)
    return isinstance(found, type) and issubclass(found, BaseException) and isinstance(error, found)


def message_of(error: BaseException) -> str:
    """Its message, whatever its `__str__` does."""
    if isinstance(error, SystemExit):
        return clean_text(f"the code called sys.exit({_shown(error.code)})")
    try:
        message = str(error)
    except BaseException as broken:  # noqa: BLE001  the author's __str__ may raise anything
        return f"(its message cannot be shown: __str__ raised {type(broken).__name__})"
    if isinstance(error, AttributeError) and is_key(error):
        message += f' (in Python a key is read as ["{error.name}"])'
    if isinstance(error, KeyError) and len(error.args) == 1 and type(error).__str__ is KeyError.__str__:
        message = f"there is no key {message}"
    return clean_text(message + _parts(error)) or f"{type(error).__name__} without a message"


def is_key(error: AttributeError) -> bool:
    """Whether what was read as an attribute is a key of a mapping: templates read both alike."""
    found = getattr(error, "obj", None)  # since Python 3.10
    return type(found) is dict and error.name in found


def _parts(error: BaseException) -> str:
    """What an exception group holds, in short."""
    parts = getattr(error, "exceptions", None)
    if not isinstance(parts, tuple) or not parts or not all(isinstance(part, BaseException) for part in parts):
        return ""
    return ": " + "; ".join(f"{type(part).__name__}: {message_of(part)}" for part in parts[:10])


def clean_text(text: str, limit: int = MESSAGE_MAX) -> str:
    """Text that can be stored as UTF-8, cut to `limit` characters."""
    if len(text) > limit:
        text = f"{text[:limit]} … ({len(text):,} characters)"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def traceback_of(error: BaseException) -> str:
    """The traceback's tail, beginning at the first line that is not this program's own."""
    trace = authors_part(error.__traceback__)
    try:
        lines = _known_lines(error, trace) or _looked_up_lines(error, trace)
    except BaseException:  # noqa: BLE001  the author's exception may raise anything when it is looked at
        import traceback

        lines = traceback.format_tb(trace, -FRAMES_MAX)
    text = "".join(lines).rstrip("\n")
    if len(text) > TRACEBACK_MAX:
        text = "…" + text[-TRACEBACK_MAX:]
    return clean_text(text)


def _looked_up_lines(error: BaseException, trace: TracebackType | None) -> list[str]:
    """What the interpreter would print, whatever it takes."""
    import traceback

    found = traceback.TracebackException(type(error), error, trace, limit=-FRAMES_MAX, lookup_lines=True)
    return [_cut(line) for line in found.format()]


_REPEATS = 3
"""The interpreter shows so many frames that are alike, and counts the others."""
_TOLD_WITH_MORE = (SyntaxError, NameError, AttributeError, ImportError)
"""Errors of which the interpreter says more than their message: the place, what was meant."""


def _known_lines(error: BaseException, trace: TracebackType | None) -> list[str]:
    """The same from frames that are shown already, since thousands of items may fail alike; empty where there is more to tell."""
    import traceback

    alone = error.__cause__ is None and (error.__context__ is None or error.__suppress_context__)
    if trace is None or not alone or isinstance(error, _TOLD_WITH_MORE) or hasattr(error, "exceptions"):
        return []
    frames: list[str] = []
    while trace is not None:
        frames.append(_frame(trace))
        trace = trace.tb_next
    if len(frames) > FRAMES_MAX or len(frames) - len(set(frames)) >= _REPEATS:
        return []
    last = map(_cut, traceback.format_exception_only(type(error), error))
    return ["Traceback (most recent call last):\n", *frames, *last]


_FRAMES_KEPT = 1000
_frames: dict[tuple[int, int, int], tuple[object, str]] = {}
"""Frames as they are shown, by code and place in it; the code too, so that no other gets its identity."""


def _frame(trace: TracebackType) -> str:
    """One frame as it is shown."""
    code = trace.tb_frame.f_code
    place = (id(code), trace.tb_lasti, trace.tb_lineno)
    if place not in _frames:
        import traceback

        if len(_frames) >= _FRAMES_KEPT:
            _frames.clear()
        _frames[place] = (code, _cut(traceback.format_tb(trace, 1)[0]))
    return _frames[place][1]


def authors_part(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without this program's frames at its start."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OWN):
        trace = trace.tb_next
    return trace


def place_of(error: BaseException) -> str:
    """` (file:line)` of the author's innermost line, or nothing."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}:{error.lineno})"
    frames: list[TracebackType] = []
    trace = authors_part(error.__traceback__)
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith("<"):
            frames.append(trace)
        trace = trace.tb_next
    if not frames:
        return ""
    return f" ({frames[-1].tb_frame.f_code.co_filename}:{frames[-1].tb_lineno})"


def _cut(line: str) -> str:
    if len(line) <= LINE_MAX:
        return line
    return line[:LINE_MAX] + " …\n"


def _shown(code: object) -> str:
    if code is None:
        return ""
    try:
        return repr(code)
    except BaseException:  # noqa: BLE001  the author's __repr__ may raise anything
        return "…"
