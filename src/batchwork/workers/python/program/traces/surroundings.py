"""What all units of a worker share as its process: working directory, umask, environment. Each unit finds them as setup left them."""

from __future__ import annotations

import contextlib
import os

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Callable


LOOK_FROM_US = 100
"""From here on a unit may have started processes (a fork takes longer), and looking costs little beside it."""


class Surroundings:
    """Notes in `changes` that a unit has changed something, and puts it back.

    Made before the author's setup, so that what setup imports by name (`from os import umask`) is noted too.
    """

    def __init__(self) -> None:
        self.changes: list[tuple[str, Any]] = []
        """What was called since things were put back, with its first argument."""
        self.look_from_us = LOOK_FROM_US
        """How long a unit must take to be looked after; each one, where something has changed."""
        self._fchdir, self._umask = os.fchdir, os.umask
        self._folder: int | None = None
        self._mask = 0
        self._environ = os.environ
        self._variables: dict[bytes, bytes] = {}
        for name in ("chdir", "fchdir", "umask", "putenv", "unsetenv"):
            setattr(os, name, self._noted(name, getattr(os, name)))
        for name in ("putenv", "unsetenv"):  # Python 3.8 keeps them there
            if hasattr(os.environ, name):
                setattr(os.environ, name, self._noted(name, getattr(os.environ, name)))

    def remember(self) -> None:
        """Units are to find things as they are now."""
        with contextlib.suppress(OSError):
            self._folder = os.open(".", os.O_RDONLY | os.O_CLOEXEC)
        self._mask = self._umask(0o077)
        self._umask(self._mask)
        self._environ = os.environ
        self._variables = dict(os.environb)
        self._unchanged()

    def restore(self) -> None:
        """Put back what was changed; also what was changed past the functions that are watched, where that can be seen."""
        called = {function for function, _ in self.changes}
        if self._folder is not None and not called.isdisjoint(("chdir", "fchdir")):
            with contextlib.suppress(OSError):
                self._fchdir(self._folder)
        self._umask(self._mask)
        os.environ = self._environ  # noqa: B003  the object is put back that a unit may have replaced
        names = {argument for function, argument in self.changes if function in ("putenv", "unsetenv")}
        now: dict[bytes, bytes] = getattr(os.environb, "_data", None) or dict(os.environb)
        if names or now != self._variables:
            self._restore_variables({*map(os.fsencode, names), *now, *self._variables})
        self._unchanged()

    def _unchanged(self) -> None:
        self.changes.clear()
        self.look_from_us = LOOK_FROM_US

    def _restore_variables(self, names: set[bytes]) -> None:
        for name in names:
            with contextlib.suppress(OSError, ValueError):
                os.environb[name] = self._variables.get(name, b"")
                if name not in self._variables:
                    del os.environb[name]

    def _noted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **named: Any) -> Any:
            self.changes.append((name, args[0] if args else None))
            self.look_from_us = -1
            return function(*args, **named)

        watched.__name__ = watched.__qualname__ = name
        watched.__doc__ = function.__doc__
        return watched
