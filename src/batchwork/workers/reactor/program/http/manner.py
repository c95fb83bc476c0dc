"""What is the same for all requests of a step, how the failures of libcurl are called, and whom it trusts."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from typing import Any

import pycurl

_CA_VARIABLES = ("CURL_CA_BUNDLE", "SSL_CERT_FILE")
_CA_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_BODY_MAX = 10 << 20
_TOO_LARGE = 100
"""CURLE_TOO_LARGE, which pycurl does not name."""
_NEVER_RETRIED = frozenset({
    pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_FILESIZE_EXCEEDED, _TOO_LARGE,
})  # fmt: skip
_CONNECT = frozenset({
    pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_RESOLVE_PROXY, pycurl.E_COULDNT_CONNECT, pycurl.E_SSL_CONNECT_ERROR,
    pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CACERT_BADFILE, pycurl.E_SSL_CIPHER, pycurl.E_SSL_CERTPROBLEM,
})  # fmt: skip
_CERTIFICATE = frozenset({pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CACERT_BADFILE})


class Manner:
    """What is the same for all requests of a step. Proxies are taken from the environment, ~/.netrc is not read."""

    def __init__(self, prepare: Mapping[str, Any], timeout_s: float | None) -> None:
        self.follow = int(prepare.get("follow_redirects", 5))
        self.verify = bool(prepare.get("verify", True))
        self.max_body: int = prepare.get("max_body") or _BODY_MAX
        self.max_file: int | None = prepare.get("max_body")
        self.deny_private = bool(prepare.get("deny_private"))
        self.timeout_s = timeout_s
        expected = prepare.get("expect_status") or [[200, 299]]
        self.expected = frozenset(status for low, high in expected for status in range(low, high + 1))
        named = next((os.environ[name] for name in _CA_VARIABLES if os.environ.get(name)), None)
        self.authorities = named or next(filter(os.path.isfile, _CA_FILES), None) or _certifi()

    @property
    def too_large(self) -> str:
        return f"body larger than {_size(self.max_body)}"

    def complaint(self, code: int, said: str, host: str) -> tuple[str, str]:
        """The type and the message of a failure, from curl's error code and what curl says to it."""
        known = {
            pycurl.E_FILESIZE_EXCEEDED: ("http", self.too_large),
            pycurl.E_OPERATION_TIMEDOUT: ("timeout", f"timed out after {self.timeout_s or 0:g} s"),
            pycurl.E_URL_MALFORMAT: ("refused", f"not a URL: {said}"),
            _TOO_LARGE: ("http", said or "response headers are too large"),
        }
        if code in known:
            return known[code]
        if code in _CERTIFICATE:
            return "connect", f"the certificate of {host} is not trusted: {said}; {self._trusted()}"
        kind = "connect" if code in _CONNECT else "http"
        return kind, said or f"curl error {code}"

    def _trusted(self) -> str:
        where = f"trusted is what {self.authorities} holds" if self.authorities else "no file of authorities was found"
        return f"{where} (CURL_CA_BUNDLE or SSL_CERT_FILE names another file)"


def never_again(code: int) -> bool:
    """Whether another attempt would fail the same way."""
    return code in _NEVER_RETRIED


def _size(count: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size and count % size == 0:
            return f"{count // size} {unit}"
    return f"{count} bytes"


def _certifi() -> str | None:
    try:
        return str(importlib.import_module("certifi").where())
    except ImportError:
        return None
