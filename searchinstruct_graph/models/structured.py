"""The one structured model call: a schema goes in, a validated object or a typed failure comes out."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from langchain_core.callbacks import AsyncCallbackManager
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, convert_to_messages
from langchain_core.runnables import Runnable, RunnableBinding, RunnableParallel, RunnableSequence
from langchain_core.runnables.config import ensure_config
from pydantic import BaseModel

from searchinstruct_graph.models.chat import OFFLINE, chat_model
from searchinstruct_graph.models.limits import Allowance, remaining, spent
from searchinstruct_graph.models.loops import PerLoop
from searchinstruct_graph.models.prices import price_of, require_price
from searchinstruct_graph.models.replies import BadReply, read_reply
from searchinstruct_graph.models.retry import CallFailed, NoReply, fault_of, redact, with_retries
from searchinstruct_graph.models.usage import Usage, add_usage, call_usage, no_usage

T = TypeVar("T", bound=BaseModel)

FailureKind = Literal["truncated", "refused", "empty", "malformed", "wrong_type", "provider", "timeout", "budget"]

ROOM = 16_000
"""Output tokens asked for when a reply was cut off at the provider's own limit."""

NO_STREAM = "nostream"
"""LangGraph leaves calls with this tag out of its `messages` stream: their JSON is for code, not for people."""


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """A validated reply and what it cost, repair included."""

    value: T
    usage: Usage


@dataclass(frozen=True, slots=True)
class Failure:
    """A call without a usable reply: in which way, in words, and what it cost all the same."""

    kind: FailureKind
    detail: str
    usage: Usage


class _Refusal(Exception):
    """The SDK raised what the reply's finish reason says; carries the reply's usage."""

    def __init__(self, fault: Literal["truncated", "refused"], tokens: tuple[int, int]) -> None:
        super().__init__(fault)
        self.fault: Literal["truncated", "refused"] = fault
        self.tokens = tokens


# Runnables are built once a model and schema: building one costs as much as a call's own overhead.
_runnables: PerLoop[tuple[str, type[BaseModel], bool], Runnable[Any, Any]] = PerLoop()

# What a model's server has refused once is not asked of it again: `temperature`, `seed`, `max_tokens`, `schema`.
_lacks: dict[str, set[str]] = {}


def _runnable(model: BaseChatModel, name: str, schema: type[BaseModel], plain: bool) -> Runnable[Any, Any]:
    made = _runnables.here()
    key = (name, schema, plain)
    if key not in made:
        made[key] = (
            model if plain else _raw_half(model.with_structured_output(schema.model_json_schema(), include_raw=True))
        )
    return made[key]


def _raw_half(structured_model: Runnable[Any, Any]) -> Runnable[Any, Any]:
    """The model with its schema bound, without LangChain's parser: that one completes partial JSON, ours refuses it."""
    if isinstance(structured_model, RunnableSequence) and isinstance(structured_model.first, RunnableParallel):
        return structured_model.first.steps__["raw"]
    return structured_model


def _spoken(model: BaseChatModel, name: str, temperature: float | None, seed: int | None) -> dict[str, Any]:
    """The sampling settings that this model takes."""
    fields = type(model).model_fields
    wanted = {"temperature": temperature, "seed": seed}
    lacking = _lacks.get(name, set())
    return {key: value for key, value in wanted.items() if value is not None and key in fields and key not in lacking}


def _plain_prompt(schema: type[BaseModel]) -> str:
    return f"Reply with one JSON object and nothing else. It must fit this JSON schema:\n{json.dumps(schema.model_json_schema())}"


