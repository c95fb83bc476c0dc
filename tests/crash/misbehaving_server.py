"""A server on loopback that misbehaves by path, and remembers what it was asked. One thread a connection; no test is here."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable
from typing import NamedTuple


class Request(NamedTuple):
    """What arrived. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


class MisbehavingServer:
    """Listens from its making until `close`. `requests` are in the order of their arrival."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.requests: list[Request] = []
        self.most_at_once = 0
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._socket = socket.create_server((host, 0), backlog=512)
        self.url = f"http://{host}:{self._socket.getsockname()[1]}"
        self.elsewhere = ""
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.close()
        for connection in list(self._open):
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(connection)
            self.most_at_once = max(self.most_at_once, len(self._open))
            threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        pending = b""
        try:
            while True:
                while b"\r\n\r\n" not in pending:
                    part = connection.recv(65536)
                    if not part:
                        return
                    pending += part
                head, _, pending = pending.partition(b"\r\n\r\n")
                first, *lines = head.decode("latin-1").split("\r\n")
                method, path, _ = first.split(" ", 2)
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                length = int(headers.get("content-length", "0"))
                while len(pending) < length:
                    pending += connection.recv(65536)
                body, pending = pending[:length], pending[length:]
                self.requests.append(Request(method, path, headers, body, number))
                if not self._answer(connection, self.requests[-1]):
                    return
        except OSError:
            return
        finally:
            self._open.discard(connection)
            connection.close()

    def _answer(self, connection: socket.socket, request: Request) -> bool:
        """Answer; whether the connection is kept."""
        name, _, rest = request.path.partition("?")[0].lstrip("/").partition("/")
        raw = RAW.get(name)
        if raw is not None:
            connection.sendall(raw)
            return False
        answer = ANSWERS.get(name)
        if answer is not None:
            return answer(self, connection, request, rest)
        return respond(connection, 404, b"no such page")


def respond(connection: socket.socket, status: int, body: bytes, *headers: str) -> bool:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    return True


def _status(_server: MisbehavingServer, connection: socket.socket, _request: Request, rest: str) -> bool:
    status, _, wait = rest.partition("/")
    return respond(connection, int(status), b"because", *([f"Retry-After: {wait}"] if wait else []))


def _echo(_server: MisbehavingServer, connection: socket.socket, request: Request, rest: str) -> bool:
    said = {"method": request.method, "body": request.body.decode(), "headers": request.headers}
    return respond(connection, int(rest or 200), json.dumps(said).encode(), "Content-Type: application/json")


def _hang(_server: MisbehavingServer, connection: socket.socket, _request: Request, _rest: str) -> bool:
    connection.recv(1)  # until the other side gives up
    return False


def _drip(_server: MisbehavingServer, connection: socket.socket, _request: Request, rest: str) -> bool:
    connection.sendall(b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: 1000\r\n\r\n" if rest == "body" else b"X: "))
    while True:
        connection.sendall(b"z")
        time.sleep(0.05)


def _chain(_server: MisbehavingServer, connection: socket.socket, _request: Request, rest: str) -> bool:
    left = int(rest)
    return respond(connection, 302, b"", f"Location: /chain/{left - 1}") if left else respond(connection, 200, b"end")


def _to(server: MisbehavingServer, connection: socket.socket, _request: Request, rest: str) -> bool:
    return respond(connection, 302, b"", f"Location: {rest or server.elsewhere + '/echo'}")


def _big(_server: MisbehavingServer, connection: socket.socket, _request: Request, _rest: str) -> bool:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(4096):
        connection.sendall(b"x" * 65536)
    return False


def _big_file(_server: MisbehavingServer, connection: socket.socket, _request: Request, _rest: str) -> bool:
    return respond(connection, 200, b"x" * (64 << 20))


def _reset(_server: MisbehavingServer, connection: socket.socket, _request: Request, _rest: str) -> bool:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def _once(server: MisbehavingServer, connection: socket.socket, request: Request, _rest: str) -> bool:
    """Answers the first request of a connection; the second has its effect, and the reply is lost."""
    first = sum(other.connection == request.connection for other in server.requests) == 1
    return first and respond(connection, 200, b"done")


def _bomb(_server: MisbehavingServer, connection: socket.socket, _request: Request, _rest: str) -> bool:
    return respond(connection, 200, gzip.compress(bytes(64 << 20), 9), "Content-Encoding: gzip")


def _cut(_server: MisbehavingServer, connection: socket.socket, _request: Request, rest: str) -> bool:
    """A compressed body whose end is that of the connection, and which is not all there."""
    coding, _, share = rest.partition("/")
    body = COMPRESSED[coding]
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nConnection: close\r\n\r\n"
    connection.sendall(head.encode() + body[: len(body) * int(share) // 100])
    return False


def _redirect(server: MisbehavingServer, connection: socket.socket, _request: Request, rest: str) -> bool:
    """To `/echo` of the other server, or of this one, with a status and a body that is compressed badly."""
    status, _, where = rest.partition("/")
    target = f"{server.elsewhere if where == 'other' else ''}/echo"
    return respond(connection, int(status), b"moved", f"Location: {target}", "Content-Encoding: gzip")


def _many(_server: MisbehavingServer, connection: socket.socket, _request: Request, _rest: str) -> bool:
    return respond(connection, 200, b"", *(f"X-{number}: 1" for number in range(200_000)))


TEXT = b"".join(b"%d\n" % (number * 7919 % 9973) for number in range(2000))
COMPRESSED = {"gzip": gzip.compress(TEXT), "deflate": zlib.compress(TEXT), "br": b"\x0b\x01\x80hello\x03"}
Answer = Callable[[MisbehavingServer, socket.socket, Request, str], bool]

ANSWERS: dict[str, Answer] = {
    "status": _status,
    "echo": _echo,
    "hang": _hang,
    "drip": _drip,
    "chain": _chain,
    "to": _to,
    "big": _big,
    "big-file": _big_file,
    "reset": _reset,
    "once": _once,
    "bomb": _bomb,
    "cut": _cut,
    "redirect": _redirect,
    "many-headers": _many,
}
RAW = {
    "empty": b"",
    "garbage": b"\x00\xff\xfeSSH-2.0-hello\r\n",
    "bad-status": b"HTTP/1.1 abc WAT\r\n\r\n",
    "bad-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nZZZ\r\n",
    "short": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this",
    "claims-big": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nabc",
    "bad-gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
    "big-header": b"HTTP/1.1 200 OK\r\nX: " + b"h" * (8 << 20) + b"\r\n\r\n",
    "no-content": b"HTTP/1.1 204 No Content\r\n\r\n",
}
