"""Items behind URLs: of a web server that breaks off and changes its mind, and of a store of objects that speaks S3."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from subprocess import CompletedProcess
from threading import Event
from typing import Any, ClassVar

import pytest

from batchwork.errors import SourceError
from batchwork.items.fields import open_source
from batchwork.items.files.object_body import ObjectBody
from batchwork.items.files.remote import found_urls
from batchwork.ports import ItemSource, Row
from cli.web_files import WebFiles

Command = Callable[..., "CompletedProcess[str]"]

LINES = [sha256(str(number).encode()).hexdigest() for number in range(50_000)]
CONTENT = "\n".join(LINES).encode()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebFiles]:
    monkeypatch.setattr("batchwork.items.files.resumed.PAUSE_S", 0.0)
    site = WebFiles()
    site.files = {"/lines.txt": CONTENT}
    yield site
    site.close()


def opened(path: object, kind: str = "lines") -> ItemSource:
    return open_source(kind, {"path": path}, "/", os.environ)  # type: ignore[dict-item]


def items(source: ItemSource, size: int = 4000) -> list[Row]:
    try:
        return [item for page in source.pages(0, size) for item in page]
    finally:
        source.close()


# ---------------------------------------------------------------- a web server


def test_lines_of_a_web_server(site: WebFiles) -> None:
    assert items(opened(f"{site.url}/lines.txt")) == LINES
    assert site.asked["/lines.txt"] == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_reading_goes_on_where_it_broke_off(site: WebFiles, ranges: bool) -> None:
    site.ranges, site.breaks["/lines.txt"] = ranges, 1_000_000
    if ranges:
        assert items(opened(f"{site.url}/lines.txt")) == LINES
        assert 4 <= site.asked["/lines.txt"] <= 8
    else:
        site.after_break = lambda: site.breaks.__setitem__("/lines.txt", site.breaks["/lines.txt"] + 1_000_000)
        assert items(opened(f"{site.url}/lines.txt")) == LINES


def test_a_server_that_always_breaks_off_is_an_error(site: WebFiles) -> None:
    site.ranges, site.breaks["/lines.txt"] = False, 1000
    with pytest.raises(SourceError, match=f"^{site.url}/lines.txt cannot be read: "):
        items(opened(f"{site.url}/lines.txt"))
    assert site.asked["/lines.txt"] <= 10


def test_a_file_that_changes_in_the_midst_is_an_error(site: WebFiles) -> None:
    site.breaks["/lines.txt"] = 1_000_000
    site.headers["/lines.txt"] = {"ETag": '"1"'}
    site.after_break = lambda: site.headers.__setitem__("/lines.txt", {"ETag": '"2"'})
    with pytest.raises(SourceError, match=r"lines.txt changed while it was read"):
        items(opened(f"{site.url}/lines.txt"))


@pytest.mark.parametrize("name", ["/x.txt.gz", "/x.txt"])
def test_what_is_compressed_is_unpacked_and_goes_on_too(site: WebFiles, name: str) -> None:
    site.files[name] = gzip.compress(CONTENT)
    site.headers[name] = {"Content-Encoding": "gzip"}
    site.breaks[name] = 1_000_000
    assert items(opened(site.url + name)) == LINES


def test_the_fingerprint_is_that_of_the_server(site: WebFiles) -> None:
    source = opened(f"{site.url}/lines.txt")
    assert source.reading().fingerprint == "", "a size alone tells too little"
    seen = []
    for tag in ("1", "1", "2"):
        site.headers["/lines.txt"] = {"ETag": tag}
        seen.append(source.reading().fingerprint)
    assert seen[0] == seen[1] != seen[2]


def test_a_file_that_is_not_there_or_refused(site: WebFiles) -> None:
    with pytest.raises(SourceError, match=f"^{site.url}/no.txt: no such file"):
        items(opened(f"{site.url}/no.txt"))
    site.password = "u:p"
    with pytest.raises(SourceError, match=f"^{site.url}/lines.txt: access was refused"):
        items(opened(f"{site.url}/lines.txt"))


def test_a_server_that_is_not_there(site: WebFiles) -> None:
    site.close()
    try:
        with pytest.raises(SourceError, match=r"/lines.txt cannot be read: .*[Cc]onnect"):
            items(opened(f"{site.url}/lines.txt"))
    finally:
        site.__init__()  # type: ignore[misc]


def test_credentials_of_a_url_are_used_and_neither_shown_nor_kept(
    site: WebFiles, work: Path, batchwork: Command
) -> None:
    secrets = ["s3cretpassw0rd", "0123456789abcdefSIGNED"]
    site.password = f"me:{secrets[0]}"
    site.files["/x.jsonl"] = b'{"n": 1}\n{"n":\n{"n": 3}\n'
    url = site.url.replace("//", f"//me:{secrets[0]}@") + f"/x.jsonl?X-Amz-Signature={secrets[1]}&part=1"
    (work / "w.yaml").write_text(
        f"""
