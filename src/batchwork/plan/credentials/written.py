"""Credentials that stand in the file as they are."""

from __future__ import annotations

from collections.abc import Iterator

from batchwork.secrets import url_passwords
from batchwork.spec.yaml.loader import read_yaml
from batchwork.spec.yaml.nodes import Entry, ListNode, MapNode, Node, ScalarNode
from batchwork.text.credentials import credentials_of, is_credential_header, is_secret_of_auth
from batchwork.text.patterns import pattern

_entry = pattern(
    r"(?m)(?:^|[\s{,\[])[\"']?([A-Za-z][\w-]{1,60})[\"']?[ \t]*:[ \t]*[\"']?([^\s\"'{},][^\"'{},\n]{0,4096})"
)


def written_credentials(root: Node | None, text: str) -> Iterator[str]:
    """Those that stand in the file as they are; where it is no YAML, what looks like one in a line."""
    yield from url_passwords([text])
    if root is not None:
        entries = root.entries if isinstance(root, MapNode) else {}
        for name, entry in entries.items():
            if name != "params":  # a parameter may be called anything; what it is used for tells what it is
                yield from _of_entry(name, entry)
        return
    for match in _entry.finditer(text):
        if is_credential_header(match[1]):
            yield from credentials_of(match[1], match[2])


def credentials_in(text: str) -> tuple[str, ...]:
    """Those of a workflow's text that has not been read."""
    return tuple(written_credentials(read_yaml("", text, []), text))


def _inside(node: Node) -> Iterator[str]:
    if isinstance(node, ListNode):
        if node.items and not isinstance(node.items[0], ScalarNode):  # long lists are of plain values
            for part in node.items:
                yield from _inside(part)
    elif isinstance(node, MapNode):
        for name, entry in node.entries.items():
            yield from _of_entry(name, entry)


def _of_entry(name: str, entry: Entry) -> Iterator[str]:
    node = entry.node
    if name == "headers" and isinstance(node, MapNode):
        for header, below in node.entries.items():
            if is_credential_header(header):
                for text in _texts(below.node):
                    yield from credentials_of(header, text)
    elif name == "auth":
        yield from _of_auth(node)
    else:
        yield from _inside(node)


def _of_auth(node: Node) -> Iterator[str]:
    if isinstance(node, MapNode):
        for name, entry in node.entries.items():
            if is_secret_of_auth(name):
                yield from _texts(entry.node)
    elif isinstance(node, ListNode):
        for part in node.items[1:]:
            yield from _texts(part)


def _texts(node: Node) -> Iterator[str]:
    if isinstance(node, ListNode):
        for part in node.items:
            yield from _texts(part)
    elif isinstance(node, ScalarNode) and node.value is not None and "{{" not in node.text:
        yield node.text
