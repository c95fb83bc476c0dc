"""Tracebacks of failed items are those that the interpreter would print, however often they are asked for."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import pytest

from batchwork.workers.python.program import failures


class Loud(ValueError):
    def __str__(self) -> str:
        return "first line\nsecond line"


class Broken(ValueError):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


def plain() -> None:
    raise ValueError("no")


def without_message() -> None:
    raise ValueError


def through_another() -> None:
    plain()


def of_two_places(number: int) -> None:
    if number == 1:
        raise KeyError("one")
    raise KeyError("two")


def with_cause() -> None:
    try:
        plain()
    except ValueError as error:
        raise TypeError("because") from error


def with_context() -> None:
    try:
        plain()
    finally:
        raise TypeError("meanwhile")


def without_context() -> None:
    try:
        plain()
    except ValueError:
        raise TypeError("alone") from None


def again(times: int) -> None:
    if times:
        again(times - 1)
    plain()


def grouped() -> None:
    raise ExceptionGroup("several", [ValueError("a"), KeyError("b")])


def noted() -> None:
    error = ValueError("no")
    error.add_note("seen on a Thursday")
    raise error


def loud() -> None:
    raise Loud


def generated() -> None:
    exec(compile("def f():\n    raise ValueError('no')\nf()", "<made here>", "exec"), {})


def misspelt() -> None:
    pritn("x")  # noqa: F821


def unparsable() -> None:
    compile("a b", "<text>", "exec")


def long_line() -> None:
    raise ValueError("x" * 5000)


FAILING: list[Callable[[], None]] = [
    plain,
    without_message,
    through_another,
    lambda: of_two_places(1),
    lambda: of_two_places(2),
    with_cause,
    with_context,
    without_context,
    lambda: again(2),
    lambda: again(3),
    lambda: again(4),
    lambda: again(12),
    lambda: again(50),
    grouped,
    noted,
    loud,
    generated,
    misspelt,
    unparsable,
    long_line,
]


def raised(call: Callable[[], None]) -> BaseException:
    try:
        call()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("call", FAILING)
def test_a_traceback_is_what_the_interpreter_would_print_each_time(call: Callable[[], None]) -> None:
    for _ in range(3):
        error = raised(call)
        found = traceback.TracebackException(type(error), error, error.__traceback__, limit=-failures.FRAMES_MAX)
        expected = [line if len(line) <= 2000 else line[:2000] + " …\n" for line in found.format()]
        assert failures.traceback_of(error) == "".join(expected).rstrip("\n")


def test_an_error_that_cannot_be_shown_still_has_its_frames() -> None:
    def broken() -> None:
        raise Broken

    assert "raise Broken" in failures.traceback_of(raised(broken))


def test_frames_that_are_kept_do_not_grow_without_end() -> None:
    for number in range(failures._FRAMES_KEPT + 100):
        names: dict[str, object] = {}
        exec(compile(f"def f():\n    raise ValueError({number})", f"<{number}>", "exec"), names)
        shown = failures.traceback_of(raised(names["f"]))
        assert f'File "<{number}>"' in shown
    assert len(failures._frames) <= failures._FRAMES_KEPT
