"""What an `async def` function gives is awaited, in one event loop a worker, so that a client may serve many items."""

from __future__ import annotations

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from types import TracebackType
    from typing import Any, Awaitable, Callable

_loops: list[Any] = []
"""The event loop, once there is one."""


def awaited(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with what it gives awaited where it is to be awaited."""

    def call(*values: Any) -> Any:
        made = function(*values)
        if hasattr(type(made), "__await__"):
            return run(made)
        return made

    return call


def run(awaitable: Awaitable[Any]) -> Any:
    """The result of something awaitable. Tasks that it left behind are cancelled, so that they do not run on in other items."""
    loop = _loop()
    try:
        return loop.run_until_complete(_result(awaitable))
    except BaseException as error:  # noqa: BLE001  it goes on
        raise error.with_traceback(_inside(error.__traceback__))  # noqa: B904  it is the same error
    finally:
        _cancel_tasks(loop)


async def _result(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _loop() -> Any:
    """The current event loop (setup may have made clients in it), or a new one."""
    import asyncio  # costs more than all of this program
    import warnings

    if _loops and not _loops[0].is_closed():
        return _loops[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            loop = asyncio.get_event_loop()
        except RuntimeError:
            loop = asyncio.new_event_loop()
    if loop.is_closed():
        loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    _loops[:] = [loop]
    return loop


def _cancel_tasks(loop: Any) -> None:
    import asyncio

    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


def _inside(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the awaited code on, without the event loop's lines; all of it where it does not lead there."""
    found = trace
    while found is not None:
        if found.tb_frame.f_code is _result.__code__:
            return found.tb_next
        found = found.tb_next
    return trace
