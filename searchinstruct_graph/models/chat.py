"""Chat models by name: `offline`, or anything that LangChain's `init_chat_model` knows."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.loops import PerLoop
from searchinstruct_graph.models.retry import redact

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

MODEL_VARIABLE = "SEARCHINSTRUCT_MODEL"

OFFLINE = "offline"

ATTEMPT_SECONDS = 120.0
"""Timeout of one HTTP attempt, in seconds; the call's own deadline may be shorter."""


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
    if name.startswith("openai:"):
        import httpx

        # langchain-openai shares one client among all event loops of a process, which breaks on the second loop.
        settings["http_async_client"] = httpx.AsyncClient(
            timeout=ATTEMPT_SECONDS, limits=httpx.Limits(max_connections=1_000)
        )
    elif name.startswith("ollama:"):
        settings = {"client_kwargs": {"timeout": ATTEMPT_SECONDS}, "disable_streaming": True}
    try:
        made: BaseChatModel = init_chat_model(name, **settings)
    except Exception as error:
        # Each provider's package complains in its own way about a missing key or setting.
        raise UsageError(f"model {name!r} cannot be made: {redact(str(error) or type(error).__name__)}") from error
    return made
