"""Opening a target for bytes: a file or a URL that is there when it is whole, and not before. Formats are not known here."""

from __future__ import annotations

import contextlib
from typing import IO, Any, Final, Protocol, Self, cast

from batchwork.errors import OutputError
from batchwork.export.part_file import PartFile
from batchwork.export.target import WRITING_URLS, WRITING_ZSTD, Target
from batchwork.plugins import needed
from batchwork.secrets import Masker, url_passwords


class _Place(Protocol):
    """What takes the bytes at last."""

    file: IO[bytes]

    def commit(self) -> None: ...

    def discard(self) -> None: ...


class Sink:
    """A target that is being written, a context: `commit` at the end makes it appear, otherwise nothing is left of it.

    `visible`: the part of a file has a name that is known beforehand. Raises OutputError.
    """

    def __init__(self, target: Target, *, visible: bool = False) -> None:
        self._target = target
        self._place: _Place = _Remote(target) if target.is_url else PartFile(target.place, visible=visible)
        self._over = False
        try:
            self.file = compressing(self._place.file, target.compression)
        except BaseException:
            self._place.discard()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if not self._over:
            self.discard()
        if isinstance(error, OSError):
            raise unwritable(self._target, error) from error

    def flush(self) -> None:
        """Let what was written be seen by whoever looks at the part."""
        with self._complaining():
            self.file.flush()

    def commit(self) -> None:
        """All is written."""
        with self._complaining():
            if self.file is not self._place.file:
                self.file.close()
            self._place.commit()
        self._over = True

    def discard(self) -> None:
        """Leave no trace."""
        self._over = True
        if self.file is not self._place.file:
            with contextlib.suppress(Exception):  # what it still holds is not wanted
                self.file.close()
        self._place.discard()

    @contextlib.contextmanager
    def _complaining(self) -> Any:
        try:
            yield
        except OSError as error:
            raise unwritable(self._target, error) from error


def unwritable(target: Target, error: Exception) -> OutputError:
    """What is said of a target that cannot be written."""
    why = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0][:300]
    why = Masker({}, url_passwords([target.place]))(why)
    return OutputError(f"cannot write {target.shown}: {why}")


# ---------------------------------------------------------------- URLs


class _Remote:
    """A file behind a URL, by fsspec."""

    def __init__(self, target: Target) -> None:
        core = needed("fsspec.core", WRITING_URLS)
        self._target = target
        try:
            system, path = core.url_to_fs(target.place)
            self.file: IO[bytes] = system.open(path, "wb", autocommit=False)
        except ImportError as error:
            raise OutputError(f"cannot write {target.shown}: {error}", "install the package that it names") from error
        except NotImplementedError as error:
            raise OutputError(f"cannot write {target.shown}: such URLs can only be read") from error
        except Exception as error:
            raise unwritable(target, error) from error

    def commit(self) -> None:
        try:
            self.file.close()
            cast(Any, self.file).commit()
        except Exception as error:
            raise unwritable(self._target, error) from error

    def discard(self) -> None:
        with contextlib.suppress(Exception):  # whatever it is, it has not been committed
            cast(Any, self.file).discard()


# ---------------------------------------------------------------- compression


def compressing(file: IO[bytes], ending: str) -> IO[bytes]:
    """What compresses into `file`, which stays open; `file` itself without an ending."""
    return _COMPRESSORS[ending](file) if ending else file


def _gzip(file: IO[bytes]) -> IO[bytes]:
    import gzip

    return cast(IO[bytes], gzip.GzipFile("", "wb", 6, file, mtime=0))


def _bzip(file: IO[bytes]) -> IO[bytes]:
    import bz2

    return bz2.BZ2File(file, "wb")


def _xz(file: IO[bytes]) -> IO[bytes]:
    import lzma

    return lzma.LZMAFile(file, "wb")


def _zstd(file: IO[bytes]) -> IO[bytes]:
    writer = needed("zstandard", WRITING_ZSTD).ZstdCompressor().stream_writer(file, closefd=False)
    return cast(IO[bytes], writer)


_COMPRESSORS: Final = {"gz": _gzip, "bz2": _bzip, "xz": _xz, "zst": _zstd}
