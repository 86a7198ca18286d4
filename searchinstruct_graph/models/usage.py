"""What a run has used: plain numbers, added up by graph reducers. Unknown money is None, never a guess."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import TypedDict


class RoleUsage(TypedDict):
    """One role's model calls, tokens in and out, and US dollars (None: unknown)."""

    model_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None


class ProviderUsage(TypedDict):
    """One search provider's queries, how many of them failed, and the credits it says they cost."""

    searches: int
    failed: int
    credits: float


class Usage(TypedDict):
    """A run's account. `seconds` are working seconds; `roles` splits the model calls by role, `providers` the queries by
    search provider (a query counts once in `searches`, however many providers it went to); `pages` counts those that could
    not be had as well.
    """

    model_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    searches: int
    pages: int
    seconds: float
    roles: dict[str, RoleUsage]
    providers: dict[str, ProviderUsage]


def no_usage() -> Usage:
    """The neutral element of `add_usage`."""
    return Usage(
        model_calls=0,
        input_tokens=0,
        output_tokens=0,
        cost_usd=0.0,
        searches=0,
        pages=0,
        seconds=0.0,
        roles={},
        providers={},
    )


def call_usage(role: str, input_tokens: int, output_tokens: int, cost_usd: float | None, seconds: float) -> Usage:
    """The account of one model call."""
    part = RoleUsage(model_calls=1, input_tokens=input_tokens, output_tokens=output_tokens, cost_usd=cost_usd)
    return Usage(**part, searches=0, pages=0, seconds=seconds, roles={role: part}, providers={})


def _money(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _add_role(one: RoleUsage, other: RoleUsage) -> RoleUsage:
    return RoleUsage(
        model_calls=one["model_calls"] + other["model_calls"],
        input_tokens=one["input_tokens"] + other["input_tokens"],
        output_tokens=one["output_tokens"] + other["output_tokens"],
        cost_usd=_money(one["cost_usd"], other["cost_usd"]),
    )


def _add_provider(one: ProviderUsage, other: ProviderUsage) -> ProviderUsage:
    return ProviderUsage(
        searches=one["searches"] + other["searches"],
        failed=one["failed"] + other["failed"],
        credits=one["credits"] + other["credits"],
    )


def add_usage(one: Usage | None, other: Usage | None) -> Usage:
    """Reducer: the sum of two accounts of work done one after the other. None and {} count as nothing."""
    one, other = one or no_usage(), other or no_usage()
    roles = dict(one["roles"])
    for role, used in other["roles"].items():
        roles[role] = _add_role(roles[role], used) if role in roles else used
    providers = dict(one["providers"])
    for name, asked in other["providers"].items():
        providers[name] = _add_provider(providers[name], asked) if name in providers else asked
    return Usage(
        model_calls=one["model_calls"] + other["model_calls"],
        input_tokens=one["input_tokens"] + other["input_tokens"],
        output_tokens=one["output_tokens"] + other["output_tokens"],
        cost_usd=_money(one["cost_usd"], other["cost_usd"]),
        searches=one["searches"] + other["searches"],
        pages=one["pages"] + other["pages"],
        seconds=one["seconds"] + other["seconds"],
        roles=roles,
        providers=providers,
    )


def join_usage(parallel: Sequence[Usage]) -> Usage:
    """The account of work done side by side: everything is added up but the seconds, of which the longest count."""
    joined = no_usage()
    for part in parallel:
        joined = add_usage(joined, part)
    return {**joined, "seconds": max((part["seconds"] for part in parallel), default=0.0)}
