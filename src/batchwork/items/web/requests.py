"""Asking a web service for one page, again where that may help. Credentials go to the origin that they are for, and nowhere else."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, NoReturn
from urllib.parse import unquote, urlsplit, urlunsplit

from batchwork.errors import SourceError
from batchwork.items.jsonl import DEEPEST_ROW
from batchwork.items.web.answers import Answer, origin
from batchwork.items.web.cut import Cutter, WasCut
from batchwork.secrets import Masker, shown_url, url_passwords
from batchwork.text.credentials import is_credential_header
from batchwork.text.json_numbers import finite, whole
from batchwork.text.jsontext import Json
from batchwork.text.jsontexts import is_deeper
from batchwork.text.wording import short

TIMEOUT_S: Final = 60.0
TRIES: Final = 5
PAUSE_S: Final = 0.5
"""How long to wait after the first failure; then twice as long each time, or as long as the server says."""
PAUSE_MAX_S: Final = 60.0
BODY_MAX: Final = 100 << 20
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_EVERYWHERE: Final = frozenset({"accept", "accept-language", "user-agent"})


class Service:
    """A web service at the origin of a URL, with headers and credentials for it."""

    def __init__(self, url: str, headers: Mapping[str, Any], auth: Any) -> None:
        self._origin = origin(url)
        self._cutter = Cutter()
        self._headers = {"Accept": "application/json", "User-Agent": "batchwork"}
        self._headers |= {name: str(value) for name, value in headers.items() if value is not None}
        self._headers |= _authorization(auth) or _user_of(url)
        secret = [value for name, value in self._headers.items() if is_credential_header(name)]
        words = [word for value in secret for word in value.split()]
        self._mask = Masker({}, [*secret, *words, *url_passwords([url]), *_parts(auth)])
        self._open = urllib.request.build_opener(_Redirects(self), *self._cutter.handlers()).open
        self.stop = self._cutter.cut
        """From any thread: the request in flight is cut, and no other is made."""

    def headers_for(self, url: str) -> dict[str, str]:
        """What may be sent to a URL: to another origin nothing that is meant for this one."""
        if origin(url) == self._origin:
            return self._headers
        return {name: value for name, value in self._headers.items() if name.lower() in _EVERYWHERE}

    def ask(self, url: str, page: int) -> Answer:
        """The page at a URL. Raises SourceError, which says which page it is."""
        name = f"page {page} ({shown_url(url)})"
        for attempt in range(TRIES):
            try:
                return self._cutter.run(partial(self._asked, url, name))
            except WasCut:
                break
            except urllib.error.HTTPError as error:
                wait, reason = _wait_of(error), f"HTTP {error.code} {_said_by(error)}".strip()
                last = error.code not in _AGAIN or attempt + 1 == TRIES
            except (OSError, http.client.HTTPException) as error:
                wait, reason = 0.0, _reason_of(error)
                last = attempt + 1 == TRIES
            if last:
                self._refuse(name, reason)
            if self._cutter.wait(max(wait, PAUSE_S * 2**attempt)):
                break
        raise SourceError(f"items: {name}: reading was stopped")

    def _refuse(self, name: str, reason: str) -> NoReturn:
        raise SourceError(f"items: {name}: {self._mask(reason)}")

    def _asked(self, url: str, name: str) -> Answer:
        if urlsplit(url).scheme not in {"http", "https"}:
            self._refuse(name, "only http and https")
        request = urllib.request.Request(_without_user(url), headers=self.headers_for(url))  # noqa: S310 - see above
        with self._open(request, timeout=TIMEOUT_S) as response:
            body = response.read(BODY_MAX + 1)
            if response.length and len(body) <= BODY_MAX:  # read with a limit, it says nothing of what is missing
                raise http.client.IncompleteRead(body, response.length)
            links = response.headers.get_all("Link", [])
            at = response.geturl()
        if len(body) > BODY_MAX:
            self._refuse(name, f"the answer is longer than {BODY_MAX >> 20} MiB")
        return Answer(at, self._value(body, name), ", ".join(links))

    def _value(self, body: bytes, name: str) -> Json:
        try:
            text = body.decode("utf-8-sig")
            value: Json = json.loads(text, parse_constant=_refuse_constant, parse_float=finite, parse_int=whole)
            if is_deeper(value, DEEPEST_ROW, text):
                raise RecursionError
        except RecursionError:
            self._refuse(name, "the answer is nested too deeply")
        except ValueError as error:
            shown = short(body[:100].decode("utf-8", "replace"), 60)
            self._refuse(name, f"the answer is not JSON: {error}: {shown!r}")
        return value


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect with what may be sent there."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def redirect_request(self, req: Any, *told: Any) -> Any:
        """`told` ends with where it leads to."""
        found = super().redirect_request(req, *told)
        if found is not None:
            found.headers = {name.capitalize(): text for name, text in self._service.headers_for(told[-1]).items()}
        return found


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _wait_of(error: urllib.error.HTTPError) -> float:
    """How long the server wants to be left alone, in seconds."""
    text = str(error.headers.get("Retry-After", "")).strip()
    return min(float(text), PAUSE_MAX_S) if text.isdecimal() else 0.0


def _reason_of(error: OSError | http.client.HTTPException) -> str:
    if isinstance(error, http.client.IncompleteRead):
        return f"the answer breaks off after {len(error.partial):,} bytes"
    return str(getattr(error, "reason", error)) or type(error).__name__


def _said_by(error: urllib.error.HTTPError) -> str:
    """The body of an answer that is an error; of a redirect that is not followed, why."""
    if 300 <= error.code < 400:
        return short(" ".join(str(error.reason).split()), 200)
    try:
        return short(" ".join(error.read(2000).decode("utf-8", "replace").split()), 200)
    except (OSError, http.client.HTTPException):
        return ""


def _authorization(auth: Any) -> dict[str, str]:
    """The header for `auth`: [user, password], {username, password} or {bearer: token}."""
    if isinstance(auth, Mapping) and "bearer" in auth:
        return {"Authorization": f"Bearer {auth['bearer']}"}
    pair = _pair(auth)
    if pair is None:
        return {}
    return {"Authorization": "Basic " + b64encode(f"{pair[0]}:{pair[1]}".encode()).decode()}


def _pair(auth: Any) -> Sequence[Any] | None:
    if isinstance(auth, Mapping):
        return auth.get("username", ""), auth.get("password", "")
    return auth if isinstance(auth, list) and len(auth) == 2 else None


def _parts(auth: Any) -> list[str]:
    """What of `auth` is secret."""
    if isinstance(auth, Mapping) and "bearer" in auth:
        return [str(auth["bearer"])]
    pair = _pair(auth)
    return [] if pair is None else [str(pair[1])]


def _user_of(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    if parts.username is None:
        return {}
    return _authorization([unquote(parts.username), unquote(parts.password or "")])


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
