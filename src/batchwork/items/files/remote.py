"""Files behind URLs, by fsspec: which ones a URL names, what is known of one, and opening it. Local files are not here."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cached_property
from threading import Event
from typing import Any, Final
from weakref import WeakKeyDictionary

from batchwork.errors import SourceError, UsageError
from batchwork.items.base import digest
from batchwork.items.files.object_body import ObjectBody, speaks_s3
from batchwork.items.files.resumed import Anywhere, InOrder
from batchwork.items.packages import READING_URLS
from batchwork.plugins import needed
from batchwork.secrets import Masker, shown_url, url_passwords

AHEAD_BYTES: Final = 4 * 1024 * 1024
"""What is asked for at once of a store of objects."""
CONNECT_S, SILENT_S = 30, 60
"""How long an HTTP server may take to answer, and be silent in the midst."""

_MAGIC: Final = frozenset("*?[")
_VERSIONS: Final = (
    "ETag",
    "etag",
    "LastModified",
    "Last-Modified",
    "mtime",
    "modified",
    "updated",
    "md5Hash",
    "Content-MD5",
)
_MISSING: Final = {404, 410, "404", "NoSuchBucket", "NoSuchKey", "NoSuchVersion"}
_REFUSED: Final = {
    401,
    403,
    "401",
    "403",
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
}


_of_s3: Final[WeakKeyDictionary[Event, Any]] = WeakKeyDictionary()
"""The file system of S3 that all files of a source share, by what closes the source: each takes 16 MiB and a while to begin."""


def found_urls(url: str, closed: Event) -> Iterator[RemoteFile]:
    """The file of a URL, or those that it matches where it has `*`, `?` or `[`. Raises SourceError."""
    file = RemoteFile(url, closed)
    if _is_http(url) or not _MAGIC.intersection(url):
        yield file
        return
    for found in file.matching():
        yield RemoteFile(found, closed)


def _is_http(url: str) -> bool:
    return url[:8].lower().startswith(("http://", "https://"))


def _is_plain_s3(url: str) -> bool:
    """Whether it names nothing but a bucket and a key."""
    return url.startswith("s3://") and "?" not in url and "::" not in url


class RemoteFile:
    """One file behind a URL. `name` is the URL without what is secret in it."""

    def __init__(self, url: str, closed: Event) -> None:
        self.url, self.name, self.closed = url, shown_url(url), closed
        self._mask = Masker({}, url_passwords([url]))

    @cached_property
    def place(self) -> tuple[Any, str]:
        """The file system, and the path in it."""
        try:
            fsspec = needed("fsspec", READING_URLS)
        except UsageError as error:
            raise SourceError(f"{self.name}: {error.message}", error.hint) from None
        try:
            if _is_plain_s3(self.url):
                return self._system_of_s3(fsspec), self.url.partition("://")[2].rstrip("/")
            system, path = fsspec.core.url_to_fs(self.url, **self._options())
        except ImportError as error:
            raise SourceError(f"{self.name}: {error}", "install what is missing beside batchwork") from error
        except Exception as error:
            raise self.failed(error) from error
        return system, path

    def _system_of_s3(self, fsspec: Any) -> Any:
        system = _of_s3.get(self.closed)
        if system is None:
            system = _of_s3[self.closed] = fsspec.filesystem("s3", **self._options())
        return system

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
        if _is_http(self.url):
            timeout = needed("aiohttp", READING_URLS).ClientTimeout(None, sock_connect=CONNECT_S, sock_read=SILENT_S)
            options["client_kwargs"] = {"timeout": timeout, "auto_decompress": False, "trust_env": True}
            options["encoded"] = "%" in self.url
            options["headers"] = {"Accept-Encoding": "identity"}
        return options

    def version(self) -> str:
        """What changes when the content does, as far as the server tells; empty where it tells nothing. Raises SourceError."""
        system, path = self.place
        try:
            info = system.info(path)
        except Exception as error:
            raise self.failed(error) from error
        if info.get("type") == "directory":
            raise SourceError(f"{self.name}: this is a directory", "a pattern such as `/*.csv` finds the files in it")
        told = [f"{name}={info[name]}" for name in _VERSIONS if info.get(name)]
        return digest([self.name, str(info.get("size")), *told]) if told else ""

    def matching(self) -> list[str]:
        """The URLs of the files that the path of this one matches as a pattern, sorted. Raises SourceError."""
        system, path = self.place
        try:
            found = sorted(system.glob(path))
            if not found:
                _check_readable(system, path)
        except Exception as error:
            raise self.failed(error) from error
        return [system.unstrip_protocol(name) for name in found]

    def open(self, most: int) -> io.BufferedReader:
        """Its bytes, with `most` of them looked at ahead."""
        return io.BufferedReader(InOrder(self), most)

    def open_anywhere(self) -> Any:
        """Its bytes, which can be sought in. Raises SourceError."""
        return Anywhere(self)

    def opened_anywhere(self) -> Any:
        """A file of fsspec that asks for just what is read. Raises SourceError, errors of fsspec."""
        system, path = self.place
        if system.info(path).get("size") == 0:  # a web server's would be a stream
            return io.BytesIO()
        return system.open(path, "rb", block_size=AHEAD_BYTES, cache_type="none")

    def opened_at(self, offset: int) -> Any:
        """What is read from, whose next byte is that at `offset`."""
        system, path = self.place
        if speaks_s3(system):
            return ObjectBody(system, path, offset)
        if not _is_http(self.url):
            file = system.open(path, "rb", block_size=AHEAD_BYTES, cache_type="readahead")
            file.seek(offset)
            return file
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        file = system.open(path, "rb", block_size=0, size=1, headers=headers)
        if offset and file.r.status != 206:  # a server that gives all of it or nothing
            _skip(file, offset)
        return file

    def failed(self, error: Exception) -> SourceError:
        """What an error of fsspec means, without what is secret."""
        cause = error.__cause__
        if isinstance(error, FileNotFoundError) and isinstance(cause, Exception) and not _codes(cause) & _MISSING:
            return self.failed(cause)
        if isinstance(error, SourceError):
            return error
        if isinstance(error, FileNotFoundError) or _codes(error) & _MISSING:
            return SourceError(f"{self.name}: no such file", "is the address right, and may it be read from here?")
        if isinstance(error, PermissionError) or _codes(error) & _REFUSED:
            hint = "credentials are taken from the environment, as the client of this service does"
            return SourceError(f"{self.name}: access was refused", hint)
        reason = self._mask(str(error).replace(self.url, self.name))[:300]
        return SourceError(f"{self.name} cannot be read: {reason or type(error).__name__}")


def _check_readable(system: Any, path: str) -> None:
    """Raises where nothing matches because nothing could be looked at: fsspec passes over what it may not list."""
    root = path.partition("/")[0]
    if root:  # a bucket
        system.info(root)
    folder = path[: min(map(path.find, _MAGIC.intersection(path)))].rpartition("/")[0]
    try:
        system.ls(folder)
    except FileNotFoundError:
        return


def _codes(error: Exception) -> set[object]:
    """What a server answered: an HTTP status, and the code of a store of objects."""
    answer = getattr(error, "response", None)
    code = answer.get("Error", {}).get("Code") if isinstance(answer, dict) else None
    return {getattr(error, "status", None), code} - {None}


def _skip(file: Any, count: int) -> None:
    while count and (block := file.read(min(count, AHEAD_BYTES))):
        count -= len(block)
