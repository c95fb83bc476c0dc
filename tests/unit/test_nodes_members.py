"""Who may be a node, and when a node is given up."""

from __future__ import annotations

import platform

import pytest
from msgspec.structs import replace

from batchwork import __version__
from batchwork.workers.nodes.hub.members import Node, Refusal, Register
from batchwork.workers.nodes.net.wire import PROTOCOL, Hello


def hello(token: str, **changes: object) -> Hello:
    usual = Hello(token, PROTOCOL, __version__, platform.python_version(), "alpha", 7, 4)
    return replace(usual, **changes)


@pytest.fixture
def register() -> Register:
    return Register(10.0, 12.0)


def test_a_node_with_the_token_of_a_launch_is_let_in(register: Register):
    assert register.admit(hello(register.new_launch(None)), 0.0) == Node(1, "alpha", 4, 7)


def test_a_launch_lets_in_so_many_nodes_and_no_more(register: Register):
    token = register.new_launch(2)
    numbers = [register.admit(hello(token), 0.0).number for _ in range(2)]
    with pytest.raises(Refusal, match="used before"):
        register.admit(hello(token), 0.0)
    assert numbers == [1, 2]


@pytest.mark.parametrize("token", ["", "x", "ü", "\ud800"])
def test_a_wrong_token_is_refused_and_nothing_is_kept_of_it(register: Register, token: str):
    register.new_launch(None)
    with pytest.raises(Refusal, match="its token"):
        register.admit(hello(token, host="x" * 60_000, version="0"), 0.0)
    assert register.refusals == {}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": "0.0.9"}, "it has batchwork 0.0.9"),
        ({"protocol": PROTOCOL + 1}, "they must be the same"),
        ({"python": "3.9.1"}, "it has Python 3.9.1"),
        ({"slots": 0}, "it offers 0 slots"),
        ({"slots": -3}, "it offers -3 slots"),
    ],
)
def test_what_does_not_fit_is_refused_said_and_uses_nothing_up(
    register: Register, changes: dict[str, object], why: str
):
    token = register.new_launch(1)
    with pytest.raises(Refusal, match=why):
        register.admit(hello(token, **changes), 0.0)
    assert why in register.refusals["alpha"]
    assert register.admit(hello(token), 0.0).number == 1


def test_another_patch_of_python_fits(register: Register):
    major, minor, _ = platform.python_version_tuple()
    assert register.admit(hello(register.new_launch(None), python=f"{major}.{minor}.99"), 0.0)


def test_a_former_node_comes_back_once_as_a_new_one(register: Register):
    register.admit(hello(register.new_launch(1)), 0.0)
    own = register.token(1)
    assert register.admit(hello(own, former=1), 5.0).number == 2
    with pytest.raises(Refusal):
        register.admit(hello(own, former=1), 6.0)
    with pytest.raises(Refusal):
        register.admit(hello(register.token(2), former=1), 6.0)
    with pytest.raises(Refusal):
        register.admit(hello("", former=1), 6.0)


def test_a_node_is_given_up_when_it_has_not_renewed_for_long(register: Register):
    for _ in range(2):
        register.admit(hello(register.new_launch(1)), 100.0)
    register.grant(2, 105.0)
    assert register.next_overdue() == 112.0
    assert register.overdue(111.9) == []
    assert register.overdue(112.0) == [1]
    assert [register.ended(1), register.ended(1)] == [True, False]
    assert register.next_overdue() == 117.0


def test_who_is_given_up_is_granted_nothing_any_more(register: Register):
    register.admit(hello(register.new_launch(1)), 0.0)
    register.ended(1)
    register.grant(1, 1.0)
    assert register.next_overdue() is None
