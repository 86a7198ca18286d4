"""Chat models by name: `offline`, or anything that LangChain's `init_chat_model` knows."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.loops import PerLoop
from searchinstruct_graph.models.retry import redact

if TYPE_CHECKING:
    import httpx
    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatResult

MODEL_VARIABLE = "SEARCHINSTRUCT_MODEL"

OFFLINE = "offline"

ATTEMPT_SECONDS = 120.0
"""Timeout of one HTTP attempt, in seconds; the call's own deadline may be shorter."""

MOST_CONNECTIONS = 1_000
"""Most connections of one model on one event loop; further calls wait for one."""


class _Provider(NamedTuple):
    """Which module a provider needs, which extra installs it, and which variable holds its key (None: no key)."""

    module: str
    install: str
    key: str | None


_OWN = 'pip install "searchinstruct-graph[{}]"'
_PROVIDERS: dict[str, _Provider] = {
    "openai": _Provider("langchain_openai", _OWN.format("openai"), "OPENAI_API_KEY"),
    "anthropic": _Provider("langchain_anthropic", _OWN.format("anthropic"), "ANTHROPIC_API_KEY"),
    "ollama": _Provider("langchain_ollama", _OWN.format("ollama"), None),
    "google_genai": _Provider("langchain_google_genai", "pip install langchain-google-genai", "GOOGLE_API_KEY"),
    "mistralai": _Provider("langchain_mistralai", "pip install langchain-mistralai", "MISTRAL_API_KEY"),
    "groq": _Provider("langchain_groq", "pip install langchain-groq", "GROQ_API_KEY"),
    "deepseek": _Provider("langchain_deepseek", "pip install langchain-deepseek", "DEEPSEEK_API_KEY"),
    "xai": _Provider("langchain_xai", "pip install langchain-xai", "XAI_API_KEY"),
    "together": _Provider("langchain_together", "pip install langchain-together", "TOGETHER_API_KEY"),
    "fireworks": _Provider("langchain_fireworks", "pip install langchain-fireworks", "FIREWORKS_API_KEY"),
    "cohere": _Provider("langchain_cohere", "pip install langchain-cohere", "COHERE_API_KEY"),
}


_models: PerLoop[str, BaseChatModel] = PerLoop()


def resolve_model(name: str | None) -> str:
    """The model's full name: as given, else from SEARCHINSTRUCT_MODEL, else `offline`.

    A bare name whose provider LangChain knows gets it: `gpt-5-mini` is `openai:gpt-5-mini`.
    """
    wanted = (name or os.environ.get(MODEL_VARIABLE) or OFFLINE).strip()
    if wanted == OFFLINE or ":" in wanted:
        return wanted
    from langchain.chat_models.base import _attempt_infer_model_provider

    provider = _attempt_infer_model_provider(wanted)
    return f"{provider}:{wanted}" if provider else wanted


def check_model(name: str) -> None:
    """See that `name` can be used, without a network call and without importing its package.

    Raises:
        UsageError: the form is unknown, the package is not installed, or the key is not set; the message says which.
    """
    if name == OFFLINE:
        return
    provider, colon, model = name.partition(":")
    if not colon:
        raise UsageError(
            f"unknown model {name!r}; use `offline` or PROVIDER:MODEL, such as openai:gpt-5-mini, "
            "anthropic:claude-sonnet-4-5 or ollama:qwen3"
        )
    if not model:
        raise UsageError(f"model {name!r} names a provider but no model; write {provider}:MODEL")
    needs = _PROVIDERS.get(provider)
    if needs is None:
        from langchain.chat_models.base import _BUILTIN_PROVIDERS

        if provider not in _BUILTIN_PROVIDERS:
            known = ", ".join(sorted(_PROVIDERS))
            raise UsageError(
                f"unknown model provider {provider!r} in {name!r}; use `offline` or one of {known}, as in openai:gpt-5-mini"
            )
        return
    if importlib.util.find_spec(needs.module) is None:
        raise UsageError(f"model {name!r} needs a package that is not installed: {needs.install}")
    if needs.key and not os.environ.get(needs.key):
        raise UsageError(f"model {name!r} needs a key: set the environment variable {needs.key}")


