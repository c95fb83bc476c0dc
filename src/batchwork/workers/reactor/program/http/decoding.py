"""Compressed bodies, decoded as they come, so that one that ends early is known from one that is whole.

libcurl would decode them too, but takes what came for all of it where a connection is closed in the midst of a gzip
stream. Only what can be checked so is asked for: gzip and deflate.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

ASKED_FOR: Final = "gzip, deflate"
_READABLE: Final = frozenset({"gzip", "x-gzip", "deflate"})
_PLAIN: Final = frozenset({"", "identity", "none"})
_LAYERS_MAX: Final = 3
_PIECE: Final = 256 << 10
"""Bytes that are decoded at once: a body of zeros is a thousand times as large as what comes of it."""


class BodyError(Exception):
    """A body that is not what it should be; the message says how. `may_pass`: another attempt may have another one."""

    def __init__(self, message: str, *, may_pass: bool = True) -> None:
        super().__init__(message)
        self.may_pass = may_pass


class Decoder:
    """Undoes one compression. gzip may come in several members; deflate with and without the frame of zlib."""

    def __init__(self, coding: str) -> None:
        self._coding = coding.removeprefix("x-")
        self._stream: zlib._Decompress | None = None
        self._head = b""
        self._ended = False
        """Whether a whole stream has come; with gzip another one may follow."""
        self._over = False

    def decode(self, part: bytes) -> Iterator[bytes]:
        """What the part makes, piece by piece. Raises BodyError."""
        try:
            while part and not self._over:
                if self._stream is None:
                    part = self._begin(self._head + part)
                    continue
                yield from self._pieces(part)
                part = self._rest()
        except zlib.error as error:
            raise BodyError(f"the body is not {self._coding}: {error}") from None

    def whole(self) -> bool:
        """Whether all of it has come."""
        return self._ended and self._stream is None

    def _begin(self, part: bytes) -> bytes:
        """Begin a stream with what there is, and give it back; hold it where it is too short to tell what it is."""
        if len(part) < 2:
            self._head = part
            return b""
        self._head = b""
        if self._ended and (self._coding != "gzip" or not part.startswith(b"\x1f\x8b")):
            self._over = True  # padding, which others pass over too
        elif self._coding == "gzip":
            self._stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
        else:
            framed = part[0] & 0x0F == 8 and (part[0] << 8 | part[1]) % 31 == 0
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if framed else -zlib.MAX_WBITS)
        return part

    def _pieces(self, part: bytes) -> Iterator[bytes]:
        stream = self._stream
        assert stream is not None
        piece = stream.decompress(part, _PIECE)
        while piece:
            yield piece
            piece = stream.decompress(stream.unconsumed_tail, _PIECE)

    def _rest(self) -> bytes:
        """What came after the end of a stream."""
        stream = self._stream
        if stream is None or not stream.eof:
            return b""
        self._stream, self._ended = None, True
        return stream.unused_data


class Decoding:
    """All compressions that a `Content-Encoding` names, the last one undone first."""

    def __init__(self, content_encoding: str) -> None:
        """Raises BodyError."""
        codings = [word for word in map(str.strip, content_encoding.lower().split(",")) if word not in _PLAIN]
        if unknown := [coding for coding in codings if coding not in _READABLE]:
            raise BodyError(f"the body is compressed as `{unknown[0][:40]}`, which was not asked for and is not read")
        if len(codings) > _LAYERS_MAX:
            raise BodyError(f"the body is compressed {len(codings)} times over")
        self._decoders = [Decoder(coding) for coding in reversed(codings)]
        self._begun = False

    def decode(self, part: bytes) -> Iterator[bytes]:
        """What the part makes, piece by piece. Raises BodyError."""
        self._begun = True
        return self._through(part, 0)

    def complete(self, *, framed: bool) -> bool:
        """Whether the body has come to its end; `framed`: its length was known, so that nothing at all may be all."""
        if not self._begun and framed:
            return True
        return all(decoder.whole() for decoder in self._decoders)

    def _through(self, part: bytes, layer: int) -> Iterator[bytes]:
        if layer == len(self._decoders):
            yield part
            return
        for piece in self._decoders[layer].decode(part):
            yield from self._through(piece, layer + 1)


def readable_encodings(accept_encoding: str) -> str:
    """Of an `Accept-Encoding` what can be read here; `identity` where nothing is left of it."""
    words = [word.strip() for word in accept_encoding.split(",")]
    kept = [word for word in words if word.partition(";")[0].strip().lower() in {*_READABLE, "identity"}]
    return ", ".join(kept) or "identity"
