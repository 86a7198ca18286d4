"""The retry layer on a virtual clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from searchinstruct_graph.errors import ProviderError
from searchinstruct_graph.models import retry
from searchinstruct_graph.models.retry import CallFailed, Clock, fault_of, redact, retry_after, with_retries


class HTTPFault(Exception):
    def __init__(self, status: int, headers: dict[str, str] | None = None, code: str | None = None) -> None:
        super().__init__(f"status {status}")
        self.status_code = status
        self.code = code
        self.response = SimpleNamespace(headers=headers or {}, status_code=status)


class VirtualTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.at = 1_000.0
        self.slept: list[float] = []

    def clock(self) -> Clock:
        return Clock(now=lambda: self.at, wall=lambda: self.at, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


async def run(faults: list[Exception], seconds: float = 600.0, attempts: int = 5) -> tuple[Any, VirtualTime, int]:
    time, calls = VirtualTime(), 0

    async def call() -> str:
        nonlocal calls
        calls += 1
        if calls <= len(faults):
            raise faults[calls - 1]
        return "done"

    try:
        outcome: Any = await with_retries(call, what="model m", seconds=seconds, attempts=attempts, clock=time.clock())
    except (CallFailed, ProviderError) as error:
        outcome = error
    return outcome, time, calls


@pytest.mark.parametrize(
    ("header", "waited"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after": "0"}, 0.0),
    ],
)
async def test_the_server_is_waited_for_as_it_asks(header: dict[str, str], waited: float) -> None:
    outcome, time, calls = await run([HTTPFault(429, header)])
    assert outcome == "done"
    assert time.slept == [waited]
    assert calls == 2


async def test_an_http_date_is_waited_for() -> None:
    fault = HTTPFault(
        503, {"retry-after": format_datetime(datetime.fromtimestamp(1_000, UTC) + timedelta(seconds=30), usegmt=True)}
    )
    _, time, _ = await run([fault])
    assert time.slept == [pytest.approx(30.0)]


@pytest.mark.parametrize("header", ["soon", "-5", "", "1e999", "Mon, 99 Foo"])
def test_nonsense_is_not_waited_for(header: str) -> None:
    asked = retry_after(HTTPFault(429, {"retry-after": header}), 1_000.0)
    assert asked is None


async def test_an_hour_is_not_waited_for() -> None:
    outcome, time, calls = await run([HTTPFault(429, {"retry-after": "3600"})])
    assert isinstance(outcome, CallFailed)
    assert "3600" in str(outcome)
    assert (time.slept, calls) == ([], 1)


async def test_backoff_grows_with_full_jitter_and_stops_at_the_attempts() -> None:
    outcome, time, calls = await run([HTTPFault(500)] * 9, attempts=5)
    assert isinstance(outcome, CallFailed)
    assert outcome.kind == "provider"
    assert calls == 5
    assert all(0 <= wait <= retry.FIRST_WAIT * 2**n for n, wait in enumerate(time.slept))


async def test_no_wait_goes_past_the_deadline() -> None:
    outcome, time, calls = await run([HTTPFault(429, {"retry-after": "50"})] * 3, seconds=60.0)
    assert isinstance(outcome, CallFailed)
    assert outcome.kind == "timeout"
    assert sum(time.slept) <= 60.0
    assert calls == 2


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (TimeoutError(), "retry"),
        (ConnectionResetError(), "retry"),
        (httpx.ConnectError("x"), "retry"),
        (httpx.ReadTimeout("x"), "retry"),
        (httpx.RemoteProtocolError("x"), "retry"),
        (HTTPFault(429), "retry"),
        (HTTPFault(529), "retry"),
        (HTTPFault(401), "fatal"),
        (HTTPFault(402), "fatal"),
        (HTTPFault(403), "fatal"),
        (HTTPFault(404), "fatal"),
        (HTTPFault(429, code="insufficient_quota"), "fatal"),
        (HTTPFault(400), "request"),
        (HTTPFault(422), "request"),
        (KeyError("x"), "bug"),
    ],
)
def test_faults_are_told_by_their_shape(error: Exception, fault: str) -> None:
    assert fault_of(error) == fault


async def test_a_bug_is_not_dressed_up() -> None:
    async def call() -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        await with_retries(call, what="m", seconds=1.0)


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-abcdef0123456789.",
        "Authorization: Bearer abc.def.ghi",
        "header api-key: 12345678secret",
        "tvly-abcdefgh12345 is not valid",
    ],
)
def test_keys_are_cut_out_of_errors(text: str) -> None:
    shown = redact(text)
    assert "[redacted]" in shown
    for secret in ("abcdef0123456789", "abc.def.ghi", "12345678secret", "abcdefgh12345"):
        assert secret not in shown
