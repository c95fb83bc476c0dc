"""An answer on its way in: its header lines, and its body, decoded, into memory or a file. What it means is not here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from batchwork.workers.reactor.program.http.decoding import BodyError, Decoding
from batchwork.workers.reactor.program.http.saving import Saving
from batchwork.workers.reactor.program.outbox import Failed


class Head(NamedTuple):
    """What of the header lines says how a body comes. `framed`: its end is told otherwise than by the connection's."""

    status: int = 0
    encoding: str = ""
    length: int = 0
    framed: bool = True
    leads_on: bool = False


def read_head(lines: Sequence[bytes]) -> Head:
    """The head of the last answer in the lines, which may hold informational ones before it."""
    text = b"".join(lines).lower()
    text = text[text.rfind(b"\nhttp/") + 1 :]
    first = text[: text.find(b"\n")].split(None, 2)
    status = int(first[1]) if len(first) > 1 and first[1].isdigit() else 0
    length = _header(text, b"content-length")
    return Head(
        status,
        _header(text, b"content-encoding"),
        int(length) if length.isdecimal() and len(length) < 20 else 0,
        bool(length) or b"\ntransfer-encoding:" in text or status in {204, 304} or not text.startswith(b"http/1"),
        300 <= status < 400 and b"\nlocation:" in text,
    )


def _header(text: bytes, name: bytes) -> str:
    """A header of a head in lower case, "" where there is none; joined where it comes several times."""
    parts = text.split(b"\n%s:" % name)[1:]
    return ", ".join([part[: part.find(b"\n")].decode("latin-1").strip() for part in parts]) if parts else ""


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
    """What has come of an answer. `head` is known from when its body begins; `failure` is why it is not to go on."""

    def __init__(self, room: Room) -> None:
        self.lines: list[bytes] = []
        self.head: Head | None = None
        self.body = bytearray()
        self.saving: Saving | None = None
        self.failure: Failed | None = None
        self._room = room
        self._wanted = Wanted(lambda _status: None, follow=False)
        self._decoding: Decoding | None = None

    def clear(self, wanted: Wanted) -> None:
        """Another answer is to come; a body that was handed on is left alone."""
        self.drop()
        self.lines.clear()
        self.head = None
        self.body = bytearray()
        self.failure = None
        self._decoding = None
        self._wanted = wanted

    def drop(self) -> None:
        """Leave no part of a file."""
        if self.saving is not None:
            self.saving.drop()
            self.saving = None

    def status(self) -> int:
        return (self.head or read_head(self.lines)).status

    def leads_on(self) -> bool:
        """Whether the answer says to ask elsewhere, and that is to be done."""
        return self._wanted.follow and (self.head or read_head(self.lines)).leads_on

    def take(self, part: bytes) -> int | None:
        """Keep a part of the body. 0, fewer than there were, has libcurl stop."""
        try:
            if self.head is None:
                self._begin()
            if self._decoding is None:
                self._keep(part)
            else:
                for piece in self._decoding.decode(part):
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
            head = self.head or self._begin()
            if self._decoding is not None and not self._decoding.complete(framed=bodiless or head.framed):
                return {"type": "http", "message": "the compressed body ended before it was whole"}
            if self.saving is not None:
                self.saving.keep()
        except BodyError:  # an encoding that cannot be read, of nothing
            return None
        except OSError as error:
            return self._unsaved(error)
        return None

    def _begin(self) -> Head:
        """Raises BodyError, OSError."""
        head = self.head = read_head(self.lines)
        if self.leads_on():
            return head
        if head.encoding:
            self._decoding = Decoding(head.encoding)
        path = self._wanted.save_to(head.status)
        if path is not None:
            self.saving = Saving(path)
        self._insist_on_room(head.length)
        return head

    def _keep(self, piece: bytes) -> None:
        """Raises BodyError, OSError."""
        if self.leads_on():
            return
        saving = self.saving
        self._insist_on_room((len(self.body) if saving is None else saving.size) + len(piece))
        if saving is None:
            self.body += piece
        else:
            saving.write(piece)

    def _insist_on_room(self, size: int) -> None:
        """Raises BodyError."""
        most = self._room.memory if self.saving is None else self._room.file
        if most is not None and size > most:
            raise BodyError(self._room.said, may_pass=False)

    def _unsaved(self, error: OSError) -> Failed:
        path = error.filename or self._wanted.save_to(self.status())
        return {"type": "file", "message": f"the body cannot be saved: {error.strerror or error}: {path}"}
