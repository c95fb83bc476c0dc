"""A file that takes its place when it is whole: written without a name beside it, so that nothing is left of a failure."""

from __future__ import annotations

import errno
import os
import secrets
import stat


class Saving:
    """A file on its way to `path`. What stands there is kept until `keep`."""

    def __init__(self, path: str) -> None:
        """Makes the folders above it. Raises OSError."""
        self.size = 0
        self._path = path
        folder = os.path.dirname(path) or "."
        os.makedirs(folder, exist_ok=True)
        _refuse_what_is_no_file(path)
        # No name is longer than this one may be, and a batch may fetch into one folder by many.
        self._part = os.path.join(folder, f".batchwork-{secrets.token_hex(8)}")
        self._named = False
        self._fd = self._open(folder)

    def _open(self, folder: str) -> int:
        flags = os.O_WRONLY | os.O_CLOEXEC
        if hasattr(os, "O_TMPFILE"):
            try:
                return os.open(folder, flags | os.O_TMPFILE, 0o666)
            except OSError:  # not every file system has files without a name
                pass
        self._named = True
        return os.open(self._part, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)

    def write(self, part: bytes) -> None:
        """Raises OSError."""
        self.size += len(part)
        left = memoryview(part)
        while left:
            left = left[os.write(self._fd, left) :]

    def keep(self) -> None:
        """Give the file its name, in place of what stands there. Raises OSError; then nothing has changed."""
        try:
            if not self._named:
                # Only by way of a folder's descriptor does Python follow the link in /proc.
                os.link(f"/proc/self/fd/{self._fd}", self._part, src_dir_fd=self._fd, follow_symlinks=True)
                self._named = True
            self._take_over_mode()
            os.replace(self._part, self._path)
            self._named = False
        finally:
            self.drop()

    def drop(self) -> None:
        """Leave nothing behind, unless it was kept."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._named:
            self._named = False
            os.unlink(self._part)

    def _take_over_mode(self) -> None:
        """A file that is replaced keeps the permissions that its owner gave it."""
        try:
            before = os.stat(self._path, follow_symlinks=False)
        except OSError:
            return
        if stat.S_ISREG(before.st_mode) and before.st_uid == os.geteuid():
            os.fchmod(self._fd, stat.S_IMODE(before.st_mode))


def _refuse_what_is_no_file(path: str) -> None:
    """A folder cannot be replaced, and a device, a pipe or a socket must not be: root could take `/dev/null` from all. Raises OSError."""
    try:
        mode = os.stat(path).st_mode
    except OSError:  # nothing stands there, or a link to nothing
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "there is a folder of this name", path)
    if not stat.S_ISREG(mode):
        raise FileExistsError(errno.EEXIST, "there is a device, a pipe or a socket of this name", path)
