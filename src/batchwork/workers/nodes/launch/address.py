"""Where a cluster is, as `--executor` says it: `dask://host:8786?slots=4`."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping, Sequence
from urllib.parse import SplitResult, parse_qsl, urlsplit

from msgspec import Struct

from batchwork.errors import UsageError
from batchwork.secrets import shown_url
from batchwork.text.spelling import suggest


class Kind(Struct, frozen=True):
    """What addresses of one kind of cluster look like. `options` are those that may stand behind the question mark."""

    scheme: str
    port: int
    options: Sequence[str]

    @property
    def example(self) -> str:
        return f"{self.scheme}://HOST:{self.port}?slots=4"


class Address(Struct, frozen=True):
    """A cluster. `options` are all that were given."""

    kind: Kind
    host: str
    port: int
    options: Mapping[str, str]

    def __str__(self) -> str:
        """For people."""
        return f"{self.kind.scheme}://{self.place}"

    @property
    def place(self) -> str:
        """HOST:PORT."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def slots(self) -> int | None:
        """Attempts at once on each machine, where that was said."""
        return int(self.options["slots"]) if "slots" in self.options else None

    @property
    def is_here(self) -> bool:
        """Whether it is this machine, so that nothing goes over a network."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def may_be_open(self) -> bool:
        """Whether it was said that nothing is encrypted on the way there."""
        return self.options.get("insecure") == "1"

    def file(self, option: str) -> str | None:
        """The absolute path of a file that was named, which can be read. Raises UsageError."""
        path = self.options.get(option)
        if path is None:
            return None
        try:
            with open(path, "rb"):
                return os.path.abspath(path)
        except OSError as error:
            raise UsageError(f"`{option}={path}` of the executor {self} cannot be read: {error.strerror}") from error


def shown(text: str) -> str:
    """An executor, or what is said of one, as it may be seen: without passwords in its URLs."""
    return shown_url(text)


def address_of(text: str, kind: Kind) -> Address:
    """The cluster at a URL. Raises UsageError for anything that is not one, in words without its passwords."""
    parts = _parts(text)
    if parts is None or not parts.hostname:
        raise UsageError(f"`{shown(text)}` does not say where the cluster is", f"write {kind.example}")
    if parts.username is not None or parts.password is not None or parts.path.strip("/") or parts.fragment:
        raise UsageError(
            f"`{kind.scheme}://` takes a host, a port and options, and nothing else", f"write {kind.example}"
        )
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    _check(options, kind)
    return Address(kind, parts.hostname, parts.port or kind.port, options)


def _parts(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  # it is looked at when it is asked for
    except ValueError:
        return None
    return parts


def _check(options: Mapping[str, str], kind: Kind) -> None:
    """Raises UsageError for options that there are not, and for slots that are no number."""
    for name in options:
        if name not in kind.options:
            hint = suggest(name, kind.options) or f"there are: {', '.join(kind.options)}"
            raise UsageError(f"`{kind.scheme}://` has no option `{name}`", hint)
    slots = options.get("slots", "1")
    if not (slots.isascii() and slots.isdecimal() and 0 < int(slots) < 1 << 16):
        raise UsageError(f"`slots={slots}` is not a number of attempts", "write a whole number from 1, as slots=4")
    if options.get("insecure", "1") != "1":
        raise UsageError(f"`insecure={options['insecure']}` says nothing", "write insecure=1, or leave it out")
