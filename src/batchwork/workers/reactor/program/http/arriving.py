"""An answer on its way in: its header lines, and its body, decoded, into memory or a file. What it means is not here."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from batchwork.workers.reactor.program.http.decoding import BodyError, Decoding
from batchwork.workers.reactor.program.http.saving import Saving
from batchwork.workers.reactor.program.outbox import Failed


class Head:
    """The header lines that have come, of the last answer and of informational ones before it."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def status(self) -> int:
        """The status of the last answer; 0 before there is one."""
        words = self._first().split(None, 2)
        return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0

    def header(self, name: str) -> str:
        """A header of the last answer, "" where there is none."""
        found: list[str] = []
        for line in self.lines:
            if line[:5] == b"HTTP/":
                found.clear()
            elif line[: len(name) + 1].lower() == b"%s:" % name.encode():
                found.append(line[len(name) + 1 :].decode("latin-1").strip())
        return ", ".join(found)

    def framed(self) -> bool:
        """Whether the end of the body is more than the end of the connection."""
        if not self._first().startswith(b"HTTP/1"):
            return True
        return bool(self.header("content-length") or self.header("transfer-encoding")) or self.status() in {204, 304}

    def length(self) -> int:
        """How large the body is said to be; 0 where nothing is said."""
        said = self.header("content-length")
        return int(said) if said.isdecimal() and said.isascii() and len(said) < 20 else 0

    def _first(self) -> bytes:
        return next((line for line in reversed(self.lines) if line[:5] == b"HTTP/"), b"")


class Room(NamedTuple):
    """How large a body may be: one that is held in memory, one that is saved; and what is said of a larger one."""

    memory: int
    file: int | None
    said: str


class Wanted(NamedTuple):
    """What is to be done with an answer. `save_to`: the file for its body, by its status.

    `follow`: one that leads elsewhere has no body that counts.
    """

    save_to: Callable[[int], str | None]
    follow: bool


class Arriving:
    """What has come of an answer. `failure` is why it is not to go on."""

    def __init__(self, room: Room) -> None:
        self.head = Head()
        self.body = bytearray()
        self.saving: Saving | None = None
        self.failure: Failed | None = None
        self._room = room
        self._wanted = Wanted(lambda _status: None, follow=False)
        self._decoding: Decoding | None = None
        self._came = 0

    def clear(self, wanted: Wanted) -> None:
        """Another answer is to come; a body that was handed on is left alone."""
        self.drop()
        self.head.lines.clear()
        self.body = bytearray()
        self.failure = None
        self._decoding = None
        self._wanted = wanted
        self._came = 0

    def drop(self) -> None:
        """Leave no part of a file."""
        if self.saving is not None:
            self.saving.drop()
            self.saving = None

    def leads_on(self) -> bool:
        """Whether the answer says to ask elsewhere, and that is to be done."""
        return self._wanted.follow and 300 <= self.head.status() < 400 and bool(self.head.header("location"))

    def take(self, part: bytes) -> int | None:
        """Keep a part of the body. 0, fewer than there were, has libcurl stop."""
        try:
            decoding = self._decoding or self._begin()
            for piece in decoding.decode(part):
                self._keep(piece)
        except BodyError as error:
            self.failure = {"type": "http", "message": str(error), "retryable": error.may_pass}
            return 0
        except OSError as error:
            self.failure = self._unsaved(error)
            return 0
        return None

    def complete(self, *, bodiless: bool) -> Failed | None:
        """What is wrong with an answer that has come to its end; `bodiless`: none has a body to such a request."""
        try:
            decoding = self._decoding or self._begin()
            if not decoding.complete(framed=bodiless or self.head.framed()):
                return {"type": "http", "message": "the compressed body ended before it was whole"}
            if self.saving is not None:
                self.saving.keep()
        except BodyError:  # an encoding that cannot be read, of nothing
            return None
        except OSError as error:
            return self._unsaved(error)
        return None

    def _begin(self) -> Decoding:
        """Raises BodyError, OSError."""
        if self.leads_on():
            self._decoding = Decoding("")
            return self._decoding
        self._decoding = Decoding(self.head.header("content-encoding"))
        path = self._wanted.save_to(self.head.status())
        if path is not None:
            self.saving = Saving(path)
        self._insist_on_room(self.head.length())
        return self._decoding

    def _keep(self, piece: bytes) -> None:
        """Raises BodyError, OSError."""
        if self.leads_on():
            return
        self._came += len(piece)
        self._insist_on_room(self._came)
        if self.saving is None:
            self.body += piece
        else:
            self.saving.write(piece)

    def _insist_on_room(self, size: int) -> None:
        """Raises BodyError."""
        most = self._room.memory if self.saving is None else self._room.file
        if most is not None and size > most:
            raise BodyError(self._room.said, may_pass=False)

    def _unsaved(self, error: OSError) -> Failed:
        path = error.filename or self._wanted.save_to(self.head.status())
        return {"type": "file", "message": f"the body cannot be saved: {error.strerror or error}: {path}"}
