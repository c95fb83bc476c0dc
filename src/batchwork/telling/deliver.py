"""How a notification gets out: to a command on its standard input, or to a URL by POST. Short timeouts."""

from __future__ import annotations

import subprocess
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias
from urllib.parse import unquote, urlsplit, urlunsplit

from msgspec import Struct

from batchwork.errors import BatchworkError
from batchwork.proctree import kill_group
from batchwork.report import RunJson
from batchwork.text.jsontext import encode

TIMEOUT_S: Final = 10.0
_TAIL: Final = 500


class Message(Struct, frozen=True):
    """What is to be said. `step` may be empty; `text` is a sentence."""

    kind: str
    step: str
    text: str
    summary: RunJson

    def body(self) -> bytes:
        """The summary as JSON, with `event`, `step` and `text` beside it (`text` is what chat services show)."""
        return encode({**self.summary, "event": self.kind, "step": self.step, "text": self.text}).encode()


Delivery: TypeAlias = Callable[[Message], None]
"""Raises BatchworkError, saying why a message could not be delivered."""


def command_delivery(argv: Sequence[str], environ: Mapping[str, str], cwd: str) -> Delivery:
    """Runs `argv` with the message as JSON on its standard input and the most important parts in BATCHWORK_… variables."""

    def deliver(message: Message) -> None:
        named = {
            "BATCHWORK_EVENT": message.kind,
            "BATCHWORK_STEP": message.step,
            "BATCHWORK_TEXT": message.text,
            "BATCHWORK_RUN": message.summary["run"],
            "BATCHWORK_WORKFLOW": message.summary["workflow"],
            "BATCHWORK_STATUS": message.summary["status"],
        }
        _run(argv, {**environ, **{name: value.replace("\0", "") for name, value in named.items()}}, cwd, message.body())

    return deliver


def _run(argv: Sequence[str], environ: Mapping[str, str], cwd: str, body: bytes) -> None:
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,  # standard output belongs to results and summaries
            stderr=subprocess.PIPE,
            env=environ,
            cwd=cwd,
            start_new_session=True,
        )
    except OSError as error:
        raise BatchworkError(f"`{argv[0]}` cannot be started: {error.strerror}") from None
    try:
        _, complaint = process.communicate(body, TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise BatchworkError(f"its command had not ended after {TIMEOUT_S:.0f} s") from None
    finally:
        _end(process)
    if process.returncode:
        said = complaint.decode("utf-8", "replace").strip()[-_TAIL:]
        raise BatchworkError(f"its command ended with exit code {process.returncode}" + (f": {said}" if said else ""))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command with all that it left in its process group."""
    kill_group(process.pid)
    if process.stderr is not None:
        process.stderr.close()
    process.wait()


def url_delivery(url: str) -> Delivery:
    """Posts the message as JSON. Only http and https; nothing is said of the URL but its host, for it may hold a secret."""

    def deliver(message: Message) -> None:
        from urllib.error import HTTPError, URLError
        from urllib.request import HTTPRedirectHandler, Request, build_opener

        class Stay(HTTPRedirectHandler):
            """No redirects: what is said goes to whom it was meant for."""

            def redirect_request(self, *_: object) -> None:
                return None

        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"}:
            raise BatchworkError(f"its URL must begin with http:// or https://, not {parts.scheme!r}")
        headers = {"Content-Type": "application/json", "User-Agent": "batchwork"}
        place = url
        if parts.username is not None:  # urllib would take it for a part of the host's name
            place = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        request = Request(place, message.body(), headers, method="POST")  # noqa: S310  # the scheme is checked above
        try:
            with build_opener(Stay).open(request, timeout=TIMEOUT_S) as answer:
                answer.read(1)
        except HTTPError as error:
            raise BatchworkError(f"{parts.hostname} answered {error.code}") from None
        except URLError as error:
            raise BatchworkError(f"{parts.hostname} cannot be reached: {error.reason}") from None
        except (OSError, ValueError) as error:
            raise BatchworkError(f"{parts.hostname} cannot be reached: {error}") from None

    return deliver
