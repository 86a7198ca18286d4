"""The one retry layer. SDK retries are off; LangGraph's retry policy is not used for model calls.

Retried: 429 (as long as the server asks, up to `LONGEST_WAIT`), 408, 409, 5xx, timeouts, broken connections, and replies
that are no reply. Never retried: bad requests. Fatal, stopping the run at once: a refused key, no credit, no such model.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal, TypeVar

from searchinstruct_graph.errors import ProviderError

T = TypeVar("T")

ATTEMPTS = 5
"""Most attempts of one call, the first included."""

LONGEST_WAIT = 120.0
"""Longest wait, in seconds, that a server's Retry-After is honoured for; beyond it the call fails."""

FIRST_WAIT = 0.5
"""Upper bound of the first backoff, in seconds; it doubles with each attempt (full jitter)."""

MOST_WAIT = 20.0
"""Upper bound of any backoff, in seconds."""

Fault = Literal["retry", "fatal", "request", "bug"]

_FATAL_CODES = frozenset(
    {"insufficient_quota", "model_not_found", "invalid_api_key", "billing_hard_limit_reached", "account_deactivated"}
)
_NETWORK = frozenset(
    (
        "APIConnectionError APITimeoutError ConnectError ConnectTimeout ReadTimeout WriteTimeout PoolTimeout "
        "ReadError WriteError RemoteProtocolError CloseError ServerDisconnectedError JSONDecodeError"
    ).split()
)
_USER = re.compile(r"://[^/\s@]+@")
_SECRET = re.compile(
    r"(?i)(?:authorization\W+)?\b(?:bearer|basic)\s+\S+|\bauthorization\W+\S+|\bapi[-_ ]?key\W{1,4}(?:provided\W{1,2})?\S+"
    r"|\b(?:sk|pk|gsk|tvly|xai)-[\w*-]{6,}|\bAKIA\w{12,}"
)


class NoReply(Exception):
    """The server answered 200 with something that is no completion (HTML, an error object, no choices)."""


class CallFailed(Exception):
    """A call that failed for good but does not condemn the next one."""

    def __init__(self, kind: Literal["provider", "timeout"], detail: str) -> None:
        super().__init__(detail)
        self.kind: Literal["provider", "timeout"] = kind


@dataclass(frozen=True, slots=True)
class Clock:
    """Where waiting happens; tests put their own in."""

    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


def redact(text: str) -> str:
    """The text on one line, without keys and authorisation values, at most 300 characters."""
    return _SECRET.sub("[redacted]", _USER.sub("://", " ".join(text.split())))[:300]


def status_of(error: BaseException) -> int | None:
    """The HTTP status an SDK's exception carries, whatever SDK it is."""
    for holder in (error, getattr(error, "response", None)):
        for name in ("status_code", "status", "code"):
            value = getattr(holder, name, None)
            if isinstance(value, int) and 100 <= value < 600:
                return value
    return None


def _codes(error: BaseException) -> set[str]:
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else {}
    fields = inner if isinstance(inner, dict) else {}
    return {str(value) for value in (getattr(error, "code", None), fields.get("code"), fields.get("type")) if value}


def fault_of(error: BaseException) -> Fault:
    """What a failed attempt means, told from its shape alone (no SDK is imported)."""
    if isinstance(error, NoReply | TimeoutError | ConnectionError):
        return "retry"
    status, codes = status_of(error), _codes(error)
    if status in (401, 402, 403) or codes & _FATAL_CODES:
        return "fatal"
    if status == 404:
        return "fatal"
    if status in (408, 409, 429) or (status is not None and status >= 500):
        return "retry"
    if status is not None and status >= 400:
        return "request"
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return "retry" if kinds & _NETWORK else "bug"


def retry_after(error: BaseException, wall: float) -> float | None:
    """Seconds that the server asks to wait: `retry-after-ms`, `retry-after` in seconds or as an HTTP date. None when it
    does not say, or says nonsense.
    """
    headers: Any = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        if (millis := headers.get("retry-after-ms")) is not None:
            seconds = float(millis) / 1000
        elif (raw := headers.get("retry-after")) is None:
            return None
        elif re.fullmatch(r"\s*-?\d+(?:\.\d+)?\s*", raw):
            seconds = float(raw)
        else:
            seconds = parsedate_to_datetime(raw).timestamp() - wall
    except (ValueError, TypeError, OverflowError):
        return None
    return seconds if seconds >= 0 else None


async def with_retries(
    call: Callable[[], Awaitable[T]], *, what: str, seconds: float, attempts: int = ATTEMPTS, clock: Clock | None = None
) -> T:
    """Make `call` until it succeeds, at most `attempts` times and within `seconds` in all.

    Raises:
        ProviderError: the provider refuses every further call; `what` names the model in the message.
        CallFailed: attempts or time ran out, or the request itself was refused.
    """
    clock = clock or Clock()
    deadline = clock.now() + seconds
    for attempt in range(1, attempts + 1):
        try:
            async with asyncio.timeout(max(0.0, deadline - clock.now())):
                return await call()
        except Exception as error:
            fault, last = fault_of(error), redact(f"{type(error).__name__}: {error}")
            if fault == "bug":
                raise
            if fault == "fatal":
                raise ProviderError(f"{what} refuses to answer ({status_of(error) or 'no status'}): {last}") from None
            if fault == "request":
                raise CallFailed("provider", last) from error
            asked = retry_after(error, clock.wall())
            if asked is not None and asked > LONGEST_WAIT:
                raise CallFailed("provider", f"the server asks to wait {asked:.0f} s: {last}") from error
            wait = asked if asked is not None else random.uniform(0, min(MOST_WAIT, FIRST_WAIT * 2 ** (attempt - 1)))
            late = clock.now() + wait >= deadline
            if attempt == attempts or late:
                kind: Literal["provider", "timeout"] = (
                    "timeout" if late or isinstance(error, TimeoutError) else "provider"
                )
                raise CallFailed(kind, f"{last} (after {attempt} attempt{'s' * (attempt > 1)})") from error
        await clock.sleep(wait)
    raise AssertionError("unreachable: the last attempt returns or raises")
