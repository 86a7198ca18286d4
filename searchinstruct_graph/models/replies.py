"""Reading a model's reply strictly. A partial, repeated or decorated object is a fault, never half an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Literal, TypeVar

from langchain_core.messages import AIMessage
from pydantic import BaseModel, ValidationError

T = TypeVar("T", bound=BaseModel)

ReplyFault = Literal["truncated", "refused", "empty", "malformed", "wrong_type"]

_FENCED = re.compile(r"\s*```(?:json|JSON)?[ \t]*\r?\n(?P<inside>.*?)\r?\n?```\s*", re.DOTALL)
_LENGTH = frozenset({"length", "max_tokens", "model_length", "MAX_TOKENS"})
_REFUSED = frozenset({"content_filter", "refusal", "SAFETY", "RECITATION"})
_DEEPEST = 200


class BadReply(Exception):
    """The reply cannot be used; `fault` says in which way."""

    def __init__(self, fault: ReplyFault, detail: str) -> None:
        super().__init__(detail)
        self.fault: ReplyFault = fault


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Refuses duplicate keys, which `json` would settle silently."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object has the same key twice")
    return made


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def strict_json(text: str) -> Any:
    """The JSON value that `text` is, alone or inside one ```json fence.

    Raises:
        BadReply: `malformed`: trailing prose, NaN, duplicate keys, unpaired surrogates, nesting beyond reason.
    """
    fenced = _FENCED.fullmatch(text)
    inside = (fenced["inside"] if fenced else text).strip()
    try:
        value = json.loads(inside, object_pairs_hook=_unique, parse_constant=_constant)
        _check(value, _DEEPEST)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadReply("malformed", f"not strict JSON: {reason}") from None
    return value


def _check(value: Any, depth: int) -> None:
    if depth == 0:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        value.encode("utf-8")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check(key, depth - 1)
            _check(item, depth - 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth - 1)


def finish_reason(message: AIMessage) -> str:
    """Why the model stopped, under whichever name its provider gives it."""
    metadata = message.response_metadata
    return str(metadata.get("finish_reason") or metadata.get("stop_reason") or metadata.get("done_reason") or "")


def read_reply(message: AIMessage, schema: type[T]) -> T:
    """The reply as an instance of `schema`.

    Raises:
        BadReply: truncated (even where the JSON looks whole), refused, empty, malformed, or of the wrong type.
    """
    reason = finish_reason(message)
    if reason in _LENGTH:
        raise BadReply("truncated", "the reply hit the output limit")
    refusal = message.additional_kwargs.get("refusal")
    if refusal or reason in _REFUSED:
        raise BadReply("refused", str(refusal or f"stopped by the provider: {reason}")[:300])
    if message.tool_calls:
        value: Any = message.tool_calls[0]["args"]
    elif message.invalid_tool_calls:
        value = strict_json(message.invalid_tool_calls[0]["args"] or "")
    else:
        text = message.text
        if not text.strip():
            raise BadReply("empty", "the reply is empty")
        value = strict_json(text)
    try:
        return schema.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the reply"
        raise BadReply("wrong_type", f"{place}: {first['msg']}") from None
