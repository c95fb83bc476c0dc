"""The parts of an HTTP request that need no server: what is asked next, what is decoded, which addresses are public, saving."""

from __future__ import annotations

import gzip
import os
import random
import stat
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from batchwork.workers.reactor.program.http.addresses import is_public
from batchwork.workers.reactor.program.http.asking import Ask, redirected
from batchwork.workers.reactor.program.http.decoding import BodyError, Decoding, readable_encodings
from batchwork.workers.reactor.program.http.saving import Saving
from batchwork.workers.reactor.program.outbox import NotStarted

# ---------------------------------------------------------------- redirects

ALL = [
    ["Authorization", "Bearer t"], ["Cookie", "a=b"], ["X-API-Key", "k"], ["Idempotency-Key", "i"], ["X-Anything", "x"],
    ["Proxy-Authorization", "p"], ["Accept", "text/plain"], ["accept-language", "de"], ["Accept-Encoding", "gzip"],
    ["User-Agent", "me"], ["Content-Type", "text/csv"],
]  # fmt: skip
HARMLESS = ALL[6:]
ASK = Ask("GET", "http://a.example/x", ALL, None, ["user", "password"])


@pytest.mark.parametrize(
    "target",
    ["http://a.example/y", "http://A.EXAMPLE:80/y", "http://a.example./y", "http://other:login@a.example/"],
)
def test_within_an_origin_all_goes_along(target: str) -> None:
    then = redirected(ASK, 302, target)
    assert (then.headers, then.auth, then.url) == (ALL, ["user", "password"], target)


@pytest.mark.parametrize(
    "target",
    [
        "http://b.example/x",
        "https://a.example/x",
        "http://a.example:8080/x",
        "http://a.example.b.example/",
        "http://a.example@b.example/",
        "http://sub.a.example/",
        "http://[::1]/",
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.promise("5.19")
def test_to_another_origin_only_what_tells_nothing_goes_along(target: str, status: int) -> None:
    then = redirected(ASK, status, target)
    assert (then.headers, then.auth, then.url) == (HARMLESS, None, target)
    back = redirected(then, status, "http://a.example/x")
    assert (back.headers, back.auth) == (HARMLESS, None), "what was taken off stays off"


def test_a_body_with_a_secret_goes_to_no_other_origin() -> None:
    ask = ASK._replace(method="POST", body="s", body_stays=True)
    assert redirected(ask, 307, "http://a.example/y").body == "s"
    assert redirected(ask, 303, "http://b.example/").body is None
    for status in (307, 308):
        with pytest.raises(NotStarted, match="a declared secret is in it"):
            redirected(ask, status, "http://b.example/")


def test_a_login_in_the_url_stays_with_its_origin() -> None:
    ask = ASK._replace(url="http://us:pw@a.example/x")
    assert redirected(ask, 302, "http://a.example/y").url == "http://us:pw@a.example/y"
    assert redirected(ask, 302, "http://me@a.example/y").url == "http://me@a.example/y"
    assert redirected(ask, 302, "http://b.example/y").url == "http://b.example/y"


@pytest.mark.parametrize(
    ("method", "status", "then"),
    [
        ("POST", 301, "GET"), ("POST", 302, "GET"), ("POST", 303, "GET"), ("POST", 307, "POST"), ("POST", 308, "POST"),
        ("PUT", 301, "PUT"), ("PUT", 303, "GET"), ("DELETE", 302, "DELETE"), ("HEAD", 303, "HEAD"), ("GET", 303, "GET"),
    ],
)  # fmt: skip
def test_methods_change_as_the_status_says(method: str, status: int, then: str) -> None:
    ask = redirected(ASK._replace(method=method, body="b"), status, "http://a.example/y")
    assert ask.method == then
    assert (ask.body is None) == (then != method)
    assert (["Content-Type", "text/csv"] in ask.headers) == (then == method)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://h/x", "dict://h/", "//h/x", "", "http://[::1/", "x y"])
def test_no_redirect_leads_to_what_is_not_http(target: str) -> None:
    with pytest.raises(NotStarted, match="neither http nor https"):
        redirected(ASK, 302, target)


# ---------------------------------------------------------------- compressed bodies


def raw_deflate(data: bytes) -> bytes:
    maker = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return maker.compress(data) + maker.flush()


DATA = b"".join(b"%d," % (number * 7919 % 9973) for number in range(300))
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP, identity": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
    "deflate, gzip": lambda data: gzip.compress(zlib.compress(data)),
    "gzip,gzip": lambda data: gzip.compress(gzip.compress(data)),
}


def decoded(coding: str, body: bytes, size: int) -> tuple[bytes, bool]:
    decoding = Decoding(coding)
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    found = b"".join(piece for part in parts for piece in decoding.decode(part))
    return found, decoding.complete(framed=False)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("size", [1, 2, 7, 100_000])
def test_a_body_is_decoded_however_it_comes(coding: str, size: int) -> None:
    assert decoded(coding, CODINGS[coding](DATA), size) == (DATA, True)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.promise("5.29")
def test_a_body_that_ends_early_is_known_wherever_it_ends(coding: str) -> None:
    body = CODINGS[coding](DATA)
    for stop in range(len(body)):
        found, whole = decoded(coding, body[:stop], 64)
        assert not whole, f"cut to {stop} of {len(body)} bytes"
        assert DATA.startswith(found)


@pytest.mark.parametrize("size", [1, 3, 100_000])
@pytest.mark.parametrize("after", [b"", b"\0", b"\0" * 500, b"\x1f", b"padding"])
def test_members_follow_one_another_and_padding_is_passed_over(size: int, after: bytes) -> None:
    body = gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two")
    assert decoded("gzip", body + after, size) == (b"one two", True)


def test_a_second_member_that_ends_early_is_known() -> None:
    first, second = gzip.compress(b"one"), gzip.compress(DATA)
    for stop in range(2, len(second)):
        assert decoded("gzip", first + second[:stop], 50)[1] is False


def test_a_large_body_comes_in_pieces() -> None:
    sizes = [len(piece) for piece in Decoding("gzip").decode(gzip.compress(bytes(20 << 20)))]
    assert sum(sizes) == 20 << 20 and max(sizes) <= 256 << 10


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_is_not_compressed_as_it_says_is_an_error(coding: str) -> None:
    with pytest.raises(BodyError, match=f"not {coding}"):
        decoded(coding, random.Random(7).randbytes(5000), 100)  # whose first bytes begin no stream


def test_encodings_that_cannot_be_read_are_not_asked_for_and_refused() -> None:
    for coding in ("br", "zstd", "gzip, br", "compress"):
        with pytest.raises(BodyError, match="not asked for"):
            Decoding(coding)
    with pytest.raises(BodyError, match="times over"):
        Decoding("gzip, gzip, gzip, gzip")
    assert readable_encodings("gzip, deflate, br, zstd") == "gzip, deflate"
    assert readable_encodings("br;q=1.0, gzip;q=0.8, *;q=0.1") == "gzip;q=0.8"
    assert readable_encodings("br") == readable_encodings("") == "identity"


def test_nothing_at_all_is_a_body_where_its_end_was_told() -> None:
    assert Decoding("gzip").complete(framed=True) and not Decoding("gzip").complete(framed=False)
    assert Decoding("").complete(framed=False)


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("127.0.0.1", False), ("127.9.9.9", False), ("10.1.2.3", False), ("172.16.0.1", False),
        ("192.168.1.1", False), ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False),
        ("255.255.255.255", False), ("198.18.0.1", False), ("::1", False), ("::", False), ("fe80::1%eth0", False),
        ("fc00::1", False), ("ff02::1", False), ("::ffff:127.0.0.1", False), ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False), ("64:ff9b::808:808", True), ("2002:7f00:1::", False), ("2001:4860:4860::8888", True),
        ("no address", False),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