def chat_model(name: str) -> BaseChatModel:
    """The chat model called `name`, made once an event loop; its SDK does not retry (`models.retry` does).

    An OpenAI-compatible server is reached as `openai:MODEL` with OPENAI_BASE_URL.

    Raises:
        UsageError: as `check_model`, or the provider's package refuses the settings.
    """
    cache = _models.here()
    if name not in cache:
        check_model(name)
        cache[name] = _made(name)
    return cache[name]


def _made(name: str) -> BaseChatModel:
    if name == OFFLINE:
        from searchinstruct_graph.models.offline import OfflineChatModel

        return OfflineChatModel()
    from langchain.chat_models import init_chat_model

    # Never streamed: half an object is of no use, and a streamed reply often says nothing about its tokens. LangGraph
    # would have every model stream as soon as somebody listens to the graph's messages.
    settings: dict[str, Any] = {"max_retries": 0, "timeout": ATTEMPT_SECONDS, "disable_streaming": True}
    if name.startswith("ollama:"):
        settings = {"client_kwargs": {"timeout": ATTEMPT_SECONDS}, "disable_streaming": True}
    try:
        if name.startswith("openai:"):
            # langchain-openai shares one client among all event loops of a process, which breaks on the second loop.
            settings["http_async_client"] = _http_client()
            return _openai()(model=name.partition(":")[2], **settings)
        made: BaseChatModel = init_chat_model(name, **settings)
    except Exception as error:
        # Each provider's package complains in its own way about a missing key or setting.
        raise UsageError(f"model {name!r} cannot be made: {redact(str(error) or type(error).__name__)}") from error
    return made


def _http_client() -> httpx.AsyncClient:
    """An HTTP client whose cost a call does not grow with the calls in flight: one client a connection, lent to a call.

    One pool for all would compare every idle connection with all others at every call: 13 ms of CPU at 100 in flight.
    """
    import httpx

    known: dict[str, Any] = {"timeout": ATTEMPT_SECONDS, "verify": httpx.create_ssl_context()}

    class ClientPerConnection(httpx.AsyncClient):
        def __init__(self) -> None:
            super().__init__(**known)
            self._turns = asyncio.Semaphore(MOST_CONNECTIONS)
            self._made: list[httpx.AsyncClient] = []
            self._idle: list[httpx.AsyncClient] = []

        async def send(self, request: httpx.Request, **how: Any) -> httpx.Response:
            async with self._turns:
                if not self._idle:
                    self._made.append(httpx.AsyncClient(**known))
                    self._idle.append(self._made[-1])
                # The last one that was used, whose connection the server has most likely kept.
                lent = self._idle.pop()
                try:
                    return await lent.send(request, **how)
                finally:
                    self._idle.append(lent)

        async def aclose(self) -> None:
            for each in self._made:
                await each.aclose()
            await super().aclose()

    return ClientPerConnection()


@cache
def _openai() -> type[BaseChatModel]:
    """ChatOpenAI without half of its own work a call: the SDK's rewriting of the request, its model of the reply that is
    dumped into a dict again, and a thread to read that in. Requests, errors and messages stay the SDK's and LangChain's.
    """
    import httpx
    from langchain_openai import ChatOpenAI as Wordy

    class ChatOpenAI(Wordy):
        async def _agenerate(
            self,
            messages: list[BaseMessage],
            stop: list[str] | None = None,
            run_manager: AsyncCallbackManagerForLLMRun | None = None,
            **kwargs: Any,
        ) -> ChatResult:
            body = self._get_request_payload(messages, stop=stop, **kwargs)
            if _NOT_IN_BODY & body.keys() or self._use_responses_api(body):
                return await super()._agenerate(messages, stop, run_manager, **kwargs)
            body.pop("stream", None)
            response = await self.root_async_client.post("/chat/completions", cast_to=httpx.Response, body=body)
            completion = response.json()
            result = self._create_chat_result(completion)
            for choice, made in zip(completion["choices"], result.generations, strict=True):
                if refusal := choice["message"].get("refusal"):
                    made.message.additional_kwargs["refusal"] = refusal
            return result

    return ChatOpenAI


_NOT_IN_BODY = {"extra_body", "extra_headers", "extra_query", "timeout"}
"""Arguments that the SDK takes beside the request's body."""
