"""Topological order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tfc.base.order import in_order


def test_the_first_that_may_come_comes_first() -> None:
    needs = {"a": ["c"], "b": [], "c": [], "d": ["b", "a"]}
    assert in_order("abcd", needs) == ["b", "c", "a", "d"]


def test_cycles_and_what_waits_for_them_are_left_out() -> None:
    needs = {1: [2], 2: [1], 3: [2], 4: []}
    assert in_order([1, 2, 3, 4], needs) == [4]


@settings(deadline=None)
@given(
    st.integers(0, 12).flatmap(
        lambda n: st.lists(st.sets(st.integers(0, 11)), min_size=n, max_size=n)
    )
)
def test_each_comes_after_its_needs(edges: list[set[int]]) -> None:
    needs = {k: {e for e in found if e < k} for k, found in enumerate(edges)}
    members = sorted(needs, key=lambda k: (k * 7) % 13)
    order = in_order(members, needs)
    assert sorted(order) == sorted(members)
    assert all(order.index(e) < order.index(k) for k in members for e in needs[k])