params: {{url: "{url}"}}
steps:
  - name: s
    task: batch
    inputs:
      items: {{from: jsonl, path: "{{{{ params.url }}}}"}}
      continue_on_error: true
      task: {{type: python, code: "return item['n']"}}
"""
    )
    said = [batchwork("run", "w.yaml", expect=3)]
    said += [batchwork(*words) for words in (["errors"], ["items", "--json"], ["status", "--json"], ["runs"])]
    assert f"/x.jsonl?X-Amz-Signature={secrets[1]}&part=1" in site.targets
    assert "x.jsonl?X-Amz-Signature=***&part=1:2" in said[1].stdout
    site.files["/x.jsonl"] = b""
    site.files.clear()
    said.append(batchwork("run", "w.yaml", expect=1))
    assert "no such file" in said[-1].stdout
    for done in said:
        assert not any(secret in done.stdout + done.stderr for secret in secrets)
    kept = b"".join(path.read_bytes() for path in (work / ".batchwork").rglob("*") if path.is_file())
    assert not any(secret.encode() in kept for secret in secrets)


def test_a_protocol_whose_package_is_missing(work: Path) -> None:
    with pytest.raises(SourceError, match=r"^gs://bucket/x: .*gcsfs"):
        items(opened("gs://bucket/x"))
    with pytest.raises(SourceError, match=r"^nothing://bucket/x cannot be read: Protocol not known"):
        items(opened("nothing://bucket/x"))


# ---------------------------------------------------------------- S3


def put(client: Any, key: str, body: bytes) -> None:
    client.put_object(Bucket="bucket", Key=key, Body=body)


class BrokenOff(ObjectBody):
    """Gives a part of what is asked for, and then breaks off."""

    offsets: ClassVar[list[int]] = []
    between: ClassVar[Callable[[], object]] = staticmethod(lambda: None)

    def __init__(self, system: Any, path: str, offset: int) -> None:
        if self.offsets:
            self.between()
        self.offsets.append(offset)
        self._left = 1_000_000
        super().__init__(system, path, offset)

    def read(self, most: int) -> bytes:
        if self._left <= 0:
            raise OSError("the connection was lost")
        block = super().read(min(most, self._left))
        self._left -= len(block)
        return block


@pytest.fixture
def broken_off(monkeypatch: pytest.MonkeyPatch) -> type[BrokenOff]:
    monkeypatch.setattr("batchwork.items.files.resumed.PAUSE_S", 0.0)
    monkeypatch.setattr("batchwork.items.files.remote.ObjectBody", BrokenOff)
    BrokenOff.offsets.clear()
    monkeypatch.setattr(BrokenOff, "between", lambda _self: None)
    return BrokenOff


def test_a_file_in_s3_is_one_request_however_large(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    put(bucket, "x.txt", CONTENT)
    put(bucket, "x.txt.gz", gzip.compress(CONTENT))
    put(bucket, "empty.txt", b"")
    opened_at: list[int] = []
    begin = ObjectBody.__init__
    monkeypatch.setattr(ObjectBody, "__init__", lambda self, *args: (opened_at.append(args[-1]), begin(self, *args))[1])
    assert items(opened("s3://bucket/x.txt")) == LINES
    assert items(opened("s3://bucket/x.txt.gz")) == LINES
    assert items(opened("s3://bucket/empty.txt")) == []
    assert opened_at == [0, 0, 0]


def test_reading_from_s3_goes_on_where_it_broke_off(bucket: Any, broken_off: type[BrokenOff]) -> None:
    put(bucket, "x.txt", CONTENT)
    assert items(opened("s3://bucket/x.txt")) == LINES
    assert broken_off.offsets == [*range(0, len(CONTENT), 1_000_000)]


def test_an_object_that_changes_while_it_is_asked_for_again_is_an_error(
    bucket: Any, broken_off: type[BrokenOff], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bucket, "x.txt", CONTENT)
    monkeypatch.setattr(broken_off, "between", lambda _self: put(bucket, "x.txt", CONTENT[::-1]))
    with pytest.raises(SourceError, match=r"x.txt changed while it was read"):
        items(opened("s3://bucket/x.txt"))


def test_the_files_of_a_source_in_s3_share_a_client(bucket: Any) -> None:
    for number in range(3):
        put(bucket, f"d/{number}.txt", b"x")
    one, other = Event(), Event()
    systems = {id(file.place[0]) for file in found_urls("s3://bucket/d/*.txt", one)}
    assert len(systems) == 1
    assert {id(file.place[0]) for file in found_urls("s3://bucket/d/0.txt", one)} == systems
    assert {id(file.place[0]) for file in found_urls("s3://bucket/d/0.txt", other)} != systems


def test_patterns_find_files_in_s3(bucket: Any) -> None:
    for key in ("d/b.csv", "d/a.csv", "d/deep/c.csv", "d/x.txt"):
        put(bucket, key, f"name\n{key}\n".encode())
    assert items(opened("s3://bucket/d/*.csv", "csv")) == [{"name": "d/a.csv"}, {"name": "d/b.csv"}]
    assert len(items(opened(["s3://bucket/**/*.csv", "s3://bucket/d/x.txt"], "csv"))) == 4
    assert items(opened("s3://bucket/none/*.csv", "csv")) == []
    with pytest.raises(SourceError, match=r"^s3://nobucket/\*.csv: no such file"):
        items(opened("s3://nobucket/*.csv"))
    with pytest.raises(SourceError, match=r"^s3://bucket/d: this is a directory"):
        items(opened("s3://bucket/d"))
    with pytest.raises(SourceError, match=r"^s3://bucket/no.csv: no such file"):
        items(opened("s3://bucket/no.csv"))


def test_the_fingerprint_follows_the_content_in_s3(bucket: Any) -> None:
    source = opened(["s3://bucket/*.txt"])
    seen = []
    for name, content in [("a.txt", b"1"), ("a.txt", b"1"), ("a.txt", b"2"), ("b.txt", b"1")]:
        if seen and content == b"1" and name == "a.txt":
            seen.append(source.reading().fingerprint)
            continue
        put(bucket, name, content)
        seen.append(source.reading().fingerprint)
    assert seen[0] == seen[1] != ""
    assert len({*seen}) == 3


@pytest.mark.promise("11.10")
def test_a_run_over_s3_its_bad_rows_and_what_a_later_reading_finds(
    bucket: Any, s3: Mapping[str, str], work: Path, batchwork: Command
) -> None:
    put(bucket, "in/1.csv", b"id,n\n1,10\n2\n")
    put(bucket, "in/2.csv", b"id,n\n3,30\n")
    (work / "w.yaml").write_text(
        """
steps:
  - name: s
    task: batch
    inputs:
      items: {from: csv, path: "s3://bucket/in/*.csv", types: {n: integer}}
      key: "{{ item.id }}"
      continue_on_error: true
      task: {type: python, code: "return item['n'] + 1"}
"""
    )
    batchwork("run", "w.yaml", expect=3, env=s3)
    rows = [json.loads(line) for line in batchwork("items", "--json").stdout.splitlines()]
    assert [(row["key"], row["result"]) for row in rows] == [("1", 11), ("s3://bucket/in/1.csv:3", None), ("3", 31)]
    put(bucket, "in/1.csv", b"id,n\n1,10\n2,20\n")
    batchwork("retry", "--reread", env=s3)
    rows = [json.loads(line) for line in batchwork("items", "--json").stdout.splitlines()]
    assert {row["key"]: row["result"] for row in rows if row["index"] is not None} == {"1": 11, "2": 21, "3": 31}
    with sqlite3.connect(next((work / ".batchwork").rglob("*.db"))) as store:
        assert s3["AWS_SECRET_ACCESS_KEY"] not in "\n".join(store.iterdump())
