"""Which addresses are public, and connections that are opened to no other (`deny_private`)."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

import pycurl

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""NAT64: an IPv4 address stands in the last four bytes."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet at large: not loopback, private, link-local, shared, multicast …"""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found in _TRANSLATED:
            return is_public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
        inner = found.ipv4_mapped or found.sixtofour
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


def open_public(denied: list[str]) -> Callable[[int, Any], Any]:
    """What opens a socket for libcurl where its address is public; other addresses are added to `denied`.

    It sees the address that is connected to, after the name was looked up, so that no name leads around it.
    """

    def open_socket(_purpose: int, address: Any) -> Any:
        family, kind, protocol, where = address
        if family not in {socket.AF_INET, socket.AF_INET6} or not is_public(str(where[0])):
            denied.append(str(where[0]))
            return pycurl.SOCKET_BAD
        return socket.socket(family, kind, protocol)

    return open_socket
