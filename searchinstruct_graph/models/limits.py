"""What may still be spent. Pure functions on plain data, so that a budget can travel through parallel branches."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from searchinstruct_graph.models.usage import Usage

Limit = Literal["model_calls", "tokens", "cost_usd", "seconds", "searches", "pages"]

_ORDER: tuple[Limit, ...] = ("model_calls", "tokens", "cost_usd", "seconds", "searches", "pages")


class Allowance(TypedDict):
    """What a branch may still spend: model calls, tokens in and out, US dollars (None: no limit), searches, pages, and
    working seconds.
    """

    model_calls: int
    tokens: int
    cost_usd: float | None
    searches: int
    pages: int
    seconds: float


def remaining(limit: Allowance, used: Usage) -> Allowance:
    """What is left of `limit` after `used`; never negative. An unknown cost counts as nothing spent: `require_price`
    refuses a money limit on a model without a price before work starts.
    """
    money = limit["cost_usd"]
    return Allowance(
        model_calls=max(0, limit["model_calls"] - used["model_calls"]),
        tokens=max(0, limit["tokens"] - used["input_tokens"] - used["output_tokens"]),
        cost_usd=None if money is None else max(0.0, money - (used["cost_usd"] or 0.0)),
        searches=max(0, limit["searches"] - used["searches"]),
        pages=max(0, limit["pages"] - used["pages"]),
        seconds=max(0.0, limit["seconds"] - used["seconds"]),
    )


def shares(allowance: Allowance, branches: int) -> list[Allowance]:
    """The parts of `branches` parallel branches, as equal as whole numbers allow, the larger ones first.

    Together they are exactly the whole. Time runs for all at once, so each has all of it.
    """

    def part(whole: int, branch: int) -> int:
        return whole // branches + (branch < whole % branches)

    money = allowance["cost_usd"]
    return [
        Allowance(
            model_calls=part(allowance["model_calls"], branch),
            tokens=part(allowance["tokens"], branch),
            cost_usd=None if money is None else money / branches,
            searches=part(allowance["searches"], branch),
            pages=part(allowance["pages"], branch),
            seconds=allowance["seconds"],
        )
        for branch in range(branches)
    ]


def reserve(allowance: Allowance, *, model_calls: int = 0, part: float = 0.0) -> Allowance:
    """The allowance without what is kept back: some model calls, and a part (0 to 1) of tokens, money and time."""
    kept = 1.0 - part
    return Allowance(
        model_calls=max(0, allowance["model_calls"] - model_calls),
        tokens=int(allowance["tokens"] * kept),
        cost_usd=None if allowance["cost_usd"] is None else allowance["cost_usd"] * kept,
        searches=allowance["searches"],
        pages=allowance["pages"],
        seconds=allowance["seconds"] * kept,
    )


def spent(allowance: Allowance) -> Limit | None:
    """The first exhausted limit, hard ones (without which no model can be asked) first; None while all last."""
    for name in _ORDER:
        left = allowance[name]
        if left is not None and left <= 0:
            return name
    return None
