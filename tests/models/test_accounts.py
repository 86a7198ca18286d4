"""Usage and allowances: laws that a reducer and a budget must keep."""

from __future__ import annotations

import math
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.models.limits import Allowance, remaining, reserve, shares, spent
from searchinstruct_graph.models.usage import Usage, add_usage, call_usage, join_usage, no_usage

counts = st.integers(0, 1_000)
money = st.none() | st.integers(0, 64).map(lambda n: n / 8)
calls = st.builds(
    call_usage, st.sampled_from(["planner", "writer"]), counts, counts, money, st.integers(0, 80).map(lambda n: n / 8)
)
allowances = st.builds(
    lambda *v: Allowance(model_calls=v[0], tokens=v[1], cost_usd=v[2], searches=v[3], pages=v[4], seconds=v[5]),
    counts,
    counts,
    money,
    counts,
    counts,
    st.integers(0, 80).map(lambda n: n / 8),
)


@given(calls, calls, calls)
def test_adding_usage_is_associative_and_commutative_with_a_neutral_element(a: Usage, b: Usage, c: Usage) -> None:
    assert add_usage(add_usage(a, b), c) == add_usage(a, add_usage(b, c))
    assert add_usage(a, b) == add_usage(b, a)
    assert add_usage(a, no_usage()) == a == add_usage(None, a)


@given(calls, calls)
def test_unknown_money_stays_unknown(a: Usage, b: Usage) -> None:
    assert (add_usage(a, b)["cost_usd"] is None) == (a["cost_usd"] is None or b["cost_usd"] is None)


@given(st.lists(calls, max_size=5))
def test_parallel_work_takes_as_long_as_its_longest_part(parts: list[Usage]) -> None:
    joined = join_usage(parts)
    assert joined["seconds"] == max((part["seconds"] for part in parts), default=0.0)
    assert joined["model_calls"] == len(parts)


COUNTS: tuple[Literal["model_calls", "tokens", "searches", "pages"], ...] = (
    "model_calls",
    "tokens",
    "searches",
    "pages",
)


@given(allowances, st.integers(1, 7))
def test_shares_are_the_whole_and_nearly_equal(whole: Allowance, branches: int) -> None:
    parts = shares(whole, branches)
    assert len(parts) == branches
    for name in COUNTS:
        assert sum(part[name] for part in parts) == whole[name]
        assert max(part[name] for part in parts) - min(part[name] for part in parts) <= 1
    if whole["cost_usd"] is not None:
        assert math.isclose(sum(part["cost_usd"] or 0.0 for part in parts), whole["cost_usd"])


@given(allowances, calls)
def test_what_remains_is_never_negative_nor_more_than_there_was(whole: Allowance, used: Usage) -> None:
    left = remaining(whole, used)
    assert all(0 <= left[name] <= whole[name] for name in COUNTS)
    assert 0 <= left["seconds"] <= whole["seconds"]
    if whole["cost_usd"] is not None:
        assert left["cost_usd"] is not None
        assert 0 <= left["cost_usd"] <= whole["cost_usd"]


@given(allowances)
def test_the_named_limit_is_the_spent_one(left: Allowance) -> None:
    gone = {str(name) for name in COUNTS if left[name] <= 0}
    gone |= {"seconds"} if left["seconds"] <= 0 else set()
    gone |= {"cost_usd"} if left["cost_usd"] is not None and left["cost_usd"] <= 0 else set()
    name = spent(left)
    assert (name in gone) if gone else name is None


def test_a_reserve_is_kept_back() -> None:
    whole = Allowance(model_calls=10, tokens=100, cost_usd=None, searches=3, pages=3, seconds=10.0)
    kept = reserve(whole, model_calls=7, part=0.2)
    assert (kept["model_calls"], kept["tokens"], kept["seconds"], kept["pages"]) == (3, 80, 8.0, 3)
    assert reserve(whole, model_calls=70)["model_calls"] == 0
