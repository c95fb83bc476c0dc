"""A node's lease: it counts from when it was asked for, whatever the network does to the answers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batchwork.workers.nodes.agent.lease import Lease


def test_an_answer_makes_it_last_from_when_it_was_asked_for():
    lease = Lease(10.0, 100.0)
    number = lease.ask(104.0)
    lease.granted(number)  # however late that is
    assert lease.until == 114.0
    assert not lease.is_over(113.9) and lease.is_over(114.0)


def test_it_is_asked_for_five_times_while_it_lasts():
    lease = Lease(10.0, 0.0)
    lease.ask(0.0)
    assert lease.renew_at == 2.0


def test_an_old_answer_shortens_nothing_and_an_unknown_one_is_none():
    lease = Lease(10.0, 0.0)
    old, new = lease.ask(1.0), lease.ask(2.0)
    lease.granted(new)
    lease.granted(old)
    lease.granted(99)
    assert lease.until == 12.0


@given(st.lists(st.tuples(st.floats(0.01, 5), st.floats(0, 20), st.booleans()), min_size=1, max_size=30))
def test_it_never_lasts_longer_than_the_hub_counts(questions):
    """The hub counts from when it answers, which is after the question, in the order in which questions come to it."""
    lease, now, hub_until = Lease(10.0, 0.0), 0.0, 10.0
    under_way = []
    for pause_s, way_s, comes_back in questions:
        now += pause_s
        number = lease.ask(now)
        hub_until = max(hub_until, now + way_s + 10.0)
        if comes_back:
            under_way.append((now + 2 * way_s, number))
    for _, number in sorted(under_way):
        lease.granted(number)
    assert lease.until <= hub_until


def test_where_nothing_is_heard_it_is_asked_for_on_another_connection_for_a_while():
    lease = Lease(10.0, 0.0)
    asked = []
    for tenth in range(1, 400):
        now = tenth / 10
        if now >= lease.renew_at:
            lease.ask(now)
        if (number := lease.vouch(now)) is not None:
            asked.append(now)
            lease.granted(number)
    assert asked == [*range(3, 20)], "a connection that does not go on by then is lost"
    assert lease.until == 29.0


def test_where_something_is_heard_it_is_not_asked_for_elsewhere():
    lease = Lease(10.0, 0.0)
    for second in range(1, 40):
        lease.heard(lease.ask(second), second + 0.5)
        assert lease.vouch(second + 1.0) is None


def test_an_answer_that_comes_by_another_way_does_not_lengthen_it_twice():
    lease = Lease(10.0, 0.0)
    lease.ask(2.0)
    number = lease.vouch(4.0)
    assert number is not None
    lease.granted(number)
    lease.heard(1, 6.0)
    assert lease.until == 14.0