async def _ask(
    model: BaseChatModel, name: str, schema: type[BaseModel], messages: Sequence[BaseMessage], settings: dict[str, Any]
) -> AIMessage:
    """One attempt. Raises what the provider's SDK raises, NoReply, or _Refusal."""
    plain = "schema" in _lacks.get(name, set())
    shown = [*messages, HumanMessage(_plain_prompt(schema))] if plain else list(messages)
    try:
        said = await _said(model, _runnable(model, name, schema, plain), shown, settings)
    except Exception as error:
        kind = type(error).__name__
        if kind in ("LengthFinishReasonError", "ContentFilterFinishReasonError"):
            used = getattr(getattr(error, "completion", None), "usage", None)
            tokens = (getattr(used, "prompt_tokens", 0) or 0, getattr(used, "completion_tokens", 0) or 0)
            raise _Refusal("truncated" if kind.startswith("Length") else "refused", tokens) from None
        if fault_of(error) == "bug" and _no_completion(error):
            raise NoReply(f"the server sent no completion ({kind})") from error
        raise
    message = said.get("raw") if isinstance(said, dict) else said
    if not isinstance(message, AIMessage):
        raise NoReply("the server sent no completion")
    return message


async def _said(
    model: BaseChatModel, runnable: Runnable[Any, Any], shown: list[BaseMessage], settings: dict[str, Any]
) -> Any:
    """What the runnable says. LangChain's callbacks cost as much as the HTTP request, so they are left out while nobody
    listens: no tracer, no handler of the caller's or of the graph around this call.
    """
    bound, inner = settings, runnable
    while isinstance(inner, RunnableBinding):
        bound, inner = {**inner.kwargs, **bound}, inner.bound
    if inner is not model or _heard(model):
        return await runnable.ainvoke(shown, {"tags": [NO_STREAM]}, **settings)
    told = {key: value for key, value in bound.items() if key not in _FOR_TRACERS}
    result = await model._agenerate_with_cache(shown, **told)
    return result.generations[0].message if result.generations else None


_FOR_TRACERS = ("ls_structured_output_format", "structured_output_format")
"""Arguments that LangChain takes out before it asks the model."""


def _heard(model: BaseChatModel) -> bool:
    """Whether a callback handler would hear of a call made here and now."""
    around = ensure_config().get("callbacks")
    return bool(AsyncCallbackManager.configure(around, model.callbacks, model.verbose).handlers)


def _no_completion(error: Exception) -> bool:
    """SDKs trip over bodies that are no completion (HTML, an error object, no choices) with all kinds of errors."""
    place = error.__traceback__
    while place is not None:
        if place.tb_frame.f_globals.get("__name__", "").startswith(
            ("langchain_", "openai", "anthropic", "ollama", "httpx")
        ):
            return True
        place = place.tb_next
    return False


def _learn(name: str, error: BaseException) -> bool:
    """Note what the server says it does not support. True when the call is worth making again without it."""
    said = str(error).casefold()
    known = _lacks.setdefault(name, set())
    for feature, words in _REFUSED_FEATURES.items():
        if feature not in known and any(word in said for word in words):
            known.add(feature)
            return True
    return False


_REFUSED_FEATURES = {
    "temperature": ("temperature",),
    "seed": ("'seed'", '"seed"', "seed is not", "seed not"),
    "max_tokens": ("max_tokens", "max_completion_tokens"),
    "schema": ("response_format", "json_schema", "structured output", "tool_choice", "tools"),
}


def _account(message: AIMessage, name: str, role: str, seconds: float) -> Usage:
    counted = message.usage_metadata
    if counted is None:
        return _uncounted(name, role, seconds)
    return _priced(name, role, counted["input_tokens"], counted["output_tokens"], seconds)


def _uncounted(name: str, role: str, seconds: float) -> Usage:
    """A call whose tokens nobody told: its cost is unknown, but for the model that has none."""
    return call_usage(role, 0, 0, 0.0 if name == OFFLINE else None, seconds)


def _priced(name: str, role: str, tokens_in: int, tokens_out: int, seconds: float) -> Usage:
    price = price_of(name)
    cost = None if price is None else (tokens_in * price.input + tokens_out * price.output) / 1e6
    return call_usage(role, tokens_in, tokens_out, cost, seconds)


