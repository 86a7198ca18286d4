"""The purse: no call begins that could cost more than what is left."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from searchinstruct_graph.datasets.ledger import Ledger
from searchinstruct_graph.graphs.purse import Calls, MoneySpent, Purse, RunCalls
from searchinstruct_graph.models.usage import Usage, call_usage


def cost(dollars: float | None) -> Usage:
    return call_usage("writer", 10, 5, dollars, 0.1)


async def spend(purse: Purse, calls: int, dollars: float | None, most: list[int]) -> int:
    """Make `calls` calls at once; returns how many began. `most` gets the calls in flight at each beginning."""
    begun = in_flight = 0

    async def one() -> None:
        nonlocal begun, in_flight
        try:
            alone = await purse.begin()
        except MoneySpent:
            return
        begun += 1
        in_flight += 1
        most.append(in_flight)
        await asyncio.sleep(0.01)
        in_flight -= 1
        purse.pay(cost(dollars))
        purse.end(alone)

    await asyncio.gather(*(one() for _ in range(calls)))
    return begun


async def test_the_first_call_tells_the_price_and_the_rest_run_side_by_side() -> None:
    purse, seen = Purse(1.0), list[int]()
    assert await spend(purse, 50, 0.1, seen) == 10
    assert seen[0] == 1
    assert max(seen) > 3
    assert purse.empty


@pytest.mark.parametrize("dollars", [0.01, 0.3, 1.0])
async def test_a_known_price_is_never_passed(dollars: float) -> None:
    purse = Purse(1.0, 0.0, dollars, 1)
    assert await spend(purse, 200, dollars, []) * dollars <= 1.0 + 1e-9


async def test_a_call_of_unknown_cost_is_taken_for_the_dearest() -> None:
    purse = Purse(1.0, 0.0, 0.25, 3)
    assert await spend(purse, 10, None, []) == 4


async def test_what_costs_nothing_is_not_held_up() -> None:
    purse, seen = Purse(1.0), list[int]()
    assert await spend(purse, 30, 0.0, seen) == 30
    assert max(seen) > 5
    assert not purse.empty


async def test_without_a_cap_nothing_is_counted() -> None:
    seen: list[int] = []
    assert await spend(Purse(None), 30, None, seen) == 30
    assert max(seen) == 30


async def test_a_call_that_breaks_gives_its_place_back() -> None:
    purse = Purse(1.0)
    purse.end(await purse.begin())
    assert await spend(purse, 5, 0.1, []) == 5


async def test_a_call_that_was_begun_is_paid_for_and_kept_though_nobody_waits(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    calls = Calls(ledger, 2, Purse(None))
    store, kept = RunCalls(calls, "answer:0"), list[str]()

    async def call() -> str:
        await asyncio.sleep(0.05)
        return "said"

    async def keep(said: str) -> None:
        kept.append(said)

    asked = [asyncio.ensure_future(store.make(call, keep)) for _ in range(3)]
    await asyncio.sleep(0.01)
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    assert kept == []
    await calls.end([])
    # The third had not begun: it never does.
    assert kept == ["said", "said"]
    await asyncio.wait_for(calls.gate.acquire(), 1)
    ledger.close()
