"""The one structured call, over real HTTP: every way a reply can go wrong ends in its own typed failure."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, get_usage_metadata_callback
from langchain_core.outputs import LLMResult
from langchain_core.runnables import RunnableLambda
from pydantic import BaseModel, ConfigDict

from benchmarks.peers.loopback_server import serving
from searchinstruct_graph.errors import ProviderError, UsageError
from searchinstruct_graph.models import retry
from searchinstruct_graph.models.chat import chat_model
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.structured import NO_STREAM, Failure, Reply, structured
from tests.support import scripted_llm as play
from tests.support.scripted_llm import Script, ScriptedLLM

Start = Callable[[Script], ScriptedLLM]


class Fact(BaseModel):
    """A fact."""

    model_config = ConfigDict(extra="forbid")
    name: str
    year: int


GOOD = {"name": "bridge", "year": 1932}
AMPLE = Allowance(model_calls=10, tokens=10_000, cost_usd=None, searches=1, pages=1, seconds=20.0)


async def ask(allowance: Allowance = AMPLE, **options: Any) -> Reply[Fact] | Failure:
    return await structured(
        Fact,
        [("system", "Extract."), ("user", "When?")],
        model="openai:scripted",
        role="writer",
        allowance=allowance,
        **options,
    )


@pytest.fixture(autouse=True)
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.01)


async def test_a_good_reply_is_an_object_with_its_usage(scripted_llm: Start) -> None:
    llm = scripted_llm({"Fact": GOOD})
    reply = await ask(temperature=0.3, seed=4)
    assert isinstance(reply, Reply)
    assert reply.value == Fact(name="bridge", year=1932)
    assert reply.usage["model_calls"] == 1
    assert (reply.usage["input_tokens"], reply.usage["output_tokens"]) == (10, 5)
    assert reply.usage["cost_usd"] is None
    assert reply.usage["roles"]["writer"]["model_calls"] == 1
    assert (llm.requests[0].temperature, llm.requests[0].seed) == (0.3, 4)


async def test_a_fenced_reply_is_accepted_as_it_is(scripted_llm: Start) -> None:
    llm = scripted_llm({"Fact": play.fenced(GOOD)})
    assert isinstance(await ask(), Reply)
    assert len(llm.requests) == 1


BAD = {
    "malformed": [
        '{"name": "bridge", "year": 1932',
        '{"name": "b", "year": NaN}',
        '{"name":"b","name":"c","year":1}',
        "It was 1932.",
        '{"name": "b", "year": 1} I hope this helps',
        "[" * 100_000,
        '{"name": "\\ud800", "year": 1}',
    ],
    "wrong_type": [
        '{"name": "b", "year": "long ago"}',
        '{"name": "b"}',
        '{"name": "b", "year": 1, "extra": 2}',
        "[1]",
        "null",
        '"x"',
    ],
    "empty": ["", "   \n"],
}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in BAD.items() for text in texts])
async def test_an_unusable_reply_gets_one_second_chance_and_then_fails_by_kind(
    scripted_llm: Start, kind: str, text: str
) -> None:
    llm = scripted_llm({"Fact": play.raw(text)})
    failure = await ask()
    assert isinstance(failure, Failure)
    assert failure.kind == kind
    assert len(llm.requests) == 2
    assert failure.usage["model_calls"] == 2
    assert "cannot be used" in llm.requests[1].text


@pytest.mark.parametrize("text", [BAD["malformed"][0], BAD["wrong_type"][0], ""])
async def test_a_repaired_reply_is_accepted(scripted_llm: Start, text: str) -> None:
    scripted_llm({"Fact": [play.raw(text), GOOD]})
    reply = await ask()
    assert isinstance(reply, Reply)
    assert reply.usage["model_calls"] == 2


async def test_a_cut_off_reply_is_never_accepted_and_gets_more_room_once(scripted_llm: Start) -> None:
    llm = scripted_llm({"Fact": [play.whole_but_cut_off(GOOD), play.truncated(GOOD)]})
    failure = await ask()
    assert isinstance(failure, Failure)
    assert failure.kind == "truncated"
    asked = [request.body.get("max_completion_tokens") or request.body.get("max_tokens") for request in llm.requests]
    assert asked[0] is None
    assert asked[1] is not None
    assert asked[1] >= 16_000
    assert failure.usage["input_tokens"] == 20


async def test_with_more_room_the_reply_is_whole(scripted_llm: Start) -> None:
    scripted_llm({"Fact": [play.truncated(GOOD), GOOD]})
    assert isinstance(await ask(), Reply)


@pytest.mark.parametrize("fault", [play.refusal(), play.content_filter()])
async def test_a_refusal_is_final(scripted_llm: Start, fault: play.Fault) -> None:
    llm = scripted_llm({"Fact": fault})
    failure = await ask()
    assert isinstance(failure, Failure)
    assert failure.kind == "refused"
    assert len(llm.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [
        play.status(429),
        play.status(500),
        play.status(503),
        play.status(529),
        play.status(408),
        play.reset(),
        play.reset(20),
        play.html(),
        play.no_choices(),
        play.raw("x"),
    ],
    ids=["429", "500", "503", "529", "408", "reset", "reset mid-body", "html", "no choices", "control"],
)
async def test_a_passing_fault_is_retried(scripted_llm: Start, fault: play.Fault) -> None:
    llm = scripted_llm({"Fact": [fault, GOOD]})
    assert isinstance(await ask(), Reply)
    assert len(llm.requests) == 2


async def test_a_lasting_fault_ends_after_the_configured_attempts(scripted_llm: Start) -> None:
    llm = scripted_llm({"Fact": play.status(503)})
    failure = await ask()
    assert isinstance(failure, Failure)
    assert failure.kind == "provider"
    assert len(llm.requests) == retry.ATTEMPTS


async def test_a_hanging_server_costs_no_more_than_the_deadline(scripted_llm: Start) -> None:
    llm = scripted_llm({"Fact": play.hang()})
    failure = await ask({**AMPLE, "seconds": 0.5})
    assert isinstance(failure, Failure)
    assert failure.kind == "timeout"
    assert failure.usage["seconds"] < 5
    assert len(llm.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [
        play.status(401, "Incorrect API key provided: sk-test-canary-0123456789"),
        play.status(402),
        play.status(403),
        play.status(404, kind="model_not_found"),
        play.status(429, kind="insufficient_quota"),
    ],
    ids=["401", "402", "403", "404", "quota"],
)
async def test_a_final_refusal_of_the_provider_stops_at_once_and_shows_no_key(
    scripted_llm: Start, fault: play.Fault
) -> None:
    llm = scripted_llm({"Fact": fault})
    with pytest.raises(ProviderError) as caught:
        await ask()
    assert len(llm.requests) == 1
    assert "canary" not in str(caught.value)
    assert "openai:scripted" in str(caught.value)


async def test_a_bad_request_is_not_retried(scripted_llm: Start) -> None:
    llm = scripted_llm({"Fact": play.status(400, "too many cooks")})
    failure = await ask()
    assert isinstance(failure, Failure)
    assert failure.kind == "provider"
    assert "too many cooks" in failure.detail
    assert len(llm.requests) == 1


async def test_a_server_without_schemas_is_asked_in_plain_words_from_then_on(scripted_llm: Start) -> None:
    def script(request: play.ChatRequest) -> object:
        return play.status(400, "response_format is not supported") if request.schema else GOOD

    llm = scripted_llm(script)
    first = await structured(Fact, [("user", "When?")], model="openai:plain", role="writer", allowance=AMPLE)
    again = await structured(Fact, [("user", "When?")], model="openai:plain", role="writer", allowance=AMPLE)
    assert isinstance(first, Reply)
    assert isinstance(again, Reply)
    assert [bool(request.schema) for request in llm.requests] == [True, False, False]
    assert "JSON schema" in llm.requests[-1].text


async def test_a_setting_that_the_server_refuses_is_left_out(scripted_llm: Start) -> None:
    def script(request: play.ChatRequest) -> object:
        return (
            GOOD
            if request.temperature is None
            else play.status(400, "Unsupported value: 'temperature' does not support 0")
        )

    scripted_llm(script)
    reply = await structured(
        Fact, [("user", "When?")], model="openai:warm", role="writer", allowance=AMPLE, temperature=0.0
    )
    assert isinstance(reply, Reply)


@pytest.mark.parametrize(("name", "value"), [("model_calls", 0), ("tokens", 0), ("seconds", 0.0)])
async def test_nothing_left_means_no_call(scripted_llm: Start, name: str, value: float) -> None:
    llm = scripted_llm({"Fact": GOOD})
    failure = await ask(cast(Allowance, {**AMPLE, name: value}))
    assert isinstance(failure, Failure)
    assert failure.kind == "budget"
    assert name in failure.detail
    assert not llm.requests


async def test_the_last_call_leaves_no_room_for_a_repair(scripted_llm: Start) -> None:
    llm = scripted_llm({"Fact": play.raw("no")})
    failure = await ask({**AMPLE, "model_calls": 1})
    assert isinstance(failure, Failure)
    assert failure.kind == "malformed"
    assert len(llm.requests) == 1


async def test_a_known_price_is_counted_and_an_unknown_one_refuses_a_money_limit(
    scripted_llm: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    scripted_llm({"Fact": GOOD})
    with pytest.raises(UsageError, match="SEARCHINSTRUCT_PRICES"):
        await ask({**AMPLE, "cost_usd": 1.0})
    table = tmp_path / "prices.json"
    table.write_text('{"openai:scripted": {"input": 1.0, "output": 4.0}}')
    monkeypatch.setenv("SEARCHINSTRUCT_PRICES", str(table))
    reply = await ask({**AMPLE, "cost_usd": 1.0})
    assert isinstance(reply, Reply)
    assert reply.usage["cost_usd"] == pytest.approx((10 * 1.0 + 5 * 4.0) / 1e6)


async def test_the_runnable_is_built_once(scripted_llm: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    from langchain_openai import ChatOpenAI

    scripted_llm({"Fact": GOOD})
    built = []
    original = ChatOpenAI.with_structured_output

    def counting(self: ChatOpenAI, *args: Any, **kwargs: Any) -> Any:
        built.append(1)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(ChatOpenAI, "with_structured_output", counting)
    for seed in range(3):
        await structured(
            Fact, [("user", "?")], model="openai:once", role="critic", allowance=AMPLE, seed=seed, temperature=0.7
        )
    assert len(built) == 1


class Listener(AsyncCallbackHandler):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []

    async def on_chat_model_start(self, serialized: dict[str, Any], messages: Any, **told: Any) -> None:
        self.heard.append((serialized["name"], told["tags"]))

    async def on_llm_end(self, response: LLMResult, **_: Any) -> None:
        self.heard.append(("end", response.generations[0][0].text))


async def heard_by(listener: Listener, **options: Any) -> Reply[Fact] | Failure:
    """The call inside a runnable whose caller listens."""

    async def step(_: None) -> Reply[Fact] | Failure:
        return await ask(**options)

    return await RunnableLambda(step).ainvoke(None, {"callbacks": [listener]})


async def test_who_listens_around_a_call_hears_it(scripted_llm: Start) -> None:
    scripted_llm({"Fact": GOOD})
    listener = Listener()
    assert isinstance(await heard_by(listener), Reply)
    assert listener.heard == [("ChatOpenAI", [NO_STREAM]), ("end", json.dumps(GOOD))]
    with get_usage_metadata_callback() as counted:
        await ask()
    assert [used["total_tokens"] for used in counted.usage_metadata.values()] == [15]


async def test_a_call_is_the_same_whether_anybody_listens_or_not(scripted_llm: Start) -> None:
    llm = scripted_llm({"Fact": GOOD})
    alone = await ask(temperature=0.3, seed=4)
    heard = await heard_by(Listener(), temperature=0.3, seed=4)
    assert llm.requests[0].body == llm.requests[1].body
    assert alone.usage["input_tokens"] == heard.usage["input_tokens"] == 10


@pytest.mark.parametrize("content", [play.refusal("No."), play.content_filter(), play.whole_but_cut_off(GOOD)])
async def test_a_failure_is_the_same_whether_anybody_listens_or_not(scripted_llm: Start, content: play.Fault) -> None:
    scripted_llm({"Fact": content})
    alone = await ask()
    heard = await heard_by(Listener())
    assert isinstance(alone, Failure)
    assert isinstance(heard, Failure)
    assert (alone.kind, alone.detail) == (heard.kind, heard.detail)
    assert alone.usage["input_tokens"] == heard.usage["input_tokens"]


async def test_what_the_sdk_takes_beside_the_body_still_reaches_the_server(scripted_llm: Start) -> None:
    llm = scripted_llm(lambda request: play.raw("yes"))
    said = await chat_model("openai:scripted").ainvoke("?", extra_body={"top_k": 3})
    assert said.text == "yes"
    assert llm.requests[0].body["top_k"] == 3
    assert "extra_body" not in llm.requests[0].body


class Told(BaseModel):
    """What the loopback server replies."""

    response: str


async def test_connections_are_opened_only_for_calls_in_flight_and_then_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(0.2, 1) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        for calls in (100, 20, 100):
            asked = [
                structured(Told, [("user", "?")], model="openai:many", role="writer", allowance=AMPLE)
                for _ in range(calls)
            ]
            assert all(isinstance(reply, Reply) for reply in await asyncio.gather(*asked))
        seen = server.seen()
    assert seen.most_in_flight == 100
    assert seen.connections == 100