# ---------------------------------------------------------------- saving


def test_a_file_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    there = tmp_path / "a" / "b" / "file"
    saving = Saving(str(there))
    saving.write(b"whole")
    assert not there.exists() and saving.size == 5
    saving.keep()
    assert there.read_bytes() == b"whole" and os.listdir(there.parent) == ["file"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(there.stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("named", [False, True])
def test_of_a_file_that_is_dropped_nothing_is_left_and_the_old_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    if named:
        monkeypatch.delattr(os, "O_TMPFILE")
    there = tmp_path / "file"
    there.write_bytes(b"old")
    there.chmod(0o640)
    saving = Saving(str(there))
    saving.write(b"new")
    saving.drop()
    assert there.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]
    saving = Saving(str(there))
    saving.write(b"new")
    saving.keep()
    saving.drop()
    assert there.read_bytes() == b"new" and os.listdir(tmp_path) == ["file"]
    assert stat.S_IMODE(there.stat().st_mode) == 0o640


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "link").symlink_to("target")
    saving = Saving(str(tmp_path / "link"))
    saving.write(b"new")
    saving.keep()
    assert (tmp_path / "target").read_bytes() == b"precious" and (tmp_path / "link").read_bytes() == b"new"


def test_a_folder_is_no_place_for_a_file_and_a_file_no_folder(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        Saving(str(tmp_path))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        Saving(str(tmp_path / "file" / "below"))
    assert os.listdir(tmp_path) == ["file"]


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "null").symlink_to(os.devnull)
    for name in ("pipe", "link", "null"):
        with pytest.raises(FileExistsError, match="a device, a pipe or a socket"):
            Saving(str(tmp_path / name))
    assert sorted(os.listdir(tmp_path)) == ["link", "null", "pipe"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_the_longest_name_there_may_be_can_be_saved(tmp_path: Path) -> None:
    saving = Saving(str(tmp_path / ("n" * 255)))
    saving.keep()
    assert os.listdir(tmp_path) == ["n" * 255]
