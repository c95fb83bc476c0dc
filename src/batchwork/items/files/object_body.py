"""The bytes of an object in a store that speaks S3, from an offset to its end, by one request. Nothing is tried again here."""

from __future__ import annotations

from typing import Any

from batchwork.plugins import needed


def speaks_s3(system: Any) -> bool:
    """Whether a file system of fsspec takes the calls of S3."""
    return hasattr(system, "call_s3")


class ObjectBody:
    """What follows `offset` in an object, as it comes over one connection, which holds back what is not read yet.

    Blocks, which fsspec asks for, cost a request each: the way there and back to a store that is far away, and a look at
    the whole object in some that imitate one.
    """

    def __init__(self, system: Any, path: str, offset: int) -> None:
        bucket, key, version = system.split_path(path)
        request = {"Bucket": bucket, "Key": key}
        if version:
            request["VersionId"] = version
        if offset:
            request["Range"] = f"bytes={offset}-"
        self._loop = system.loop
        self._wait = needed("fsspec.asyn", "reading objects").sync
        self._body = system.call_s3("get_object", **request)["Body"]

    def read(self, most: int) -> bytes:
        """What has come, at most so many bytes; nothing at the end. Raises what the client of S3 raises."""
        block: bytes = self._wait(self._loop, self._body.read, most)
        return block

    def close(self) -> None:
        """Give up what was not read."""
        self._loop.call_soon_threadsafe(self._body.close)