_REPAIR = "Your reply cannot be used: {reason}. Send it again, whole, as one JSON object that fits the schema, and nothing else."


async def structured(
    schema: type[T],
    messages: Sequence[BaseMessage | tuple[str, str]],
    *,
    model: str,
    role: str,
    allowance: Allowance,
    temperature: float | None = None,
    seed: int | None = None,
) -> Reply[T] | Failure:
    """Ask `model` for a reply that fits `schema`.

    A reply that is cut off, empty, malformed or of the wrong type gets one second chance: more room, or the model's own
    reply with what is wrong with it. A refusal gets none. `allowance` bounds the whole call: model calls (the second
    chance is one), tokens, money, and seconds with all waiting. `seed` tells samples apart; models without one ignore it.

    Returns:
        `Reply` with the validated object, or `Failure` with its kind; both with usage. No bad reply raises.

    Raises:
        ProviderError: the provider refuses every further call (key, credit, unknown model).
        UsageError: the model's name, package, key or price is missing or wrong.
    """
    if allowance["cost_usd"] is not None:
        require_price(model)
    chat = chat_model(model)
    talk = convert_to_messages(list(messages))
    used, began = no_usage(), time.monotonic()
    settings = _spoken(chat, model, temperature, seed)
    failure: tuple[FailureKind, str] = ("budget", "nothing is left to spend")
    for second_chance in (False, True):
        left = remaining(allowance, {**used, "seconds": time.monotonic() - began})
        if (limit := spent({**left, "searches": 1, "pages": 1})) is not None:
            return Failure("budget", f"{limit} spent", used) if not second_chance else Failure(*failure, used)
        started = time.monotonic()
        message: AIMessage | None = None
        try:
            message = await _ask_learning(chat, model, schema, talk, settings, left["seconds"])
            used = add_usage(used, _account(message, model, role, time.monotonic() - started))
            return Reply(read_reply(message, schema), used)
        except BadReply as bad:
            failure = (bad.fault, str(bad))
        except _Refusal as refusal:
            used = add_usage(used, _priced(model, role, *refusal.tokens, time.monotonic() - started))
            failure = (refusal.fault, f"stopped by the provider: {refusal.fault}")
        except CallFailed as failed:
            # Requests went out, and what the server counted for them is unknown.
            lost = _uncounted(model, role, time.monotonic() - started)
            return Failure(failed.kind, str(failed), add_usage(used, lost))
        if failure[0] == "refused":
            break
        if failure[0] == "truncated" and "max_tokens" in type(chat).model_fields:
            settings = {**settings, "max_tokens": ROOM}
        else:
            said = message.text if message is not None else ""
            echo: list[BaseMessage] = [AIMessage(said[:20_000])] if said.strip() else []
            talk = [*talk, *echo, HumanMessage(_REPAIR.format(reason=failure[1]))]
    return Failure(*failure, used)


async def _ask_learning(
    chat: BaseChatModel,
    name: str,
    schema: type[BaseModel],
    talk: Sequence[BaseMessage],
    settings: dict[str, Any],
    seconds: float,
) -> AIMessage:
    """The call with its transport retries; a feature that the server refuses is left out and the call made again."""
    deadline = time.monotonic() + seconds
    while True:
        spoken = {key: value for key, value in settings.items() if key not in _lacks.get(name, set())}
        try:
            return await with_retries(
                lambda spoken=spoken: _ask(chat, name, schema, talk, spoken),  # type: ignore[misc]
                what=f"model {name}",
                seconds=deadline - time.monotonic(),
            )
        except CallFailed as failed:
            if (
                failed.__cause__ is None
                or fault_of(failed.__cause__) != "request"
                or not _learn(name, failed.__cause__)
            ):
                raise CallFailed(failed.kind, redact(str(failed))) from None
