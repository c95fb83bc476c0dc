"""Who finds no hub: whether it is only out of reach, or has ended."""

from __future__ import annotations

import socket

import pytest

from batchwork.workers.nodes.agent.ends import Membership
from batchwork.workers.nodes.agent.supervisor import _again
from batchwork.workers.nodes.hub.hub import Hub
from batchwork.workers.nodes.net.connection import Closed
from batchwork.workers.nodes.net.letter import HubEnded, Letter, call_hub

NOWHERE = "256.0.0.1"
"""What is no address of anything."""


@pytest.fixture(scope="module")
def letter() -> Letter:
    """To a hub that has ended."""
    hub = Hub()
    hub.open("127.0.0.1")
    letter = hub.letter(["127.0.0.1"], None)
    hub.close()
    return letter


@pytest.mark.parametrize(
    ("addresses", "former", "ended"),
    [
        (["127.0.0.1"], 1, True),
        (["127.0.0.1", NOWHERE], 1, True),
        (["127.0.0.1"], 0, False),  # it may be another machine's loopback
        ([NOWHERE, "127.0.0.1"], 1, False),  # where it was found nobody can be reached
    ],
)
def test_a_hub_has_ended_where_it_was_found_and_is_refused(
    letter: Letter, addresses: list[str], former: int, ended: bool
) -> None:
    with pytest.raises(Closed) as caught:
        call_hub(Letter(addresses, letter.port, letter.certificate, letter.token, former))
    assert isinstance(caught.value, HubEnded) is ended


def test_who_was_a_node_looks_first_where_it_found_the_hub(letter: Letter) -> None:
    known = Membership()
    for line in (b"hub 10.0.0.7", b"node 3 its-token", b"until 12.5"):
        known.hear(line)
    asked = _again(Letter(["10.0.0.1", "10.0.0.7"], 9, "certificate", "first"), known)
    assert asked == Letter(["10.0.0.7", "10.0.0.1"], 9, "certificate", "its-token", 3)


def test_a_port_that_is_open_and_no_hub_is_a_way_that_is_closed(letter: Letter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(10)
        with pytest.raises(Closed) as caught:
            call_hub(Letter(["127.0.0.1"], other.getsockname()[1], letter.certificate, letter.token, 1), 0.1)
    assert not isinstance(caught.value, HubEnded)
