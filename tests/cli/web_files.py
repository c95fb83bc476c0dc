"""A web server with files that can misbehave: it breaks off, ignores ranges, changes a file, asks for a password."""

from __future__ import annotations

import ssl
import threading
from base64 import b64encode
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class WebFiles:
    """Files by path. `breaks` is how many bytes each answer to a path gives before the connection is closed; `sent` all bytes of a path."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._origin = "https://localhost" if tls else "http://127.0.0.1"
        self.files: dict[str, bytes] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.breaks: dict[str, int] = {}
        self.ranges = True
        self.password: str | None = None
        self.asked: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.targets: list[str] = []
        self.after_break = lambda: None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self._origin}:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._answer(body=False)

            def do_GET(self) -> None:
                self._answer(body=True)

            def log_message(self, *_: object) -> None:
                pass

            def _answer(self, *, body: bool) -> None:
                site.answer(self, body)

        return Handler

    def answer(self, request: BaseHTTPRequestHandler, body: bool) -> None:
        path = request.path.partition("?")[0]
        self.targets.append(request.path)
        if self.password is not None:
            wanted = "Basic " + b64encode(self.password.encode()).decode()
            if request.headers["Authorization"] != wanted:
                request.send_error(401)
                return
        if path not in self.files:
            request.send_error(404)
            return
        content, begin = self.files[path], 0
        if self.ranges and (asked := request.headers["Range"]):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            begin, content = int(first), content[: int(last) + 1] if last else content
            request.send_response(206)
        else:
            request.send_response(200)
        for name, value in self.headers.get(path, {}).items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content) - begin))
        request.end_headers()
        if body:
            self.asked[path] += 1
            most = self.breaks.get(path, len(content))
            self.sent[path] += request.wfile.write(content[begin : begin + most])
            if begin + most < len(content):
                request.close_connection = True
                self.after_break()
