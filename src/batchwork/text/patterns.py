"""Regular expressions that are compiled when they are first used: a run pays for those it needs. The one for URLs is shared."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:

    def pattern(text: str, flags: int = 0) -> re.Pattern[str]:
        """A regular expression that is compiled when it is first used."""
        ...

else:

    class pattern:  # noqa: N801  it is used as a function
        """A regular expression that is compiled when it is first used."""

        def __init__(self, text: str, flags: int = 0) -> None:
            self.pattern, self._flags = text, flags

        def __getattr__(self, name: str) -> object:
            """Only what is not there yet comes here; after the first use the methods are found without it."""
            real = re.compile(self.pattern, self._flags)
            for method in ("match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"):
                setattr(self, method, getattr(real, method))
            return getattr(real, name)


_url = pattern(r"[A-Za-z][A-Za-z0-9+.-]+://")


def is_url(place: str) -> bool:
    """Whether what may be a path or a URL is a URL: it begins with a scheme of two or more characters."""
    return _url.match(place) is not None
